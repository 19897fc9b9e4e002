"""Splits of samples into training, validation and test: one function per kind of split."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from aam.config.study import SplitConfig
from aam.config.training import TrainingConfig
from aam.data.study import Study
from aam.errors import SplitError, name_some
from aam.io.ids.advice import mismatch
from aam.io.label_files import read_split_file
from aam.io.metadata import Metadata
from aam.labels.columns import class_names
from aam.labels.stratified import fold_numbers, hold_out

logger = logging.getLogger(__name__)


TRAIN, VALIDATION, TEST = "train", "validation", "test"

EXCLUDED = "apart"
"""Part of a split for samples that are in neither training, validation nor test."""


@dataclass(frozen=True)
class SampleSplit:
    """A split of samples into the parts ``train``, ``validation``, ``test`` and `EXCLUDED`.

    Attributes
    ----------
    sample_ids
        Names of the samples, [S].
    split
        Name of the part that each sample is in, [S].
    """

    sample_ids: Sequence[str]
    split: np.ndarray

    def indices(self, part: str) -> np.ndarray:
        """Return the indices of the samples in a part, increasing, int64."""
        return np.flatnonzero(self.split == part)


@dataclass(frozen=True)
class Candidates:
    """Samples that are to be split.

    Attributes
    ----------
    sample_ids
        Names of the samples, [S].
    groups
        Group of each sample, [S]; a sample without a group is a group of its own.
    stratum
        Number of the class or bin of each sample, int64 [S].
    studies
        Name of the study of each sample, [S], empty where unknown; None if the split does not depend on studies.
    assigned
        Part of the split by sample, from ``--split-file``; None without a file.
    known_ids
        Names of all samples of the table, including those that are not in use.
    """

    sample_ids: Sequence[str]
    groups: np.ndarray
    stratum: np.ndarray
    studies: np.ndarray | None = None
    assigned: Mapping[str, str] | None = None
    known_ids: Sequence[str] = ()


def split_samples(candidates: Candidates, config: SplitConfig, fraction: float, seed: int) -> np.ndarray:
    """Split samples as the options say.

    Parameters
    ----------
    candidates
        The samples.
    config
        Kind of split, and its options.
    fraction
        Fraction of the samples that validate, for the kinds of split that choose them at random.
    seed
        Seed of the random choice.

    Returns
    -------
    np.ndarray
        `TRAIN`, `VALIDATION` or `TEST` for each sample, [S].

    Raises
    ------
    SplitError
        The samples cannot be divided so, or a side would hold fewer than two samples.
    """
    split = STRATEGIES[config.split](candidates, config, fraction, seed)
    for part in (TRAIN, VALIDATION):
        n = int((split == part).sum())
        if n < 2:
            raise SplitError(
                f"--split {config.split} gives {n} of {len(split):,} samples to {part}; at least 2 are needed for training and 2 "
                "for validation. Choose another split, or add samples."
            )
    return split


def divided_groups(groups: np.ndarray, split: np.ndarray) -> list[str]:
    """Return the names of the groups that are in more than one part of a split, sorted.

    Parameters
    ----------
    groups, split
        Group of each sample, and the part or fold that it is in, [S].
    """
    pairs = sorted({(str(group), str(part)) for group, part in zip(groups, split, strict=True)})
    names = [group for group, _ in pairs]
    return sorted({group for group, following in pairwise(names) if group == following})


def _as_split(is_validation: np.ndarray) -> np.ndarray:
    return np.where(is_validation, VALIDATION, TRAIN)


def _stratified(candidates: Candidates, config: SplitConfig, fraction: float, seed: int) -> np.ndarray:
    return _as_split(hold_out(candidates.groups, candidates.stratum, fraction, seed))


def _grouped(candidates: Candidates, config: SplitConfig, fraction: float, seed: int) -> np.ndarray:
    return _as_split(hold_out(candidates.groups, np.zeros_like(candidates.stratum), fraction, seed))


def _random(candidates: Candidates, config: SplitConfig, fraction: float, seed: int) -> np.ndarray:
    groups = np.arange(len(candidates.sample_ids))
    return _as_split(hold_out(groups, np.zeros_like(groups), fraction, seed))


def _leave_one_study_out(candidates: Candidates, config: SplitConfig, fraction: float, seed: int) -> np.ndarray:
    assert candidates.studies is not None, "the pipeline reads --study-column"
    is_validation = candidates.studies == config.held_out_study
    if not is_validation.any():
        names = sorted({str(study) for study in candidates.studies} - {""})
        raise SplitError(
            f"--held-out-study {config.held_out_study}: no sample in use has it in {config.study_column}. Its studies: "
            f"{name_some(names, 10) or 'none'}."
        )
    return _as_split(is_validation)


def _one_fold(candidates: Candidates, config: SplitConfig, fraction: float, seed: int) -> np.ndarray:
    assert config.folds is not None, "the config requires --folds"
    return _as_split(fold_numbers(candidates.groups, candidates.stratum, config.folds, seed) == config.fold)


def _from_file(candidates: Candidates, config: SplitConfig, fraction: float, seed: int) -> np.ndarray:
    assigned = candidates.assigned
    assert assigned is not None, "the pipeline reads --split-file"
    known_ids = frozenset(candidates.known_ids)
    unknown = [sample for sample in assigned if sample not in known_ids]
    if unknown:
        raise SplitError(
            f"{len(unknown):,} of {len(assigned):,} samples in --split-file {config.split_file} are not in the table: "
            f"{name_some(unknown)}. Remove them, or pass the split of this table. {_difference(candidates, config)}"
        )
    unlisted = [sample for sample in candidates.sample_ids if sample not in assigned]
    if unlisted:
        raise SplitError(
            f"{len(unlisted):,} of {len(candidates.sample_ids):,} samples are not in --split-file {config.split_file}: "
            f"{name_some(unlisted)}. Add a row for each: train, validation, or test to leave it out. "
            f"{_difference(candidates, config)}"
        )
    return np.array([assigned[sample] for sample in candidates.sample_ids])


def _difference(candidates: Candidates, config: SplitConfig) -> str:
    assert config.split_file is not None, "the config requires --split-file"
    return mismatch(candidates.known_ids, candidates.assigned or {}, "The file", (config.split_file, "first column"))


STRATEGIES: dict[str, Callable[[Candidates, SplitConfig, float, int], np.ndarray]] = {
    "stratified": _stratified,
    "random": _random,
    "grouped": _grouped,
    "leave-one-study-out": _leave_one_study_out,
    "k-fold": _one_fold,
    "file": _from_file,
}
"""Function of each kind of split, by the value of ``--split``."""


def split_labelled(
    study: Study,
    groups: np.ndarray,
    stratum: np.ndarray,
    metadata: Metadata,
    table_ids: Sequence[str],
    config: SplitConfig,
    training: TrainingConfig,
) -> np.ndarray:
    """Split labelled samples; warn of groups that are in more than one part.

    Parameters
    ----------
    study, groups, stratum
        Samples in use, and the group and the number of the class or bin of each, [S].
    metadata
        The metadata, which hold the column of the studies.
    table_ids
        Names of all samples of the table.
    config, training
        Options of the split, and of training, which has the fraction and the seed.

    Returns
    -------
    np.ndarray
        `TRAIN`, `VALIDATION` or `TEST` for each sample, [S].
    """
    candidates = Candidates(
        sample_ids=study.sample_ids,
        groups=groups,
        stratum=stratum,
        studies=None
        if config.study_column is None
        else _studies(metadata, config.study_column, list(study.sample_ids)),
        assigned=_assigned(config),
        known_ids=table_ids,
    )
    split = split_samples(candidates, config, training.validation_fraction, training.seed)
    divided = divided_groups(groups, split)
    if divided:
        logger.warning(
            "%d of %d groups of %s are in more than one part of --split %s, so that validation looks better than it is: %s.",
            len(divided), len(set(groups)), config.group_column, config.split,
            name_some([group.removeprefix("group ") for group in divided]),
        )  # fmt: skip
    return split


def split_unlabelled(
    study: Study, table_ids: Sequence[str], config: SplitConfig, training: TrainingConfig
) -> np.ndarray:
    """Split samples without labels.

    Parameters
    ----------
    study
        Samples in use.
    table_ids
        Names of all samples of the table.
    config, training
        Options of the split, and of training, which has the fraction and the seed.

    Returns
    -------
    np.ndarray
        `TRAIN`, `VALIDATION` or `TEST` for each sample, [S].

    Raises
    ------
    SplitError
        The samples cannot be divided so, or a side would hold fewer than two samples.
    """
    candidates = Candidates(
        sample_ids=study.sample_ids,
        groups=np.arange(study.n_samples),
        stratum=np.zeros(study.n_samples, dtype=np.int64),
        assigned=_assigned(config),
        known_ids=table_ids,
    )
    return split_samples(candidates, config, training.validation_fraction, training.seed)


def _assigned(config: SplitConfig) -> dict[str, str] | None:
    return None if config.split_file is None else read_split_file(config.split_file, config.fold)


def _studies(metadata: Metadata, column: str, sample_ids: list[str]) -> np.ndarray:
    """Return the name of each sample's study, [S], empty for samples without a study, of which it warns."""
    values = metadata.column(column).reindex(sample_ids)
    has_study = values.notna().to_numpy()
    if not has_study.all():
        missing = [sample for sample, is_known in zip(sample_ids, has_study, strict=True) if not is_known]
        logger.warning("%d samples have no %s and are trained on: %s.", len(missing), column, name_some(missing))
    return np.where(has_study, class_names(values), "")
