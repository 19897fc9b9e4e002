"""``aam explain``: which organisms drive a model's predictions."""

import logging

import numpy as np
import pandas as pd

from aam.commands.predict import prediction_options, read_new
from aam.config.explain import ExplainConfig
from aam.config.study import LabelConfig
from aam.data.rarefaction import drop_shallow_samples
from aam.data.study import Study
from aam.errors import ConfigError, InputError
from aam.explanation.findings import Compared, explain_samples
from aam.explanation.held_out import HeldOutSamples
from aam.explanation.network.explain_network import NETWORK_RESULTS, check_network, explain_network
from aam.explanation.nuisance import DEPTH
from aam.explanation.results.summary import EXPLANATION_RESULTS, PLOTS
from aam.inference.new_samples import is_trained_on
from aam.inference.predictor import Predictor, open_predictor, target_of
from aam.io.metadata import Metadata, read_metadata
from aam.labels.columns import label_samples
from aam.labels.groups import sample_groups
from aam.labels.new_samples import truth_of
from aam.labels.target import JointTarget, TargetState
from aam.runs.resources import read_tree
from aam.storage.cache import Cache
from aam.storage.output import check_output_directory, start_output_directory

logger = logging.getLogger(__name__)

FEWEST_SAMPLES = 4
"""Least number of samples that are explained."""


def explain(config: ExplainConfig) -> None:
    """Run ``aam explain``."""
    check_output_directory(config)
    predictor = open_predictor(config.inference.model, prediction_options(config.inference, config.study))
    target = target_of(predictor, str(config.inference.model))
    if isinstance(target, JointTarget):
        raise ConfigError(
            f"The model predicts several columns, {target.column}, and one is explained at a time: train a model of one of them."
        )
    study = drop_shallow_samples(read_new(config.study, predictor), predictor.depth)
    tree_path = config.tree.tree
    tree = None if tree_path is None else read_tree(tree_path, study, Cache(config.study.cache_dir), config.tree.root)
    check_network(predictor, config.network)
    study, samples, metadata = _samples(config, predictor, target, study)
    directory = config.output.output_dir
    start_output_directory(config, (*EXPLANATION_RESULTS, *NETWORK_RESULTS))
    (directory / PLOTS).mkdir()
    scores = explain_network(predictor, study, metadata, config.network, directory, directory / PLOTS)
    compared = Compared(scores=scores)
    explain_samples(samples, study, tree, config.tree.taxonomy, config.explanation, directory, compared)
    logger.info("Results: %s", directory)


def _samples(
    config: ExplainConfig, predictor: Predictor, target: TargetState, study: Study
) -> tuple[Study, HeldOutSamples, Metadata | None]:
    """Return the samples that are explained, with their truth if it is known and without those of training, and their metadata."""
    labels = config.labels
    metadata, truth = None, None
    if labels.metadata is not None and labels.metadata_column:
        study, metadata, values = label_samples(_label_config(config), study)
        kept, truth = truth_of(target, values)
        study = study.select_samples(kept)
    elif labels.metadata is not None:
        metadata = read_metadata(labels.metadata, labels.missing_values)
    unseen = _unseen(config, predictor, study)
    study, truth = study.select_samples(unseen), np.zeros(len(unseen)) if truth is None else truth[unseen]
    ids = list(study.sample_ids)
    groups = np.array(ids)
    if metadata is not None:
        groups = sample_groups(metadata, ids, labels.group_column, labels.metadata_column)
    models = [(predictor.as_function(study, metadata), np.arange(study.n_samples))]
    nuisance = _nuisance(config, metadata, study)
    samples = HeldOutSamples(target, ids, study.feature_ids, truth, groups, models, nuisance)
    if labels.metadata_column:
        return study, samples, metadata
    logger.warning(
        "Without --metadata and --metadata-column it is not known whether predictions are right: what they depend on is said, and "
        "not how well."
    )
    return study, HeldOutSamples.without_truth(samples), metadata


def _label_config(config: ExplainConfig) -> LabelConfig:
    labels = config.labels
    assert labels.metadata is not None, "the column is only with the file"
    return LabelConfig(
        metadata=labels.metadata,
        metadata_column=labels.metadata_column,
        missing_samples=labels.missing_samples,
        missing_values=labels.missing_values,
    )


def _unseen(config: ExplainConfig, predictor: Predictor, study: Study) -> np.ndarray:
    """Return the rows of the samples that the model was not trained on, or of all if these are asked for; say which it is.

    Raises
    ------
    InputError
        Too few are left.
    """
    is_known = is_trained_on(predictor.description, study)
    n_known, n_samples = int(is_known.sum()), study.n_samples
    if config.training_samples:
        if n_known:
            logger.warning(
                "%d of %d samples were used to train the model: what is said of it is partly what it has learned by heart.",
                n_known, n_samples,
            )  # fmt: skip
        is_known = np.zeros(n_samples, dtype=bool)
    if n_samples - is_known.sum() < FEWEST_SAMPLES:
        raise InputError(
            f"{n_samples - is_known.sum()} samples are left, and at least {FEWEST_SAMPLES} are needed: the model was trained on "
            f"{n_known} of {n_samples}, and importance is asked of samples that it has not seen. Pass other samples; or run "
            "'aam crossval --explain', which explains each sample by a model that never saw it; or pass --training-samples to "
            "explain them all the same."
        )
    if is_known.any():
        logger.info("Left out %d of %d samples, on which the model was trained.", n_known, n_samples)
    return np.flatnonzero(~is_known)


def _nuisance(config: ExplainConfig, metadata: Metadata | None, study: Study) -> dict[str, pd.Series]:
    ids = list(study.sample_ids)
    columns = {DEPTH: pd.Series(study.depths.astype(float), index=ids, name=DEPTH)}
    for name in config.explanation.nuisance_columns:
        assert metadata is not None, "the option is only with labels"
        columns[name] = metadata.column(name).reindex(ids)
    return columns
