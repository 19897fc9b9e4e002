"""``aam train``: learn to predict a metadata column."""

import copy
import dataclasses
import logging
from collections.abc import Mapping

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
from aam.data.rarefaction import resolve_depth
from aam.data.target import batch_target
from aam.ecology.resources import StudyResources
from aam.errors import ModelError
from aam.inference.asv_vectors import asv_vectors
from aam.inference.kernel_model import KernelModel
from aam.inference.model_directory import ModelDescription, build_target, load_model, save_model
from aam.inference.read_samples import Reading, SampleReader
from aam.io.cache import Cache
from aam.io.output_directory import check_output_directory, start_output_directory
from aam.models.build import build_encoder, build_predictor
from aam.models.sequence_encoder import SequenceEncoder
from aam.models.sequence_predictor import SequencePredictor
from aam.objectives.unlabelled import Settings
from aam.pipelines.composing import Composition, compose, memory_estimate
from aam.pipelines.head_options import SHAPE, choose_head
from aam.pipelines.labelled import LabelledStudy, divide, read_labelled
from aam.pipelines.objectives import settle_objectives, with_targets
from aam.pipelines.records import summarise, write_metrics, write_splits
from aam.pipelines.resources import read_resources
from aam.pipelines.train_kernel import Pretrained, train_kernel_head
from aam.pipelines.validation import validate
from aam.training.balancing import LossBalance
from aam.training.calibration import CALIBRATION_SAMPLES, calibrate_encoder, calibrate_head, calibrate_objectives
from aam.training.fit import WRITTEN, fit
from aam.training.module import TrainingModule
from aam.training.resources import BatchReport

logger = logging.getLogger(__name__)

RESULTS = ("model", "metrics.json", "metrics.tsv", "splits.tsv", "validation_predictions.tsv")


def train(config: TrainConfig) -> None:
    """Run the command."""
    check_output_directory(config)
    pretrained = _load_pretrained(config)
    shape = config.model if pretrained is None else _shape_of(pretrained[0], config.model)
    samples = read_labelled(config, shape.max_bp)
    if choose_head(config, samples.study.n_samples) == "kernel":
        train_kernel_head(config, shape, pretrained, divide(config, samples, None), [*WRITTEN, *RESULTS])
    else:
        depth = resolve_depth(config.sampling.rarefy_depth, samples.study.depths)
        _train_network(config, shape, None if pretrained is None else pretrained[0], divide(config, samples, depth))


def _train_network(
    config: TrainConfig, shape: ModelConfig, pretrained: SequenceEncoder | None, labelled: LabelledStudy
) -> None:
    output = config.output.output_dir
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
    reading = Reading(description.depth, Cache(config.study.cache_dir))
    metrics = validate(config, SampleReader(copy.deepcopy(model), description, reading), labelled)
    metrics |= {"epochs": summary.epochs, "best_epoch": summary.best_epoch}
    write_metrics(output, metrics)
    save_model(output / "model", model, dataclasses.replace(description, metrics=metrics))
    logger.info("Validation of %s: %s.", labelled.target.column, summarise(metrics, labelled.target))
    logger.info("Model: %s", output / "model")


def _load_pretrained(config: TrainConfig) -> Pretrained | None:
    if config.transfer.pretrained is None:
        return None
    model, description = load_model(config.transfer.pretrained)
    encoder = model.base_model if isinstance(model, SequencePredictor | KernelModel) else model
    if encoder is None:
        raise ModelError(
            f"--pretrained {config.transfer.pretrained} is a kernel head without a pre-trained encoder. Pass the --output-dir of "
            "'aam pretrain', or leave --pretrained out."
        )
    return encoder, description


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
