"""From files and labels to the samples that a model is trained and validated on, and what is learned from those to train on."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from aam.config.commands import TrainConfig
from aam.config.target import Losses
from aam.data.rarefaction import drop_shallow_samples
from aam.data.study import Study
from aam.data.study_build import read_study
from aam.errors import SplitError, name_some
from aam.io.metadata import Metadata
from aam.labels.columns import label_samples
from aam.labels.covariate_checks import covariate_columns, covariate_inputs, say_unknown
from aam.labels.covariates import Covariates, fit_covariates
from aam.labels.groups import sample_groups, warn_of_divided_subjects
from aam.labels.splits import TEST, TRAIN, VALIDATION, split_labelled
from aam.labels.target import AnyTarget, JointTarget, Task
from aam.labels.task import choose_task_of, encode_columns, fit_columns, read_losses, stratum_of
from aam.labels.weights import HeadInputs, head_inputs_of, named_columns, rows_of, scaled_by, weights_of

logger = logging.getLogger(__name__)


EXCLUDED = "apart"
"""Part of samples that are neither trained on, nor validate, nor are left for a test."""


@dataclass(frozen=True)
class LabelledSamples:
    """Samples with a value and enough reads, of which nothing was learned yet.

    Attributes
    ----------
    study
        The samples.
    depth
        Reads drawn from each; None for all.
    values
        Of the columns to learn.
    columns
        Of the metadata that options name, by name.
    groups
        Subject of each, [S].
    task
        How the columns are learned.
    losses
        How columns are learned of which a file says so.
    """

    study: Study
    depth: int | None
    values: pd.DataFrame
    columns: Mapping[str, pd.Series]
    groups: np.ndarray
    task: Task
    losses: Losses

    def head_inputs(self, target: AnyTarget, conditions: Covariates, rows: np.ndarray) -> HeadInputs:
        """Give what a head must know of some samples beside their reads, to predict them."""
        columns = rows_of(self.columns, rows)
        return head_inputs_of(target, columns, len(rows)) | covariate_inputs(conditions, columns)


@dataclass(frozen=True)
class LabelledStudy:
    """Samples ready for training.

    Attributes
    ----------
    study
        Samples with a value and enough reads.
    depth
        Reads drawn from each; None for all.
    target
        What was fitted on the training samples.
    truth
        Values in own units or class numbers, [S]; of several columns values, [S, K].
    groups
        Subject of each, [S].
    held
        True for validation samples, [S].
    parts
        Part of each sample of the pool; of those left for a test, too.
    head_inputs
        What the head must know of each sample in use, [S], by the name that batches give it.
    conditions
        Columns of the metadata that the network reads beside the microbes, fitted on the training samples.
    pool, rows
        Where they are from, and which of its samples they are.
    """

    study: Study
    depth: int | None
    target: AnyTarget
    truth: np.ndarray
    groups: np.ndarray
    held: np.ndarray
    parts: np.ndarray
    head_inputs: HeadInputs
    conditions: Covariates
    pool: LabelledSamples
    rows: np.ndarray


def fit_labels(config: TrainConfig, pool: LabelledSamples, parts: np.ndarray) -> LabelledStudy:
    """Learn the target's scale, its classes, categories and weights from the samples that are trained on.

    Parameters
    ----------
    config
        In which units, and by which categories.
    pool, parts
        The samples, and the part of each.

    Raises
    ------
    MetadataError, SplitError
        Nothing is left to train on or to validate.
    """
    is_training, columns, n_samples = parts == TRAIN, pool.columns, pool.study.n_samples
    training = rows_of(columns, is_training)
    target = fit_columns(pool.values.iloc[np.flatnonzero(is_training)], pool.task, config.target, pool.losses, training)
    target = scaled_by(target, config.network_head.output_scaling, training)
    head_inputs = head_inputs_of(target, columns, n_samples)
    head_inputs |= weights_of(config.network_head.sample_weights, columns, is_training)
    conditions = fit_covariates(config.conditioning, training)
    say_unknown([(conditions, rows_of(columns, is_training | (parts == VALIDATION)))])
    head_inputs |= covariate_inputs(conditions, columns)
    truth = encode_columns(target, pool.values)
    rows = _rows_in_use(parts, truth, target)
    held = parts[rows] == VALIDATION
    logger.info(
        "%s of %s: %d training and %d validation samples.",
        pool.task.capitalize(), target.column, int((~held).sum()), int(held.sum()),
    )  # fmt: skip
    in_use = pool.study if len(rows) == n_samples else pool.study.select_samples(rows)
    chosen = {name: fact[rows] for name, fact in head_inputs.items()}
    return LabelledStudy(
        in_use, pool.depth, target, truth[rows], pool.groups[rows], held, parts, chosen, conditions, pool, rows
    )


def _rows_in_use(parts: np.ndarray, truth: np.ndarray, target: AnyTarget) -> np.ndarray:
    """Leave out samples that are apart, those of a test, and those to validate whose class cannot be predicted; say how many."""
    is_test = parts == TEST
    if is_test.any():
        logger.info("Left out %d test samples; see 'aam evaluate' for them.", int(is_test.sum()))
    if isinstance(target, JointTarget):
        _require_validation(parts, truth, target)
    is_unseen = np.zeros(len(parts), dtype=bool)
    if target.task != "regression":
        is_unseen = (truth == -1) & (parts == VALIDATION)
    if is_unseen.any():
        logger.warning("Left out %d validation samples whose class no training sample has.", int(is_unseen.sum()))
    if not ((parts == VALIDATION) & ~is_unseen).any():
        raise SplitError(
            f"No validation sample has a class of {target.column} that a training sample has, so that nothing can be validated. "
            "Choose another split or column: each class needs groups on both sides."
        )
    return np.flatnonzero(~is_test & ~is_unseen & (parts != EXCLUDED))


def _require_validation(parts: np.ndarray, truth: np.ndarray, target: JointTarget) -> None:
    has_value = ~np.isnan(truth[parts == VALIDATION])
    missing = [name for name, known in zip(target.columns, has_value.T, strict=True) if not known.any()]
    if missing:
        raise SplitError(
            f"No validation sample has a value of {name_some(missing)}, so that it cannot be validated. Choose another split, "
            "or leave the column out."
        )


@dataclass(frozen=True)
class LabelledTable:
    """The samples that have a value of a column, before any is dropped or held out.

    Attributes
    ----------
    study
        Those samples.
    metadata, values
        All columns, and those to learn.
    task
        How it is learned.
    table_ids
        All samples of the table.
    losses
        How columns are learned of which a file says so.
    """

    study: Study
    metadata: Metadata
    values: pd.DataFrame
    task: Task
    table_ids: Sequence[str]
    losses: Losses


def read_labelled(config: TrainConfig, max_bp: int) -> LabelledTable:
    """Read a study and the columns to learn.

    Raises
    ------
    TableError, SequenceError, MetadataError
        A file is missing or malformed, they do not fit together, or the column cannot be learned.
    """
    study = read_study(config.study, max_bp)
    table_ids = study.sample_ids
    study, metadata, values = label_samples(config.label, study)
    losses = read_losses(config)
    return LabelledTable(study, metadata, values, choose_task_of(values, config, losses), table_ids, losses)


def divide(config: TrainConfig, labelled: LabelledTable, depth: int | None) -> LabelledStudy:
    """Drop the samples with fewer reads than ``depth``, hold some out, and learn the target's scale from the others.

    Raises
    ------
    TableError, MetadataError, SplitError
        Nothing is left to train on or to validate.
    """
    logger.info("Rarefaction: %s.", "none" if depth is None else f"{depth:,} reads per sample")
    study, metadata, task = drop_shallow_samples(labelled.study, depth), labelled.metadata, labelled.task
    sample_ids, names = list(study.sample_ids), config.label.metadata_column
    values = labelled.values.loc[sample_ids]
    groups = sample_groups(metadata, sample_ids, config.split.group_column, names)
    stratum = stratum_of(values, task, config.target)
    parts = split_labelled(study, groups, stratum, metadata, labelled.table_ids, config.split, config.training)
    if config.split.group_column is None:
        warn_of_divided_subjects(metadata, sample_ids, parts, config.split.split, names)
    columns = named_columns(config.category_columns, metadata, sample_ids, names)
    columns |= covariate_columns(config.conditioning, metadata, values, config.split.group_column)
    return fit_labels(config, LabelledSamples(study, depth, values, columns, groups, task, labelled.losses), parts)
