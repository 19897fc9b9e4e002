"""``aam train``: learn to predict a metadata column."""

import copy
import dataclasses
import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from aam.config._base import flag_of, flatten
from aam.config.commands import TrainConfig
from aam.config.model import ModelConfig
from aam.data.augmentations.augmenter import augmentations_of
from aam.data.batches import (
    BatchMaker,
    BatchPlan,
    Drawing,
    Masking,
    loader,
)
from aam.data.rarefaction import drop_shallow_samples, resolve_depth
from aam.data.splits import TEST, TRAIN, VALIDATION, strata
from aam.data.study import Study
from aam.data.target import TargetState, batch_target, choose_task, fit_target
from aam.ecology.resources import StudyResources
from aam.errors import SplitError
from aam.inference.asv_vectors import asv_vectors
from aam.inference.metrics import evaluate
from aam.inference.model_directory import ModelDescription, build_target, load_model, save_model
from aam.inference.read_samples import Reading, SampleReader
from aam.io.cache import Cache
from aam.io.output_directory import check_output_directory, start_output_directory
from aam.io.table_tsv import write_tsv
from aam.models.build import build_encoder, build_predictor
from aam.models.sequence_encoder import SequenceEncoder
from aam.models.sequence_predictor import SequencePredictor
from aam.objectives.unlabelled import Settings
from aam.pipelines.composing import Composition, compose, memory_estimate
from aam.pipelines.groups import sample_groups, warn_of_divided_subjects
from aam.pipelines.labels import label_samples
from aam.pipelines.objectives import settle_objectives, with_targets
from aam.pipelines.reading import read_study
from aam.pipelines.records import (
    draw_target,
    points_to_draw,
    prediction_columns,
    summarise,
    truth_column,
    write_metrics,
    write_splits,
)
from aam.pipelines.resources import read_resources
from aam.pipelines.splitting import split_labelled
from aam.training.balancing import LossBalance
from aam.training.calibration import CALIBRATION_SAMPLES, calibrate_encoder, calibrate_head, calibrate_objectives
from aam.training.fit import WRITTEN, fit
from aam.training.module import TrainingModule
from aam.training.resources import BatchReport

logger = logging.getLogger(__name__)

RESULTS = ("model", "metrics.json", "metrics.tsv", "splits.tsv", "validation_predictions.tsv")
SHAPE = ("embedding_dim", "attention_heads", "attention_layers", "ffn_ratio", "max_bp", "patch_size")
"""Options that a pre-trained model has settled."""


@dataclass(frozen=True)
class LabelledStudy:
    """A study ready for training.

    Attributes
    ----------
    study
        Samples with a value and enough reads.
    depth
        Reads drawn from each.
    target
        What was fitted on the training samples.
    truth
        Values in own units or class numbers, [S].
    held
        True for validation samples, [S].
    split_ids, split_parts
        All samples that were divided, and the part of each; those left for a test, too.
    """

    study: Study
    depth: int | None
    target: TargetState
    truth: np.ndarray
    held: np.ndarray
    split_ids: list[str]
    split_parts: np.ndarray


def train(config: TrainConfig) -> None:
    """Run the command."""
    output = config.output.output_dir
    check_output_directory(config)
    pretrained = _load_pretrained(config)
    shape = config.model if pretrained is None else _shape_of(pretrained, config.model)
    labelled = _prepare(config, shape.max_bp)
    torch.manual_seed(config.training.seed)
    weights = {"target": config.objectives.target_penalty, **config.weights}
    resources = read_resources(config, config.weights, labelled.study, np.flatnonzero(~labelled.held))
    settings = settle_objectives(config.weights, config.objectives, resources)
    model = _build(config, shape, pretrained, labelled, settings)
    maker = _batch_maker(config, labelled, resources, model)
    digest = labelled.study.digest()
    batches = _batches(config, model, maker, labelled.held, digest)
    start_output_directory(dataclasses.replace(config, model=shape), [*WRITTEN, *RESULTS])
    write_splits(output / "splits.tsv", labelled.split_ids, labelled.split_parts)
    some = maker[BatchPlan("calibration", tuple(batches.sampler.samples[:CALIBRATION_SAMPLES].tolist()))]
    if pretrained is None:
        calibrate_encoder(model.base_model, some)
    calibrate_objectives(model.base_model, some)
    calibrate_head(model, some)
    balance = LossBalance(weights, config.objectives.loss_balancing)
    module = TrainingModule(model, weights, config.training, main="target", balance=balance)
    module.calibrate(some)
    n_workers = config.training.num_workers
    loaders = loader(maker, batches.sampler, n_workers), loader(maker, batches.validation, n_workers)
    summary = fit(module, *loaders, output, config.training, [BatchReport(batches.estimated_bytes)])
    description = ModelDescription(
        model=shape,
        objectives=tuple(model.base_model.active_objectives()),
        depth=labelled.depth,
        token_limit=config.sampling.token_limit,
        seed=config.training.seed,
        study_digest=digest,
        target=labelled.target,
        objective_settings=settings,
        options=flatten(config),
    )
    metrics = _validate(config, model, description, labelled)
    metrics |= {"epochs": summary.epochs, "best_epoch": summary.best_epoch}
    write_metrics(output, metrics)
    save_model(output / "model", model, dataclasses.replace(description, metrics=metrics))
    logger.info("Validation of %s: %s.", labelled.target.column, summarise(metrics, labelled.target))
    logger.info("Model: %s", output / "model")


def _load_pretrained(config: TrainConfig) -> SequenceEncoder | None:
    if config.transfer.pretrained is None:
        return None
    model, _ = load_model(config.transfer.pretrained)
    return model.base_model if isinstance(model, SequencePredictor) else model


