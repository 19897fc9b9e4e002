"""``aam predict``, ``aam embed`` and ``aam evaluate``: use a trained model on a table."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from aam.config.commands import EmbedConfig, EvaluateConfig, InferenceConfig, PredictConfig
from aam.config.study import StudyConfig
from aam.config.training import DEFAULT_PLOT_SAMPLES
from aam.data.rarefaction import drop_shallow_samples
from aam.data.read_checks import TO_PREDICT, warn_of_cut
from aam.data.study import Study
from aam.data.study_build import read_study
from aam.errors import ConfigError, name_some
from aam.inference.metrics import evaluate_predicted
from aam.inference.network import PredictOptions
from aam.inference.new_samples import warn_of_new_samples
from aam.inference.predictor import Predictor, open_predictor, target_of
from aam.io.metadata import read_metadata, write_tsv
from aam.labels.columns import label_samples, warn_of_probable_missing_values
from aam.labels.new_samples import truth_of
from aam.labels.target import AnyTarget, JointTarget, TargetState
from aam.labels.task_choice import require_numbers
from aam.runs.results import (
    EVALUATION_RESULTS,
    draw_target,
    points_to_draw,
    prediction_columns,
    summarise,
    truth_columns,
    write_metrics,
)
from aam.storage.cache import Cache
from aam.storage.output import check_output_directory, check_output_file, start_output_directory, write_options_beside

logger = logging.getLogger(__name__)


def predict(config: PredictConfig) -> None:
    """Run ``aam predict``."""
    check_output_file(config)
    predictor = open_predictor(config.inference.model, prediction_options(config.inference, config.study))
    target = target_of(predictor, str(config.inference.model))
    study = read_new(config.study, predictor)
    study = drop_shallow_samples(study, predictor.depth)
    missing = predictor.description.options.get("missing-values", ())
    metadata = None if config.metadata is None else read_metadata(config.metadata, missing)
    warn_of_new_samples(predictor, study, metadata)
    predictor.warn_of_unknown_cells(metadata, study)
    predicted = predictor.predict(study, metadata)
    if metadata is not None and not predictor.columns_read:
        logger.warning("--metadata has no effect: the model reads no column of it.")
    columns = prediction_columns(target, study.sample_ids, predicted.values)
    write_tsv(config.output.output, {**columns, **predicted.columns})
    write_options_beside(config)
    logger.info("Predicted %s of %d samples: %s", target.column, study.n_samples, config.output.output)


def embed(config: EmbedConfig) -> None:
    """Run ``aam embed``."""
    check_output_file(config)
    predictor = open_predictor(config.inference.model, prediction_options(config.inference, config.study))
    names = [f"dim{k + 1}" for k in range(predictor.n_dimensions)]
    study = read_new(config.study, predictor)
    study = drop_shallow_samples(study, predictor.embedding_depth)
    warn_of_new_samples(predictor, study)
    vectors = predictor.embed(study)
    write_tsv(config.output.output, {"sample-id": study.sample_ids, **dict(zip(names, vectors.T, strict=True))})
    write_options_beside(config)
    logger.info("Embedded %d samples in %d dimensions: %s", *vectors.shape, config.output.output)


def evaluate(config: EvaluateConfig) -> None:
    """Run ``aam evaluate``."""
    output = config.output.output_dir
    check_output_directory(config)
    predictor = open_predictor(config.inference.model, prediction_options(config.inference, config.study))
    target = target_of(predictor, str(config.inference.model))
    study = read_new(config.study, predictor)
    shown = _checked_against(target, config.label.metadata_column)
    study, metadata, values = label_samples(config.label, study)
    for _, cells in values.items():
        if target.task == "regression":
            require_numbers(cells.dropna(), f"the model predicts the number {target.column}", "another column")
        warn_of_probable_missing_values("--metadata-column", cells.dropna())
    study = drop_shallow_samples(study, predictor.depth)
    kept, truth = truth_of(target, values.loc[list(study.sample_ids)])
    study = study.select_samples(kept)
    warn_of_new_samples(predictor, study, metadata, is_scored=True)
    predictor.warn_of_unknown_cells(metadata, study)
    predicted = predictor.predict(study, metadata)
    start_output_directory(config, EVALUATION_RESULTS)
    columns = prediction_columns(target, study.sample_ids, predicted.values)
    truths = truth_columns(target, truth)
    write_tsv(output / "predictions.tsv", {**columns, **predicted.columns, **truths})
    metrics = evaluate_predicted(target, predicted, truth)
    write_metrics(output, metrics)
    points = points_to_draw(DEFAULT_PLOT_SAMPLES, predictor.description.seed)
    draw_target(output / "plots" / "target.png", shown, predicted.values, truth, metrics, points)
    logger.info("%s: %s.", shown.column, summarise(metrics, target))
    logger.info("Results: %s", output)


def prediction_options(config: InferenceConfig, study: StudyConfig) -> PredictOptions:
    """Return the options of prediction that the flags of a command give."""
    return PredictOptions(
        cache=Cache(study.cache_dir),
        depth=None if config.rarefy_depth == "none" else config.rarefy_depth,
        batch_size=config.batch_size,
        precision=config.precision,
        passes=config.prediction_passes,
    )


def read_new(config: StudyConfig, predictor: Predictor) -> Study:
    """Read a table for a model, and compare its sequences with those of training."""
    study = read_study(config, predictor.max_bp, predictor.sketch)
    warn_of_cut(study, TO_PREDICT)
    return study


def _checked_against(target: AnyTarget, names: Sequence[str]) -> AnyTarget:
    """Return the target with the compared column in its name if that differs; refuse columns that match no prediction."""
    if isinstance(target, TargetState) and len(names) > 1:
        raise ConfigError(
            f"--metadata-column has {len(names)} columns, and the model predicts one, {target.column}: pass the one to "
            "compare with."
        )
    unknown = [name for name in names if isinstance(target, JointTarget) and name not in target.columns]
    if unknown:
        raise ConfigError(
            f"--metadata-column {name_some(unknown)}: the model predicts {target.column}. Pass one or several of these columns, by "
            "these names."
        )
    if isinstance(target, JointTarget) or names[0] == target.column:
        return target
    logger.warning(
        "The model predicts %s, and is compared with %s: are they the same, in the same unit?", target.column, names[0]
    )
    return replace(target, column=f"{target.column} (compared with {names[0]})")
