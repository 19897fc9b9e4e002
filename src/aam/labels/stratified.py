"""Random choices of whole groups with even strata: samples to hold out, and folds."""

import warnings

import numpy as np

from aam.data.rarefaction import generator
from aam.errors import SplitError, count_of

N_CANDIDATES = 200
"""Random splits that are drawn; the one whose two sides are most similar is kept."""

N_DEALS = 20
"""Random assignments of groups to folds, of which that with the most even strata is kept; few, so that seeds differ."""

N_QUANTILES = 4
"""Quantile bins of a numeric target, whose frequencies should be similar on both sides."""


def strata(values: np.ndarray) -> np.ndarray:
    """Return the number of each sample's class, or of its quantile bin for a numeric target.

    Parameters
    ----------
    values
        Values of a numeric target, float [S], or class numbers or names, [S].

    Returns
    -------
    np.ndarray
        Number of the stratum, whose frequencies should be similar on all sides of a split; int64 [S].
    """
    if values.dtype.kind == "f":
        edges = np.quantile(values, np.linspace(0, 1, N_QUANTILES + 1)[1:-1])
        return np.searchsorted(edges, values, side="right")
    return np.unique(values, return_inverse=True)[1]


def hold_out(groups: np.ndarray, stratum: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Choose samples to hold out at random, with strata as similar on both sides as whole groups allow.

    Parameters
    ----------
    groups
        Group of each sample, [S]; a group is never divided.
    stratum
        Number of the class or bin of each sample, int64 [S].
    fraction
        Fraction of the samples to hold out, as nearly as the groups allow.
    seed
        Seed of the choice.

    Returns
    -------
    np.ndarray
        True for samples held out, bool [S]. At least two samples, and every class that can, stay on the training side.

    Raises
    ------
    SplitError
        There are fewer than two groups, or a side would hold fewer than two samples.
    """
    group = np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(group)
    if len(sizes) < 2 or len(group) < 4:
        raise SplitError(
            f"{_describe(sizes)} cannot be split into training and validation samples: at least 4 samples and 2 groups are "
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
            break  # as near to the fraction, and as similar, as whole samples allow
    if best is None:
        raise SplitError(
            f"--validation-fraction {fraction} of {_describe(sizes)} leaves fewer than two samples on one side. Choose another "
            f"fraction{_or_groups(sizes)}."
        )
    return best


def _describe(sizes: np.ndarray) -> str:
    """Write the number of samples, and of groups unless each sample is a group."""
    groups = f" in {count_of(len(sizes), 'group')}" if sizes.max(initial=0) > 1 else ""
    return f"{count_of(sizes.sum(), 'sample')}{groups}"


def _or_groups(sizes: np.ndarray) -> str:
    """Suggest another group column, unless each sample is a group."""
    return ", or another --group-column" if sizes.max(initial=0) > 1 else ""


def _draw(group: np.ndarray, sizes: np.ndarray, fraction: float, stream: np.random.Generator) -> np.ndarray:
    """Draw whole groups of about a fraction of the samples; True for their samples, bool [S]."""
    order = stream.permutation(len(sizes))
    reached = np.cumsum(sizes[order])
    n_groups = int(np.argmin(np.abs(reached - fraction * len(group)))) + 1
    return np.isin(group, order[: min(n_groups, len(sizes) - 1)])


def _difference(is_held_out: np.ndarray, stratum: np.ndarray, fraction: float) -> float:
    """Compute how far two sides are from equal strata and the fraction; each stratum that training lacks adds 10."""
    n_strata = int(stratum.max()) + 1
    inside = np.bincount(stratum[is_held_out], minlength=n_strata)
    outside = np.bincount(stratum[~is_held_out], minlength=n_strata)
    unevenness = np.abs(inside / inside.sum() - outside / outside.sum()).sum()
    return abs(is_held_out.mean() - fraction) + unevenness + 10.0 * np.sum((outside == 0) & (inside > 0))


def fold_numbers(groups: np.ndarray, stratum: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Assign samples to folds at random, with strata as similar in all folds as whole groups allow.

    Parameters
    ----------
    groups
        Group of each sample, [S]; a group is never divided.
    stratum
        Number of the class or bin of each sample, int64 [S].
    folds
        Number of folds.
    seed
        Seed of the assignment.

    Returns
    -------
    np.ndarray
        Number of each sample's fold, from 0, int64 [S].

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
    candidates = [_deal_groups(group, folds, stream) for _ in range(N_DEALS)]
    return min(candidates, key=lambda number: _unevenness(number, stratum, folds))


def _spread_samples(stratum: np.ndarray, folds: int, seed: int) -> np.ndarray:
    from sklearn.model_selection import StratifiedKFold

    divide = StratifiedKFold(folds, shuffle=True, random_state=int(generator(seed, "folds").integers(2**31)))
    number = np.empty(len(stratum), dtype=np.int64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", category=UserWarning)
        for fold, (_, held_out) in enumerate(divide.split(stratum, stratum)):
            number[held_out] = fold
    return number


def _deal_groups(group: np.ndarray, folds: int, stream: np.random.Generator) -> np.ndarray:
    """Assign groups in random order, each to the fold that is smallest so far; number of each sample's fold, int64 [S]."""
    sizes = np.bincount(group)
    fold_of, filled = np.empty(len(sizes), dtype=np.int64), np.zeros(folds, dtype=np.int64)
    for n_dealt, index in enumerate(stream.permutation(len(sizes))):
        fold_of[index] = n_dealt if n_dealt < folds else int(np.argmin(filled))
        filled[fold_of[index]] += sizes[index]
    return fold_of[group]


def _unevenness(number: np.ndarray, stratum: np.ndarray, folds: int) -> float:
    """Compute how far folds are from equal strata and sizes; each stratum that is in a single fold adds 10."""
    table = np.zeros((folds, int(stratum.max()) + 1))
    np.add.at(table, (number, stratum), 1)
    present = table[:, table.sum(axis=0) > 0]
    even = present.sum(axis=0) / folds
    n_alone = int((present.max(axis=0) == present.sum(axis=0)).sum())
    return float(np.abs(present - even).sum()) / len(number) + 10.0 * n_alone
