"""The samples over which methods are compared, and their folds."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd

from aam.config.crossval import CrossvalConfig, FoldsConfig
from aam.config.target import Losses
from aam.data.rarefaction import drop_shallow_samples, fixed_rarefaction
from aam.data.study import Study
from aam.data.study_build import read_study
from aam.errors import ConfigError, SplitError, name_some
from aam.io.ids.advice import mismatch
from aam.io.label_files import read_fold_file
from aam.io.metadata import Metadata
from aam.labels.class_sizes import refuse_smallest_class
from aam.labels.classes.merging import merge_named, with_large_classes
from aam.labels.columns import label_samples, only_column
from aam.labels.covariate_checks import covariate_columns
from aam.labels.groups import sample_groups, warn_of_divided_subjects
from aam.labels.head_inputs import named_columns
from aam.labels.sample_checks import warn_of_samples
from aam.labels.splits import divided_groups
from aam.labels.stratified import fold_numbers, strata
from aam.labels.target import TargetState, fit_target, without_transform
from aam.labels.task import choose_task_of, read_losses

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fold:
    """One fold of one repeat.

    Attributes
    ----------
    repeat
        Number of the repeat, from 0.
    number
        Number of the fold, from 0.
    train, test
        Indices of the training and the held-out samples, int64.
    """

    repeat: int
    number: int
    train: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class CrossvalSamples:
    """Samples with a value and enough reads, and their folds.

    Attributes
    ----------
    study
        Reads of the samples.
    values
        Values of the samples in the metadata column.
    target
        Task, and classes of all samples, for tables and scores; no method learns from it.
    truth, groups
        Value or class number, and group, of each sample, [S].
    folds
        Number of each sample's fold in each repeat, int64 [R, S].
    fold_names
        Name of each fold.
    columns
        Metadata columns that options name, by name, in the order of the samples.
    losses
        Loss of the column from ``--loss-config``, if there is one.
    nuisance
        Columns of ``--nuisance-columns``, by name, in the order of the samples.
    """

    study: Study
    values: pd.Series
    target: TargetState
    truth: np.ndarray
    groups: np.ndarray
    folds: np.ndarray
    fold_names: list[str]
    columns: Mapping[str, pd.Series] = field(default_factory=dict)
    losses: Losses = field(default_factory=dict)
    nuisance: Mapping[str, pd.Series] = field(default_factory=dict)

    @property
    def metadata(self) -> Metadata:
        """Metadata that hold the columns that options name, for a predictor."""
        return Metadata(pd.DataFrame(self.columns, index=self.values.index))

    def name_of(self, fold: Fold) -> str:
        """Return the name of a fold in messages, with its repeat if there are several."""
        name = f"fold {self.fold_names[fold.number]}"
        return name if len(self.folds) == 1 else f"{name} of repeat {fold.repeat + 1}"

    def __iter__(self) -> Iterator[Fold]:
        """Yield every fold of every repeat."""
        for repeat, fold_of_sample in enumerate(self.folds):
            for number in np.unique(fold_of_sample).tolist():
                is_held_out = fold_of_sample == number
                yield Fold(repeat, number, np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out))


def read_crossval_samples(config: CrossvalConfig) -> CrossvalSamples:
    """Read the study and its labels, and assign the samples to folds.

    Raises
    ------
    InputError
        A file cannot be read or does not fit the others, or the samples cannot be divided into such folds.
    """
    study = read_study(config.study, config.model.max_bp)
    table_ids = study.sample_ids
    if len(config.label.metadata_column) > 1:
        raise ConfigError(
            f"--folds compares methods that predict one column, and --metadata-column has {len(config.label.metadata_column)}: "
            "pass one of them at a time."
        )
    study, metadata, cells = label_samples(config.label, study)
    cells, _ = merge_named(cells, config.target)
    values = only_column(cells)
    losses = read_losses(config)
    task = choose_task_of(cells, config, losses)
    rarefaction = fixed_rarefaction(config.sampling, config.training.seed)
    study = drop_shallow_samples(study, None if rarefaction is None else rarefaction.depth)
    sample_ids = list(study.sample_ids)
    values = values.loc[sample_ids]
    groups = sample_groups(metadata, sample_ids, config.folds.group_column, config.label.metadata_column)
    if task == "regression":
        refuse_smallest_class(config.target.smallest_class, str(values.name))
    else:
        values, kept, _ = with_large_classes(values, groups, config.folds.group_column, config.target)
        study, groups = study.select_samples(kept), groups[kept]
        sample_ids = list(study.sample_ids)
    columns = named_columns(config.category_columns, metadata, sample_ids, config.label.metadata_column)
    columns |= covariate_columns(config.covariates, metadata, cells.loc[sample_ids], config.folds.group_column)
    target = fit_target(values, task, without_transform(config.target))
    truth = target.encode(values)
    if config.folds.fold_file is None:
        folds, names = _draw_folds(config.folds, groups, truth, config.training.seed)
    else:
        folds, names = _read_folds(config.folds, sample_ids, frozenset(table_ids))
    warn_of_samples(study, metadata, cells.loc[sample_ids], folds[0], "k-fold")
    if config.folds.group_column is None:
        warn_of_divided_subjects(metadata, sample_ids, folds[0].astype(str), "k-fold", config.label.metadata_column)
    nuisance = {name: metadata.column(name).reindex(sample_ids) for name in config.explanation.nuisance_columns}
    samples = CrossvalSamples(study, values, target, truth, groups, folds, names, columns, losses, nuisance)
    _check(samples, config.folds)
    return samples


def _draw_folds(config: FoldsConfig, groups: np.ndarray, truth: np.ndarray, seed: int) -> tuple[np.ndarray, list[str]]:
    """Return the number of each sample's fold in each repeat, int64 [R, S], and the names of the folds."""
    assert config.folds is not None, "the config has one of --folds and --fold-file"
    stratum = strata(truth)
    folds = [fold_numbers(groups, stratum, config.folds, seed + repeat) for repeat in range(config.repeats)]
    return np.stack(folds), [str(fold) for fold in range(config.folds)]


