"""Which samples are trained on, which validate, and which are left for a test: one function per kind of split."""

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from aam.config.study import SplitConfig
from aam.config.training import TrainingConfig
from aam.data.rarefaction import generator
from aam.data.study import Study
from aam.errors import SplitError, count_of, name_some
from aam.io.label_files import read_split_file
from aam.io.metadata import Metadata
from aam.labels.columns import class_names

logger = logging.getLogger(__name__)


TRAIN, VALIDATION, TEST = "train", "validation", "test"

N_CANDIDATES = 200
"""Random splits that are drawn; the one whose two sides are most alike is kept."""

N_DEALS = 20
"""Random ways to deal groups out to folds, of which the one with the most even strata is kept; few, so that seeds differ."""

N_QUANTILES = 4
"""Bins of a numeric target that should be alike on both sides."""


EXCLUDED = "apart"
"""Part of samples that are neither trained on, nor validate, nor are left for a test."""


@dataclass(frozen=True)
class SampleSplit:
    """The part of each sample: ``train``, ``validation``, ``test``, or `EXCLUDED`.

    Attributes
    ----------
    sample_ids
        Ids of the samples.
    sample_parts
        Part of each, [S].
    """

    sample_ids: Sequence[str]
    sample_parts: np.ndarray

    def indices(self, part: str) -> np.ndarray:
        """Return the numbers of the samples of a part, in increasing order."""
        return np.flatnonzero(self.sample_parts == part)


@dataclass(frozen=True)
class Candidates:
    """What is known of the samples that are to be divided.

    Attributes
    ----------
    sample_ids
        S names.
    groups
        Group of each sample, [S]; samples of no group have one of their own.
    stratum
        Class or bin of each sample, int64 [S].
    studies
        Study of each sample, [S], empty where unknown; None where studies do not matter.
    assigned
        Part of each sample that a file lists; None without a file.
    known_ids
        Samples of the table, those that are not in use included.
    """

    sample_ids: Sequence[str]
    groups: np.ndarray
    stratum: np.ndarray
    studies: np.ndarray | None = None
    assigned: Mapping[str, str] | None = None
    known_ids: Sequence[str] = ()


def split_samples(candidates: Candidates, config: SplitConfig, fraction: float, seed: int) -> np.ndarray:
    """Divide samples as the user asked; give the part of each: `TRAIN`, `VALIDATION` or `TEST`, [S].

    Raises
    ------
    SplitError
        The samples cannot be divided so, or a side would hold fewer than two samples.
    """
    sample_parts = STRATEGIES[config.split](candidates, config, fraction, seed)
    for part in (TRAIN, VALIDATION):
        n = int((sample_parts == part).sum())
        if n < 2:
            raise SplitError(
                f"--split {config.split} gives {n} of {len(sample_parts):,} samples to {part}; at least 2 are needed for "
                "training and 2 for validation. Choose another split, or add samples."
            )
    return sample_parts


def divided_groups(groups: np.ndarray, sample_parts: np.ndarray) -> list[str]:
    """Name the groups that are in more than one part."""
    pairs = sorted({(str(group), str(part)) for group, part in zip(groups, sample_parts, strict=True)})
    names = [group for group, _ in pairs]
    return sorted({group for group, following in pairwise(names) if group == following})


def strata(values: np.ndarray) -> np.ndarray:
    """Number the classes, or the quantile bins of a numeric target, that both sides should hold alike; int64 [S]."""
    if values.dtype.kind == "f":
        edges = np.quantile(values, np.linspace(0, 1, N_QUANTILES + 1)[1:-1])
        return np.searchsorted(edges, values, side="right")
    return np.unique(values, return_inverse=True)[1]


