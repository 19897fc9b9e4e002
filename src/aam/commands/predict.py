"""``aam predict``, ``aam embed`` and ``aam evaluate``: use a trained model on a table."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from aam.config.commands import EmbedConfig, EvaluateConfig, InferenceConfig, PredictConfig
from aam.config.study import StudyConfig
from aam.config.training import DEFAULT_PLOT_SAMPLES
from aam.data.rarefaction import drop_shallow_samples
from aam.data.study import Study
from aam.data.study_build import read_study
from aam.errors import ConfigError, MetadataError, ModelError, name_some
from aam.inference.description import ModelDescription
from aam.inference.ensemble import EnsemblePredictor, NetworkEnsemble
from aam.inference.kernel import KernelModel, KernelPredictor
from aam.inference.metrics import evaluate_predicted
from aam.inference.model_directory import load_model
from aam.inference.network import NetworkPredictor, PredictOptions
from aam.io.metadata import Metadata, read_metadata, write_tsv
from aam.labels.columns import label_samples, warn_of_probable_missing_values
from aam.labels.covariate_checks import covariate_inputs_of_new_samples
from aam.labels.predicted import Predicted
from aam.labels.target import AnyTarget, JointTarget, TargetState
from aam.labels.task import encode_columns, require_numbers
from aam.labels.weights import head_inputs_of_new_samples
from aam.notices import quiet
from aam.runs.results import draw_target, points_to_draw, prediction_columns, summarise, truth_columns, write_metrics
from aam.storage.cache import Cache
from aam.storage.output import check_output_directory, check_output_file, start_output_directory, write_options_beside

logger = logging.getLogger(__name__)


AnyPredictor = NetworkPredictor | KernelPredictor | EnsemblePredictor

EVALUATION_RESULTS = (
    "metrics.json", "metrics.tsv", "predictions.tsv", "plots",
    "folds.tsv", "results.tsv", "summary.tsv", "summary.png", "summary.md",
)  # fmt: skip
"""What the command writes in either of its forms, so that the one leaves nothing of the other behind."""


def predict(config: PredictConfig) -> None:
    """Run the command."""
    check_output_file(config)
    reader, study, description = _open(config.inference, config.study)
    target = description.target
    assert target is not None
    study = drop_shallow_samples(study, reader.depth)
    metadata = None if config.metadata is None else read_metadata(config.metadata)
    predicted, reads_metadata = _predicted(reader, description, metadata, study)
    if metadata is not None and not reads_metadata:
        logger.warning("--metadata has no effect: the model reads no column of it.")
    columns = prediction_columns(target, study.sample_ids, predicted.values)
    write_tsv(config.output.output, {**columns, **predicted.columns})
    write_options_beside(config)
    logger.info("Predicted %s of %d samples: %s", target.column, study.n_samples, config.output.output)


def embed(config: EmbedConfig) -> None:
    """Run the command."""
    check_output_file(config)
    reader, study = _open_encoder(config.inference, config.study)
    study = drop_shallow_samples(study, reader.depth)
    vectors = reader.sample_vectors(study)
    columns = {f"dim{k + 1}": vectors[:, k] for k in range(vectors.shape[1])}
    write_tsv(config.output.output, {"sample-id": study.sample_ids, **columns})
    write_options_beside(config)
    logger.info("Embedded %d samples in %d dimensions: %s", *vectors.shape, config.output.output)


def evaluate(config: EvaluateConfig) -> None:
    """Run the command."""
    output = config.output.output_dir
    check_output_directory(config)
    reader, study, description = _open(config.inference, config.study)
    target = description.target
    assert target is not None
    shown = _checked_against(target, config.label.metadata_column)
    study, metadata, values = label_samples(config.label, study)
    for _, cells in values.items():
        if target.task == "regression":
            require_numbers(cells.dropna(), f"the model predicts the number {target.column}", "another column")
        warn_of_probable_missing_values("--metadata-column", cells.dropna())
    study = drop_shallow_samples(study, reader.depth)
    study, truth = _known_classes(target, study, encode_columns(target, values.loc[list(study.sample_ids)]))
    predicted, _ = _predicted(reader, description, metadata, study)
    start_output_directory(config, EVALUATION_RESULTS)
    columns = prediction_columns(target, study.sample_ids, predicted.values)
    truths = truth_columns(target, truth)
    write_tsv(output / "predictions.tsv", {**columns, **predicted.columns, **truths})
    metrics = evaluate_predicted(target, predicted, truth)
    write_metrics(output, metrics)
    points = points_to_draw(DEFAULT_PLOT_SAMPLES, description.seed)
    draw_target(output / "plots" / "target.png", shown, predicted.values, truth, metrics, points)
    logger.info("%s: %s.", shown.column, summarise(metrics, target))
    logger.info("Results: %s", output)


def _predicted(
    reader: AnyPredictor, description: ModelDescription, metadata: Metadata | None, study: Study
) -> tuple[Predicted, bool]:
    """Predict samples; say whether the model reads anything of them beside their reads."""
    if not isinstance(reader, EnsemblePredictor):
        head_inputs = _head_inputs(description, metadata, study)
        return reader.predicted(study, head_inputs), bool(head_inputs)
    of_each = [_head_inputs(reader.descriptions[0], metadata, study)]
    with quiet():  # what there is to say of the samples was said
        of_each += [_head_inputs(one, metadata, study) for one in reader.descriptions[1:]]
    return reader.predicted(study, of_each), any(of_each)


def _head_inputs(description: ModelDescription, metadata: Metadata | None, study: Study) -> dict[str, np.ndarray]:
    """Give what the model must know of samples beside their reads."""
    assert description.target is not None
    sample_ids = list(study.sample_ids)
    head_inputs = head_inputs_of_new_samples(description.target, metadata, sample_ids)
    return head_inputs | covariate_inputs_of_new_samples(description.conditions, metadata, sample_ids)


def _open(config: InferenceConfig, study_config: StudyConfig) -> tuple[AnyPredictor, Study, ModelDescription]:
    """Open a model that has a target, and the study."""
    model, description = load_model(config.model)
    if description.target is None:
        raise ModelError(
            f"{config.model} is a pre-trained encoder without a target. Fine-tune it first: aam train --pretrained "
            f"{config.model} …, or use aam embed."
        )
    study = read_study(study_config, description.model.max_bp)
    if isinstance(model, KernelModel):
        _say_kernels_read_as_trained(config)
        as_trained = replace(config, rarefy_depth="model", prediction_passes=1)
        return KernelPredictor(model, description, _reading(as_trained, study_config, description)), study, description
    if isinstance(model, NetworkEnsemble):
        return EnsemblePredictor(model, description, _reading(config, study_config, description)), study, description
    return NetworkPredictor(model, description, _reading(config, study_config, description)), study, description


def _say_kernels_read_as_trained(config: InferenceConfig) -> None:
    is_given = {
        "--rarefy-depth": config.rarefy_depth != "model",
        "--prediction-passes": config.prediction_passes > 1,
    }
    flags = " and ".join(flag for flag, given in is_given.items() if given)
    if flags:
        logger.warning("No effect on a kernel head, which reads samples as it was trained to: %s.", flags)


def _open_encoder(
    config: InferenceConfig, study_config: StudyConfig
) -> tuple[NetworkPredictor | EnsemblePredictor, Study]:
    """Open the part of a model that gives vectors, and the study."""
    model, description = load_model(config.model)
    if isinstance(model, NetworkEnsemble):
        reader = EnsemblePredictor(model, description, _reading(config, study_config, description))
        return reader, read_study(study_config, description.model.max_bp)
    encoder = model.base_model if isinstance(model, KernelModel) else model
    if encoder is None:
        raise ModelError(
            f"{config.model} is a kernel head without a pre-trained encoder, and has no vectors of samples. Pass the --output-dir "
            "of 'aam pretrain', or of an 'aam train' with --pretrained."
        )
    options = _reading(config, study_config, description)
    return NetworkPredictor(encoder, description, options), read_study(study_config, description.model.max_bp)


def _reading(config: InferenceConfig, study_config: StudyConfig, description: ModelDescription) -> PredictOptions:
    depth = {"model": description.depth, "none": None}.get(str(config.rarefy_depth), config.rarefy_depth)
    if depth is None and config.prediction_passes > 1:
        logger.warning("--prediction-passes has no effect where all reads are used: pass --rarefy-depth N.")
    passes = 1 if depth is None else config.prediction_passes
    return PredictOptions(depth, Cache(study_config.cache_dir), config.batch_size, config.precision, passes)  # type: ignore[arg-type]


def _checked_against(target: AnyTarget, names: Sequence[str]) -> AnyTarget:
    """Refuse columns that cannot be told which prediction they belong to; name a column of another name beside the target's."""
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


def _known_classes(target: AnyTarget, study: Study, truth: np.ndarray) -> tuple[Study, np.ndarray]:
    if target.task == "regression" or (truth >= 0).all():
        return study, truth
    kept = np.flatnonzero(truth >= 0)
    if not len(kept):
        raise MetadataError(
            f"No sample has one of the classes that the model knows: {name_some(target.classes)}. Check --metadata-column."
        )
    logger.warning("Left out %d samples whose class the model does not know.", study.n_samples - len(kept))
    return study.select_samples(kept), truth[kept]