def _shape_of(pretrained: SequenceEncoder, asked: ModelConfig) -> ModelConfig:
    """Take the shape from the pre-trained model and the rest from the user; say so if they asked for another shape."""
    settled = {name: getattr(pretrained.config, name) for name in SHAPE}
    default = ModelConfig()
    ignored = [
        flag_of(name) for name, value in settled.items() if getattr(asked, name) not in (value, getattr(default, name))
    ]
    if ignored:
        logger.warning("The pre-trained model settles its shape; ignored: %s.", ", ".join(ignored))
    return dataclasses.replace(asked, **settled)


def _prepare(config: TrainConfig, max_bp: int) -> LabelledStudy:
    study = read_study(config.study, max_bp)
    table_ids = study.sample_ids
    study, metadata, values = label_samples(config.label, study)
    task = choose_task(values, config.task.task)
    depth = resolve_depth(config.sampling.rarefy_depth, study.depths)
    logger.info("Rarefaction: %s.", "none" if depth is None else f"{depth:,} reads per sample")
    study = drop_shallow_samples(study, depth)
    sample_ids = list(study.sample_ids)
    values = values.loc[sample_ids]
    groups = sample_groups(metadata, sample_ids, config.split.group_column, config.label.metadata_column)
    stratum = strata(fit_target(values, task).encode(values))
    parts = split_labelled(study, groups, stratum, metadata, table_ids, config.split, config.training)
    if config.split.group_column is None:
        warn_of_divided_subjects(metadata, sample_ids, parts, config.split.split, config.label.metadata_column)
    target = fit_target(values[parts == TRAIN], task)
    truth = target.encode(values)
    rows = _rows_in_use(parts, truth, target)
    held = parts[rows] == VALIDATION
    logger.info(
        "%s of %s: %d training and %d validation samples.",
        task.capitalize(), target.column, int((~held).sum()), int(held.sum()),
    )  # fmt: skip
    in_use = study if len(rows) == study.n_samples else study.select_samples(rows)
    return LabelledStudy(in_use, depth, target, truth[rows], held, list(study.sample_ids), parts)


def _rows_in_use(parts: np.ndarray, truth: np.ndarray, target: TargetState) -> np.ndarray:
    """Leave out test samples, and validation samples whose class cannot be predicted; say how many."""
    is_test = parts == TEST
    if is_test.any():
        logger.info("Left out %d test samples; see 'aam evaluate' for them.", int(is_test.sum()))
    is_unseen = (truth == -1) & (parts == VALIDATION) & (target.task == "classification")
    if is_unseen.any():
        logger.warning("Left out %d validation samples whose class no training sample has.", int(is_unseen.sum()))
    if not ((parts == VALIDATION) & ~is_unseen).any():
        raise SplitError(
            f"No validation sample has a class of {target.column} that a training sample has, so that nothing can be validated. "
            "Choose another split or column: each class needs groups on both sides."
        )
    return np.flatnonzero(~is_test & ~is_unseen)


def _build(
    config: TrainConfig,
    shape: ModelConfig,
    pretrained: SequenceEncoder | None,
    labelled: LabelledStudy,
    settings: Mapping[str, Settings],
) -> SequencePredictor:
    base = build_encoder(shape, list(settings), settings)
    if pretrained is not None:
        learned = {name: value for name, value in pretrained.state_dict().items() if not name.startswith("objectives.")}
        base.load_state_dict({**base.state_dict(), **learned})
        logger.info("Loaded %d pre-trained tensors from %s.", len(learned), config.transfer.pretrained)
    return build_predictor(base, build_target(shape, labelled.target), (), config.transfer.freeze_base)


def _batch_maker(
    config: TrainConfig, labelled: LabelledStudy, resources: StudyResources, model: SequencePredictor
) -> BatchMaker:
    targets = {"target": batch_target(labelled.target, labelled.truth)}
    drawing = Drawing(labelled.depth, config.sampling.token_limit, config.training.seed)
    augmentations = augmentations_of(config.augmentation)
    vectors = None
    if config.transfer.freeze_base and config.augmentation.nucleotide_substitution is None:
        vectors = asv_vectors(model.base_model.asv_encoder, labelled.study, Cache(config.study.cache_dir))
    maker = BatchMaker(labelled.study, drawing, Masking(), targets, augmentations, vectors)
    return with_targets(maker, model.base_model.active_objectives(), config.objectives, resources)


def _batches(
    config: TrainConfig, model: SequencePredictor, maker: BatchMaker, held: np.ndarray, digest: str
) -> Composition:
    shape, training = model.base_model.config, config.training
    estimate = memory_estimate(model, shape, maker, training, config.transfer.freeze_base)
    return compose(maker, np.flatnonzero(~held), np.flatnonzero(held), estimate, training, digest)


def _validate(
    config: TrainConfig, model: SequencePredictor, description: ModelDescription, labelled: LabelledStudy
) -> dict[str, object]:
    """Predict the validation samples just as ``aam predict`` does, and write what it would."""
    rows = np.flatnonzero(labelled.held)
    study, truth, target = labelled.study.select_samples(rows), labelled.truth[rows], labelled.target
    reading = Reading(description.depth, Cache(config.study.cache_dir))
    reader, output = SampleReader(copy.deepcopy(model), description, reading), config.output.output_dir
    prediction = reader.predict(study)
    columns = prediction_columns(target, study.sample_ids, prediction)
    write_tsv(output / "validation_predictions.tsv", {**columns, "truth": truth_column(target, truth)})
    metrics = evaluate(target, prediction, truth)
    points = points_to_draw(config.training.validation_plot_samples, config.training.seed)
    draw_target(output / "plots" / "target.png", target, prediction, truth, metrics, points)
    return metrics
