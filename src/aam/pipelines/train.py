"""``aam train``: learn to predict a metadata column."""

import copy
import dataclasses
import logging

import numpy as np

from aam.config.commands import TrainConfig
from aam.data.rarefaction import drop_shallow_samples, resolve_depth
from aam.data.splits import TEST, TRAIN, VALIDATION, strata
from aam.data.target import TargetState, choose_task, fit_target
from aam.errors import SplitError
from aam.inference.metrics import evaluate
from aam.inference.model_directory import ModelDescription, save_model
from aam.inference.read_samples import Reading, SampleReader
from aam.io.cache import Cache
from aam.io.output_directory import check_output_directory, start_output_directory
from aam.io.table_tsv import write_tsv
from aam.models.sequence_predictor import SequencePredictor
from aam.pipelines.groups import sample_groups, warn_of_divided_subjects
from aam.pipelines.labels import label_samples
from aam.pipelines.network import LabelledStudy, fit_network, load_pretrained, plan_network, shape_of
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
from aam.pipelines.splitting import split_labelled
from aam.training.fit import WRITTEN

logger = logging.getLogger(__name__)

RESULTS = ("model", "metrics.json", "metrics.tsv", "splits.tsv", "validation_predictions.tsv")


def train(config: TrainConfig) -> None:
    """Run the command."""
    output = config.output.output_dir
    check_output_directory(config)
    pretrained = load_pretrained(config.transfer.pretrained)
    shape = config.model if pretrained is None else shape_of(pretrained, config.model)
    labelled = _prepare(config, shape.max_bp)
    network = plan_network(config, shape, pretrained, labelled)
    start_output_directory(dataclasses.replace(config, model=shape), [*WRITTEN, *RESULTS])
    write_splits(output / "splits.tsv", labelled.split_ids, labelled.split_parts)
    summary = fit_network(network, output)
    model, description = network.model, network.description
    metrics = _validate(config, model, description, labelled)
    metrics |= {"epochs": summary.epochs, "best_epoch": summary.best_epoch}
    write_metrics(output, metrics)
    save_model(output / "model", model, dataclasses.replace(description, metrics=metrics))
    logger.info("Validation of %s: %s.", labelled.target.column, summarise(metrics, labelled.target))
    logger.info("Model: %s", output / "model")


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