def hold_out(groups: np.ndarray, stratum: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Choose the samples to hold out.

    Parameters
    ----------
    groups
        Group of each sample, [S]; a group is never divided.
    stratum
        Class or bin of each sample, int64 [S].
    fraction
        Share of the samples to hold out, as nearly as the groups allow.
    seed
        Fixes the choice.

    Returns
    -------
    bool [S], True for samples held out. At least two samples, and every class that can, stay on the training side.

    Raises
    ------
    SplitError
        There are fewer than two groups, or a side would hold fewer than two samples.
    """
    group = np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(group)
    if len(sizes) < 2 or len(group) < 4:
        raise SplitError(
            f"{_described(sizes)} cannot be split into training and validation samples: at least 4 samples and 2 groups are "
            f"needed. Pass a table with more samples{_or_groups(sizes)}."
        )
    stream = generator(seed, "split")
    best, best_score = None, np.inf
    for _ in range(N_CANDIDATES):
        is_held_out = _draw(group, sizes, fraction, stream)
        if not 2 <= is_held_out.sum() <= len(is_held_out) - 2:
            continue
        score = _difference(is_held_out, stratum, fraction)
        if score < best_score:
            best, best_score = is_held_out, score
        if best_score <= 0.5 / len(group):
            break  # as near to the fraction as whole samples allow, and as alike
    if best is None:
        raise SplitError(
            f"--validation-fraction {fraction} of {_described(sizes)} leaves fewer than two samples on one side. Choose another "
            f"fraction{_or_groups(sizes)}."
        )
    return best


def _described(sizes: np.ndarray) -> str:
    """Describe how many samples there are, and in how many groups if they are in groups."""
    groups = f" in {count_of(len(sizes), 'group')}" if sizes.max(initial=0) > 1 else ""
    return f"{count_of(sizes.sum(), 'sample')}{groups}"


def _or_groups(sizes: np.ndarray) -> str:
    """Offer other groups where there are groups."""
    return ", or another --group-column" if sizes.max(initial=0) > 1 else ""


def fold_numbers(groups: np.ndarray, stratum: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Number the fold of each sample, int64 [S]: whole groups, as alike in stratum as they allow.

    Raises
    ------
    SplitError
        There are fewer groups than folds.
    """
    group = np.unique(groups, return_inverse=True)[1]
    n_groups = int(group.max()) + 1
    if n_groups < folds:
        raise SplitError(f"--folds {folds} is more than there are groups of samples, {n_groups:,}. Choose fewer folds.")
    if np.bincount(stratum).max() < folds:
        stratum = np.zeros_like(stratum)  # strata too small to be spread over the folds
    if n_groups == len(group):
        return _spread_samples(stratum, folds, seed)
    stream = generator(seed, "folds")
    drawn = [_deal_groups(group, folds, stream) for _ in range(N_DEALS)]
    return min(drawn, key=lambda number: _unlikeness(number, stratum, folds))


def _spread_samples(stratum: np.ndarray, folds: int, seed: int) -> np.ndarray:
    from sklearn.model_selection import StratifiedKFold

    divide = StratifiedKFold(folds, shuffle=True, random_state=int(generator(seed, "folds").integers(2**31)))
    number = np.empty(len(stratum), dtype=np.int64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", category=UserWarning)
        for fold, (_, left_out) in enumerate(divide.split(stratum, stratum)):
            number[left_out] = fold
    return number


def _deal_groups(group: np.ndarray, folds: int, stream: np.random.Generator) -> np.ndarray:
    """Assign each group, in a random order, to the fold that is smallest so far."""
    sizes = np.bincount(group)
    fold_of, filled = np.empty(len(sizes), dtype=np.int64), np.zeros(folds, dtype=np.int64)
    for place, one in enumerate(stream.permutation(len(sizes))):
        fold_of[one] = place if place < folds else int(np.argmin(filled))
        filled[fold_of[one]] += sizes[one]
    return fold_of[group]


def _unlikeness(number: np.ndarray, stratum: np.ndarray, folds: int) -> float:
    """Measure how far the folds are from being alike in strata and size; a stratum that is in one fold alone counts ten times."""
    table = np.zeros((folds, int(stratum.max()) + 1))
    np.add.at(table, (number, stratum), 1)
    present = table[:, table.sum(axis=0) > 0]
    even = present.sum(axis=0) / folds
    n_alone = int((present.max(axis=0) == present.sum(axis=0)).sum())
    return float(np.abs(present - even).sum()) / len(number) + 10.0 * n_alone


def _named(is_held_out: np.ndarray) -> np.ndarray:
    return np.where(is_held_out, VALIDATION, TRAIN)


def _stratified(candidates: Candidates, config: SplitConfig, fraction: float, seed: int) -> np.ndarray:
    return _named(hold_out(candidates.groups, candidates.stratum, fraction, seed))


def _grouped(candidates: Candidates, config: SplitConfig, fraction: float, seed: int) -> np.ndarray:
    return _named(hold_out(candidates.groups, np.zeros_like(candidates.stratum), fraction, seed))


def _random(candidates: Candidates, config: SplitConfig, fraction: float, seed: int) -> np.ndarray:
    alone = np.arange(len(candidates.sample_ids))
    return _named(hold_out(alone, np.zeros_like(alone), fraction, seed))


def _leave_one_study_out(candidates: Candidates, config: SplitConfig, fraction: float, seed: int) -> np.ndarray:
    assert candidates.studies is not None, "the pipeline reads --study-column"
    is_held_out = candidates.studies == config.held_out_study
    if not is_held_out.any():
        found = sorted({str(study) for study in candidates.studies} - {""})
        raise SplitError(
            f"--held-out-study {config.held_out_study}: no sample in use has it in {config.study_column}. Its studies: "
            f"{name_some(found, 10) or 'none'}."
        )
    return _named(is_held_out)


def _one_fold(candidates: Candidates, config: SplitConfig, fraction: float, seed: int) -> np.ndarray:
    assert config.folds is not None, "the config requires --folds"
    return _named(fold_numbers(candidates.groups, candidates.stratum, config.folds, seed) == config.fold)


def _from_file(candidates: Candidates, config: SplitConfig, fraction: float, seed: int) -> np.ndarray:
    assigned = candidates.assigned
    assert assigned is not None, "the pipeline reads --split-file"
    known = frozenset(candidates.known_ids)
    unknown = [sample for sample in assigned if sample not in known]
    if unknown:
        raise SplitError(
            f"{len(unknown):,} of {len(assigned):,} samples in --split-file {config.split_file} are not in the table: "
            f"{name_some(unknown)}. Remove them, or pass the split of this table."
        )
    unlisted = [sample for sample in candidates.sample_ids if sample not in assigned]
    if unlisted:
        raise SplitError(
            f"{len(unlisted):,} of {len(candidates.sample_ids):,} samples are not in --split-file {config.split_file}: "
            f"{name_some(unlisted)}. Add a row for each: train, validation, or test to leave it out."
        )
    return np.array([assigned[sample] for sample in candidates.sample_ids])


STRATEGIES: dict[str, Callable[[Candidates, SplitConfig, float, int], np.ndarray]] = {
    "stratified": _stratified,
    "random": _random,
    "grouped": _grouped,
    "leave-one-study-out": _leave_one_study_out,
    "k-fold": _one_fold,
    "file": _from_file,
}
"""By the value of ``--split``."""


def _draw(group: np.ndarray, sizes: np.ndarray, fraction: float, stream: np.random.Generator) -> np.ndarray:
    order = stream.permutation(len(sizes))
    reached = np.cumsum(sizes[order])
    n_groups = int(np.argmin(np.abs(reached - fraction * len(group)))) + 1
    return np.isin(group, order[: min(n_groups, len(sizes) - 1)])


def _difference(is_held_out: np.ndarray, stratum: np.ndarray, fraction: float) -> float:
    n_strata = int(stratum.max()) + 1
    inside = np.bincount(stratum[is_held_out], minlength=n_strata)
    outside = np.bincount(stratum[~is_held_out], minlength=n_strata)
    imbalance = np.abs(inside / inside.sum() - outside / outside.sum()).sum()
    return abs(is_held_out.mean() - fraction) + imbalance + 10.0 * np.sum((outside == 0) & (inside > 0))


def split_labelled(
    study: Study,
    groups: np.ndarray,
    stratum: np.ndarray,
    metadata: Metadata,
    table_ids: Sequence[str],
    config: SplitConfig,
    training: TrainingConfig,
) -> np.ndarray:
    """Return the part of each sample, [S]; warn of groups that are in more than one.

    Parameters
    ----------
    study
        Samples in use.
    groups, stratum
        Group, and class or bin, of each.
    metadata
        Where studies are named.
    table_ids
        All samples of the table.
    config, training
        What the user asked for.
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
    sample_parts = split_samples(candidates, config, training.validation_fraction, training.seed)
    divided = divided_groups(groups, sample_parts)
    if divided:
        logger.warning(
            "%d of %d groups of %s are in more than one part of --split %s, so that validation looks better than it is: %s.",
            len(divided), len(set(groups)), config.group_column, config.split,
            name_some([group.removeprefix("group ") for group in divided]),
        )  # fmt: skip
    return sample_parts


def split_unlabelled(
    study: Study, table_ids: Sequence[str], config: SplitConfig, training: TrainingConfig
) -> np.ndarray:
    """Return the part of each sample, [S], where nothing but their ids is known."""
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
    """Name the study of each sample; samples without one, named with a warning, are of none."""
    values = metadata.column(column).reindex(sample_ids)
    known = values.notna().to_numpy()
    if not known.all():
        missing = [sample for sample, is_known in zip(sample_ids, known, strict=True) if not is_known]
        logger.warning("%d samples have no %s and are trained on: %s.", len(missing), column, name_some(missing))
    return np.where(known, class_names(values), "")
