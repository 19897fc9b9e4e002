"""Labelled samples: read, split into training and validation, and what is fitted on the training samples."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from aam.config.commands import LearningConfig, TrainConfig
from aam.config.target import Losses
from aam.data.rarefaction import drop_shallow_samples
from aam.data.study import Study
from aam.data.study_build import read_study
from aam.errors import SplitError, name_some
from aam.io.metadata import Metadata
from aam.labels.class_sizes import refuse_smallest_class
from aam.labels.classes.merging import Merged, merge_named, merged_in_turn, with_large_classes
from aam.labels.columns import label_samples, only_column
from aam.labels.covariate_checks import covariate_columns
from aam.labels.covariates import Covariates, fit_covariates
from aam.labels.groups import sample_groups, warn_of_divided_subjects
from aam.labels.head_inputs import (
    HeadInputs,
    head_inputs_of,
    named_columns,
    select_cells,
    warn_of_unknown_categories,
    warn_of_unknown_covariates,
    weigh_samples,
    with_output_scaling,
)
from aam.labels.sample_checks import warn_of_samples
from aam.labels.splits import EXCLUDED, TEST, TRAIN, VALIDATION, SampleSplit, split_labelled
from aam.labels.target import AnyTarget, JointTarget, TargetState, Task
from aam.labels.task import choose_task_of, encode_columns, fit_columns, read_losses, stratum_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelledSamples:
    """Samples with a value and enough reads, before anything is fitted on them.

    Attributes
    ----------
    study
        Reads of the samples.
    depth
        Reads drawn from each sample; None for all.
    values
        Columns to learn, one row per sample.
    columns
        Metadata columns that options name, by name, in the order of the samples.
    groups
        Group of each sample, such as its subject, [S].
    task
        Task as which the columns are learned.
    losses
        Losses from ``--loss-config``, by column.
    merged
        Name as which each class is learned that was merged.
    """

    study: Study
    depth: int | None
    values: pd.DataFrame
    columns: Mapping[str, pd.Series]
    groups: np.ndarray
    task: Task
    losses: Losses
    merged: Merged = field(default_factory=dict)

    @property
    def metadata(self) -> Metadata:
        """Metadata that hold the columns that options name, for a predictor."""
        return Metadata(pd.DataFrame(self.columns, index=self.values.index))

    def select(self, indices: np.ndarray) -> "LabelledSamples":
        """Return the samples with these indices, in the order of the indices."""
        if len(indices) == self.study.n_samples:
            return self
        return replace(
            self,
            study=self.study.select_samples(indices),
            values=self.values.iloc[indices],
            columns=select_cells(self.columns, indices),
            groups=self.groups[indices],
        )


@dataclass(frozen=True)
class LabelledStudy:
    """Training and validation samples, and what was fitted on the former; all arrays are in the order of ``samples``.

    Attributes
    ----------
    samples
        The training and validation samples.
    target
        The target, fitted on the training samples.
    covariates
        Metadata columns that the network reads beside the microbes, fitted on the training samples.
    truth
        Values in the target's own units, or class numbers, [S]; for several columns values, [S, K].
    head_inputs
        Inputs of the head beside the ASVs, with a row for each sample, by the name that they have in batches.
    is_validation
        True for validation samples, bool [S].
    indices
        Index of each sample among those that were split, some of which are not in ``samples``, int64 [S].
    split
        The split of all those samples.
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
        """Reads of the samples."""
        return self.samples.study

    @property
    def depth(self) -> int | None:
        """Reads drawn from each sample; None for all."""
        return self.samples.depth

    @property
    def training(self) -> np.ndarray:
        """Indices of the training samples in ``samples``, int64."""
        return np.flatnonzero(~self.is_validation)

    @property
    def validation(self) -> np.ndarray:
        """Indices of the validation samples in ``samples``, int64."""
        return np.flatnonzero(self.is_validation)

    def warn_of_unknown_cells(self) -> None:
        """Warn of samples whose categories or covariates are read as unknown, because no training sample has them."""
        warn_of_unknown_categories(self.target, self.samples.columns, self.study.n_samples)
        warn_of_unknown_covariates([(self.covariates, self.samples.columns)])


def fit_labels(config: LearningConfig, samples: LabelledSamples, split: np.ndarray) -> LabelledStudy:
    """Fit the target, its categories, weights and covariates to the training samples.

    Parameters
    ----------
    config
        Options of the target, its head and its covariates.
    samples, split
        The samples, and the part of the split that each is in, [S].

    Returns
    -------
    LabelledStudy
        The training samples, and the validation samples whose class a training sample has.

    Raises
    ------
    MetadataError, SplitError
        Nothing is left to train on or to validate.
    """
    is_training, columns, n_samples = split == TRAIN, samples.columns, samples.study.n_samples
    in_training = select_cells(columns, is_training)
    values = samples.values.iloc[np.flatnonzero(is_training)]
    target = fit_columns(values, samples.task, config.target, samples.losses, in_training)
    if isinstance(target, TargetState) and samples.merged:
        target = replace(target, merged=tuple(samples.merged.items()))
    target = with_output_scaling(target, config.network_head.output_scaling, in_training)
    weights = weigh_samples(config.network_head.sample_weights, columns, is_training)
    covariates = fit_covariates(config.covariates, in_training)
    truth = encode_columns(target, samples.values)
    in_use = _samples_in_use(split, truth, target)
    is_validation = split[in_use] == VALIDATION
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
        split=SampleSplit(samples.study.sample_ids, split),
    )


