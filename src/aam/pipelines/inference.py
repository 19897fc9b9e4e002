"""``aam predict``, ``aam embed`` and ``aam evaluate``: use a trained model on a table."""

import logging
from pathlib import Path

import numpy as np

from aam.config.commands import EmbedConfig, EvaluateConfig, InferenceConfig, PredictConfig
from aam.config.study import StudyConfig
from aam.config.training import DEFAULT_PLOT_SAMPLES
from aam.data.cells import warn_of_suspects
from aam.data.rarefaction import drop_shallow_samples
from aam.data.study import Study
from aam.data.target import TargetState, require_numbers
from aam.errors import MetadataError, ModelError, name_some
from aam.inference.metrics import evaluate as compute_metrics
from aam.inference.model_directory import load_model
from aam.inference.read_samples import Reading, SampleReader
from aam.io.cache import Cache
from aam.io.output_directory import check_output_directory, start_output_directory
from aam.io.output_file import check_output_file, write_options_beside
from aam.io.table_tsv import write_tsv
from aam.pipelines.labels import label_samples
from aam.pipelines.reading import read_study
from aam.pipelines.records import (
    draw_target,
    points_to_draw,
    prediction_columns,
    summarise,
    truth_column,
    write_metrics,
)

logger = logging.getLogger(__name__)

EVALUATION_RESULTS = (
    "metrics.json", "metrics.tsv", "predictions.tsv", "plots",
    "folds.tsv", "results.tsv", "summary.tsv", "summary.png", "summary.md",
)  # fmt: skip
"""What the command writes in either of its forms, so that the one leaves nothing of the other behind."""


def predict(config: PredictConfig) -> None:
    """Run the command."""
    check_output_file(config)
    reader, study, target = _open(config.inference, config.study)
    target = _require_target(target, config.inference.model)
    study = drop_shallow_samples(study, reader.drawing.depth)
    prediction = reader.predict(study)
    write_tsv(config.output.output, prediction_columns(target, study.sample_ids, prediction))
    write_options_beside(config)
    logger.info("Predicted %s of %d samples: %s", target.column, study.n_samples, config.output.output)


def embed(config: EmbedConfig) -> None:
    """Run the command."""
    check_output_file(config)
    reader, study, _ = _open(config.inference, config.study)
    study = drop_shallow_samples(study, reader.drawing.depth)
    vectors = reader.sample_vectors(study)
    columns = {f"dim{k + 1}": vectors[:, k] for k in range(vectors.shape[1])}
    write_tsv(config.output.output, {"sample-id": study.sample_ids, **columns})
    write_options_beside(config)
    logger.info("Embedded %d samples in %d dimensions: %s", *vectors.shape, config.output.output)


def evaluate(config: EvaluateConfig) -> None:
    """Run the command."""
    output = config.output.output_dir
    check_output_directory(config)
    reader, study, target = _open(config.inference, config.study)
    target = _require_target(target, config.inference.model)
    study, _, values = label_samples(config.label, study)
    if target.task == "regression":
        require_numbers(values, f"the model predicts the number {target.column}", "another column")
    warn_of_suspects("--metadata-column", values)
    study = drop_shallow_samples(study, reader.drawing.depth)
    study, truth = _known_classes(target, study, target.encode(values.loc[list(study.sample_ids)]))
    start_output_directory(config, EVALUATION_RESULTS)
    prediction = reader.predict(study)
    columns = prediction_columns(target, study.sample_ids, prediction)
    write_tsv(output / "predictions.tsv", {**columns, "truth": truth_column(target, truth)})
    metrics = compute_metrics(target, prediction, truth)
    write_metrics(output, metrics)
    points = points_to_draw(DEFAULT_PLOT_SAMPLES, reader.drawing.seed)
    draw_target(output / "plots" / "target.png", target, prediction, truth, metrics, points)
    logger.info("%s: %s.", target.column, summarise(metrics, target))
    logger.info("Results: %s", output)


def _open(config: InferenceConfig, study_config: StudyConfig) -> tuple[SampleReader, Study, TargetState | None]:
    model, description = load_model(config.model)
    depth = {"model": description.depth, "none": None}.get(str(config.rarefy_depth), config.rarefy_depth)
    study = read_study(study_config, description.model.max_bp)
    options = Reading(depth, Cache(study_config.cache_dir), config.batch_size, config.precision)  # type: ignore[arg-type]
    return SampleReader(model, description, options), study, description.target


def _require_target(target: TargetState | None, model: Path) -> TargetState:
    if target is None:
        raise ModelError(
            f"{model} is a pre-trained encoder without a target. Fine-tune it first: aam train --pretrained {model} …, "
            "or use aam embed."
        )
    return target


def _known_classes(target: TargetState, study: Study, truth: np.ndarray) -> tuple[Study, np.ndarray]:
    if target.task == "regression" or (truth >= 0).all():
        return study, truth
    kept = np.flatnonzero(truth >= 0)
    if not len(kept):
        raise MetadataError(
            f"No sample has one of the classes that the model knows: {name_some(target.classes)}. Check --metadata-column."
        )
    logger.warning("Left out %d samples whose class the model does not know.", study.n_samples - len(kept))
    return study.select_samples(kept), truth[kept]