def _read_folds(config: FoldsConfig, sample_ids: list[str], table_ids: frozenset[str]) -> tuple[np.ndarray, list[str]]:
    """Return the number of each sample's fold, int64 [1, S], and the names of the folds."""
    assert config.fold_file is not None, "the config has one of --folds and --fold-file"
    assigned = read_fold_file(config.fold_file)
    difference = partial(mismatch, sorted(table_ids), assigned, "The file", (config.fold_file, "first column"))
    unknown = [sample for sample in assigned if sample not in table_ids]
    if unknown:
        raise SplitError(
            f"{len(unknown):,} of {len(assigned):,} samples in --fold-file {config.fold_file} are not in the table: "
            f"{name_some(unknown)}. Remove them, or pass the folds of this table. {difference()}"
        )
    unlisted = [sample for sample in sample_ids if sample not in assigned]
    if unlisted:
        raise SplitError(
            f"{len(unlisted):,} of {len(sample_ids):,} samples are not in --fold-file {config.fold_file}: "
            f"{name_some(unlisted)}. Add a row for each, or take them out of the table. {difference()}"
        )
    names, number = np.unique([assigned[sample] for sample in sample_ids], return_inverse=True)
    return number[None, :].astype(np.int64), names.tolist()


def _check(samples: CrossvalSamples, config: FoldsConfig) -> None:
    """Refuse folds that divide groups or cannot be trained on; warn of those for which some scores are not defined."""
    option = f"--folds {config.folds}" if config.fold_file is None else f"--fold-file {config.fold_file}"
    groups, truth, with_one_value = samples.groups, samples.truth, []
    for fold_of_sample in samples.folds:
        divided = divided_groups(groups, fold_of_sample)
        if divided:
            raise SplitError(
                f"{option} puts {len(divided)} of {len(set(groups))} groups of --group-column {config.group_column} into several "
                f"folds: {name_some(divided)}. Move each into one fold, or leave --group-column out if they may be divided."
            )
    for fold in samples:
        name = samples.fold_names[fold.number]
        if len(np.unique(groups[fold.train])) < 2:
            raise SplitError(
                f"{option} leaves the samples of one group only to train on while fold {name} is held out."
            )
        if len(np.unique(truth[fold.train])) < 2:
            raise SplitError(
                f"{option} leaves samples of one value only, {samples.values.iloc[fold.train[0]]!r}, to train on while "
                f"fold {name} is held out. Choose another --seed, other folds, or another column."
            )
        if len(np.unique(truth[fold.test])) < 2:
            with_one_value.append(f"{name} of repeat {fold.repeat + 1}")
    if with_one_value:
        logger.warning(
            "Held-out samples of one value only in %d of %d folds, so that some of their scores are not defined and stay empty; "
            "pooled scores are of all samples: %s.",
            len(with_one_value), sum(1 for _ in samples), name_some(with_one_value),
        )  # fmt: skip