def _samples_in_use(split: np.ndarray, truth: np.ndarray, target: AnyTarget) -> np.ndarray:
    """Return the indices of the training and validation samples; log how many are left out, and why."""
    is_test = split == TEST
    if is_test.any():
        logger.info("Left out %d test samples; see 'aam evaluate' for them.", int(is_test.sum()))
    if isinstance(target, JointTarget):
        _require_validation(split, truth, target)
    is_unseen = np.zeros(len(split), dtype=bool)
    if target.task != "regression":
        is_unseen = (truth == -1) & (split == VALIDATION)
    if is_unseen.any():
        logger.warning("Left out %d validation samples whose class no training sample has.", int(is_unseen.sum()))
    if not ((split == VALIDATION) & ~is_unseen).any():
        raise SplitError(
            f"No validation sample has a class of {target.column} that a training sample has, so that nothing can be validated. "
            "Choose another split or column: each class needs groups on both sides."
        )
    return np.flatnonzero(~is_test & ~is_unseen & (split != EXCLUDED))


def _require_validation(split: np.ndarray, truth: np.ndarray, target: JointTarget) -> None:
    has_value = ~np.isnan(truth[split == VALIDATION]).T
    missing = [name for name, is_present in zip(target.columns, has_value, strict=True) if not is_present.any()]
    if missing:
        raise SplitError(
            f"No validation sample has a value of {name_some(missing)}, so that it cannot be validated. Choose another split, "
            "or leave the column out."
        )


@dataclass(frozen=True)
class LabelledTable:
    """The samples that have a value in a column to learn, before any is dropped or held out.

    Attributes
    ----------
    study
        Reads of the samples.
    metadata
        All rows and columns of the metadata.
    values
        Columns to learn, one row per sample.
    task
        Task as which the columns are learned.
    table_ids
        Names of all samples of the table.
    losses
        Losses from ``--loss-config``, by column.
    merged
        Name as which each class is learned that ``--merge-classes`` names.
    """

    study: Study
    metadata: Metadata
    values: pd.DataFrame
    task: Task
    table_ids: Sequence[str]
    losses: Losses
    merged: Merged


def read_labelled(config: TrainConfig, max_bp: int) -> LabelledTable:
    """Read a study and the columns to learn.

    Parameters
    ----------
    config
        Options of training.
    max_bp
        Most nucleotides that are read of a sequence.

    Returns
    -------
    LabelledTable
        The samples with a value in a column to learn.

    Raises
    ------
    TableError, SequenceError, MetadataError
        A file is missing or malformed, they do not fit together, or the column cannot be learned.
    """
    study = read_study(config.study, max_bp)
    table_ids = study.sample_ids
    study, metadata, values = label_samples(config.label, study)
    values, merged = merge_named(values, config.target)
    losses = read_losses(config)
    task = choose_task_of(values, config, losses)
    return LabelledTable(study, metadata, values, task, table_ids, losses, merged)


def divide(config: TrainConfig, labelled: LabelledTable, depth: int | None) -> LabelledStudy:
    """Drop samples with too few reads, split the others, and fit the target to the training samples.

    Parameters
    ----------
    config
        Options of training.
    labelled
        The samples with a value in a column to learn.
    depth
        Least reads of a sample that is kept, and reads that are drawn from each; None for all.

    Returns
    -------
    LabelledStudy
        The training and validation samples.

    Raises
    ------
    TableError, MetadataError, SplitError
        Nothing is left to train on or to validate.
    """
    logger.info("Rarefaction: %s.", "none" if depth is None else f"{depth:,} reads per sample")
    study, metadata, task = drop_shallow_samples(labelled.study, depth), labelled.metadata, labelled.task
    sample_ids, names = list(study.sample_ids), config.label.metadata_column
    values = labelled.values.loc[sample_ids]
    groups, merged = sample_groups(metadata, sample_ids, config.split.group_column, names), labelled.merged
    if task == "regression":
        refuse_smallest_class(config.target.smallest_class, " ".join(names))
    else:
        cells, kept, small = with_large_classes(only_column(values), groups, config.split.group_column, config.target)
        study, values, groups = study.select_samples(kept), pd.DataFrame({names[0]: cells}), groups[kept]
        sample_ids, merged = list(study.sample_ids), merged_in_turn(merged, small)
    stratum = stratum_of(values, task, config.target)
    split = split_labelled(study, groups, stratum, metadata, labelled.table_ids, config.split, config.training)
    warn_of_samples(study, metadata, values, split, config.split.split)
    if config.split.group_column is None:
        warn_of_divided_subjects(metadata, sample_ids, split, config.split.split, names)
    columns = named_columns(config.category_columns, metadata, sample_ids, names)
    columns |= covariate_columns(config.covariates, metadata, values, config.split.group_column)
    samples = LabelledSamples(study, depth, values, columns, groups, task, labelled.losses, merged)
    labelled_study = fit_labels(config, samples, split)
    labelled_study.warn_of_unknown_cells()
    return labelled_study
