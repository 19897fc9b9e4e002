"""From files and labels to the samples that a model is trained and validated on, and what is learned from those to train on."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from aam.config.commands import LearningConfig, TrainConfig
from aam.config.target import Losses
from aam.data.rarefaction import drop_shallow_samples
from aam.data.study import Study
from aam.data.study_build import read_study
from aam.errors import SplitError, name_some
from aam.io.metadata import Metadata
from aam.labels.columns import label_samples
from aam.labels.covariate_checks import covariate_columns
from aam.labels.covariates import Covariates, fit_covariates
from aam.labels.groups import sample_groups, warn_of_divided_subjects
from aam.labels.head_inputs import (
    HeadInputs,
    head_inputs_of,
    named_columns,
    rows_of,
    scaled_by,
    warn_of_unknown_categories,
    warn_of_unknown_covariates,
)
from aam.labels.splits import EXCLUDED, TEST, TRAIN, VALIDATION, SampleSplit, split_labelled
from aam.labels.target import AnyTarget, JointTarget, Task
from aam.labels.task import choose_task_of, encode_columns, fit_columns, read_losses, stratum_of
from aam.labels.weights import weights_of

logger = logging.getLogger(__name__)


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
        Columns to learn, one row per sample.
    columns
        Metadata columns that options name, by name, in the order of the samples.
    groups
        Subject of each sample, [S].
    task
        How the columns are learned.
    losses
        Losses of the columns that a file gives one.
    """

    study: Study
    depth: int | None
    values: pd.DataFrame
    columns: Mapping[str, pd.Series]
    groups: np.ndarray
    task: Task
    losses: Losses

    @property
    def metadata(self) -> Metadata:
        """The columns that options name, as a predictor reads them."""
        return Metadata(pd.DataFrame(self.columns, index=self.values.index))

    def select(self, indices: np.ndarray) -> "LabelledSamples":
        """Return some of the samples, in the order given."""
        if len(indices) == self.study.n_samples:
            return self
        return replace(
            self,
            study=self.study.select_samples(indices),
            values=self.values.iloc[indices],
            columns=rows_of(self.columns, indices),
            groups=self.groups[indices],
        )


@dataclass(frozen=True)
class LabelledStudy:
    """Samples to train on and to validate, and what was fitted on the former; every array is in the order of the samples.

    Attributes
    ----------
    samples
        The samples.
    target
        What was fitted on the training samples.
    covariates
        Columns of the metadata that the network reads beside the microbes, fitted on the training samples.
    truth
        Values in own units or class numbers, [S]; of several columns values, [S, K].
    head_inputs
        What the head must know of each sample, [S], by the name that batches give it.
    is_validation
        True for validation samples, [S].
    indices
        Number of each sample among those that were divided, of whom some are left out, [S].
    split
        The part of these samples and of those left out, such as those of a test.
    """

    samples: LabelledSamples
    target: AnyTarget
    covariates: Covariates
    truth: np.ndarray
    head_inputs: HeadInputs
    is_validation: np.ndarray
    indices: np.ndarray
    split: SampleSplit

    @property
    def study(self) -> Study:
        """The samples' reads."""
        return self.samples.study

    @property
    def depth(self) -> int | None:
        """Reads drawn from each sample; None for all."""
        return self.samples.depth

    @property
    def training(self) -> np.ndarray:
        """Numbers of the training samples."""
        return np.flatnonzero(~self.is_validation)

    @property
    def validation(self) -> np.ndarray:
        """Numbers of the validation samples."""
        return np.flatnonzero(self.is_validation)

    def warn_of_unknown_cells(self) -> None:
        """Warn of samples whose cells of categories and covariates are read as unknown, as training has none like them."""
        warn_of_unknown_categories(self.target, self.samples.columns, self.study.n_samples)
        warn_of_unknown_covariates([(self.covariates, self.samples.columns)])


def fit_labels(config: LearningConfig, samples: LabelledSamples, sample_parts: np.ndarray) -> LabelledStudy:
    """Fit the target's scale, its classes, categories and weights to the samples that are trained on.

    Parameters
    ----------
    config
        Options of the target, its head and its covariates.
    samples, sample_parts
        The samples, and the part of each, [S].

    Raises
    ------
    MetadataError, SplitError
        Nothing is left to train on or to validate.
    """
    is_training, columns, n_samples = sample_parts == TRAIN, samples.columns, samples.study.n_samples
    in_training = rows_of(columns, is_training)
    values = samples.values.iloc[np.flatnonzero(is_training)]
    target = fit_columns(values, samples.task, config.target, samples.losses, in_training)
    target = scaled_by(target, config.network_head.output_scaling, in_training)
    weights = weights_of(config.network_head.sample_weights, columns, is_training)
    covariates = fit_covariates(config.covariates, in_training)
    truth = encode_columns(target, samples.values)
    in_use = _samples_in_use(sample_parts, truth, target)
    is_validation = sample_parts[in_use] == VALIDATION
    logger.info(
        "%s of %s: %d training and %d validation samples.",
        samples.task.capitalize(), target.column, int((~is_validation).sum()), int(is_validation.sum()),
    )  # fmt: skip
    head_inputs = head_inputs_of(target, covariates, columns, n_samples) | weights
    return LabelledStudy(
        samples=samples.select(in_use),
        target=target,
        covariates=covariates,
        truth=truth[in_use],
        head_inputs={name: values[in_use] for name, values in head_inputs.items()},
        is_validation=is_validation,
        indices=in_use,
        split=SampleSplit(samples.study.sample_ids, sample_parts),
    )


def _samples_in_use(sample_parts: np.ndarray, truth: np.ndarray, target: AnyTarget) -> np.ndarray:
    """Return the numbers of the samples to train on and to validate; log how many are left out, and why."""
    is_test = sample_parts == TEST
    if is_test.any():
        logger.info("Left out %d test samples; see 'aam evaluate' for them.", int(is_test.sum()))
    if isinstance(target, JointTarget):
        _require_validation(sample_parts, truth, target)
    is_unseen = np.zeros(len(sample_parts), dtype=bool)
    if target.task != "regression":
        is_unseen = (truth == -1) & (sample_parts == VALIDATION)
    if is_unseen.any():
        logger.warning("Left out %d validation samples whose class no training sample has.", int(is_unseen.sum()))
    if not ((sample_parts == VALIDATION) & ~is_unseen).any():
        raise SplitError(
            f"No validation sample has a class of {target.column} that a training sample has, so that nothing can be validated. "
            "Choose another split or column: each class needs groups on both sides."
        )
    return np.flatnonzero(~is_test & ~is_unseen & (sample_parts != EXCLUDED))


def _require_validation(sample_parts: np.ndarray, truth: np.ndarray, target: JointTarget) -> None:
    has_value = ~np.isnan(truth[sample_parts == VALIDATION])
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
    sample_parts = split_labelled(study, groups, stratum, metadata, labelled.table_ids, config.split, config.training)
    if config.split.group_column is None:
        warn_of_divided_subjects(metadata, sample_ids, sample_parts, config.split.split, names)
    columns = named_columns(config.category_columns, metadata, sample_ids, names)
    columns |= covariate_columns(config.covariates, metadata, values, config.split.group_column)
    samples = LabelledSamples(study, depth, values, columns, groups, task, labelled.losses)
    labelled_study = fit_labels(config, samples, sample_parts)
    labelled_study.warn_of_unknown_cells()
    return labelled_study
