"""Whether an importance could be chance: exchanged targets, and false discovery control down a tree of sets."""

from dataclasses import dataclass

import numpy as np

from aam.explanation.clades import Clades
from aam.explanation.importance import Losses

_BLOCK = 256  # sets whose null values are in memory at a time


def permute_targets(rows: np.ndarray, groups: np.ndarray, folds: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Draw truths that hold nothing of the samples: whole groups receive the targets of other groups.

    A group of samples receives the targets of one other group of its fold, in random order, repeated where it is larger. Where the
    target is one value per group this is a permutation of the groups' values. Folds keep theirs, as each has a model of its own.

    Parameters
    ----------
    rows
        Rows of the truth, [S, K].
    groups, folds
        Group and fold of each sample, [S].
    n
        Number of draws, P.
    seed
        Seed of the draws.

    Returns
    -------
    np.ndarray
        Permuted rows of the truth, float32 [P, S, K].
    """
    rng = np.random.default_rng([seed, 1])
    permuted = np.empty((n, *rows.shape), dtype=np.float32)
    for fold in np.unique(folds):
        in_fold = np.flatnonzero(folds == fold)
        _, number = np.unique(groups[in_fold], return_inverse=True)
        if number.max() == 0:
            number = np.arange(len(in_fold))
        members = [in_fold[number == group] for group in range(number.max() + 1)]
        for draw in range(n):
            for receivers, giver in zip(members, rng.permutation(len(members)).tolist(), strict=True):
                given = np.resize(rng.permutation(members[giver]), len(receivers))
                permuted[draw, receivers] = rows[given]
    return permuted


@dataclass(frozen=True)
class Null:
    """Comparison of importances with those for permuted truths.

    Attributes
    ----------
    p
        One-sided p-value of each set, from 1 / (P + 1) to 1, float64 [N]: the share of the truths for which a set seems at least as
        important, that of the data itself counted.
    z
        Importance of each set minus its mean over permuted truths, in standard deviations of these, float64 [N].
    gain
        Importance of each set minus its mean over permuted truths, per sample, float64 [N]: what the set adds to the covariance of
        predictions and truth. Where predictions are sums over sets, that of disjoint sets is the sum of theirs.
    """

    p: np.ndarray
    z: np.ndarray
    gain: np.ndarray


def compare_with_null(losses: Losses, rows: np.ndarray, permuted: np.ndarray) -> Null:
    """Compare importances with those for permuted truths.

    Parameters
    ----------
    losses
        Changes of the losses.
    rows
        Rows of the truth, [S, K].
    permuted
        Permuted rows, [P, S, K].

    Returns
    -------
    Null
        P-values and standardised importances.
    """
    flat, flat_permuted = rows.reshape(-1), permuted.reshape(len(permuted), -1)
    p, z, gain = np.ones(len(losses.without)), np.zeros(len(losses.without)), np.zeros(len(losses.without))
    for start in range(0, len(p), _BLOCK):
        block = slice(start, start + _BLOCK)
        factors = losses.factors[block].reshape(-1, len(flat)).astype(np.float64)
        observed, null = -(factors @ flat), -(factors @ flat_permuted.T.astype(np.float64))
        tolerance = 1e-9 * np.abs(null).max(axis=1, initial=0.0)
        p[block] = (1 + (null >= (observed - tolerance)[:, None]).sum(axis=1)) / (1 + len(permuted))
        spread = null.std(axis=1)
        excess = observed - null.mean(axis=1)
        gain[block] = excess / len(rows)
        z[block] = np.divide(excess, spread, out=np.zeros(len(spread)), where=spread > tolerance)
    return Null(p, z, gain)


LEVELS = np.concatenate([np.geomspace(1e-4, 1.0, 161), [1.0]])
"""Levels at which false discoveries are controlled, to find the least at which a set is one."""


def q_values(clades: Clades, p: np.ndarray) -> np.ndarray:
    """Compute the least false discovery rate at which each set is discovered, down the tree.

    A set is tested only if the one around it was discovered, with the thresholds of DAGGER (Ramdas, Chen, Wainwright & Jordan 2019,
    Biometrika 106): at level ``d`` a set with ``l`` of ``L`` leaves and ``m`` sets in it, itself included, is discovered at rate
    ``a`` if its p-value is at most ``a · l / L · (m + r + R − 1) / m``, where ``R`` sets were discovered above and ``r`` is the
    number of discoveries of the level.

    Parameters
    ----------
    clades
        The sets.
    p
        Their p-values, [N].

    Returns
    -------
    np.ndarray
        Rates, 1 where a set is discovered at none; float64 [N].
    """
    level, leaves = clades.level, clades.sizes
    inside = np.ones(len(clades))
    for number in range(len(clades) - 1, 0, -1):
        inside[clades.parent[number]] += inside[number]
    q = np.ones(len(clades))
    by_level = [np.flatnonzero(level == depth) for depth in range(level.max() + 1)]
    for rate in LEVELS[::-1]:
        q[_discovered(clades, p, rate, by_level, leaves / leaves[0], inside)] = rate
    return q


def _discovered(
    clades: Clades, p: np.ndarray, rate: float, by_level: list[np.ndarray], share: np.ndarray, inside: np.ndarray
) -> np.ndarray:
    is_discovered = np.zeros(len(p), dtype=bool)
    n_above = 0
    for sets in by_level:
        tested = sets[(clades.parent[sets] < 0) | is_discovered[clades.parent[sets]]]
        if not len(tested):
            break
        # p <= rate · share · (inside + r + R − 1) / inside  ⟺  r >= needed
        needed = p[tested] * inside[tested] / (rate * share[tested]) - inside[tested] - n_above + 1
        ordered = np.sort(needed)
        enough = np.flatnonzero(ordered <= np.arange(1, len(tested) + 1) + 1e-9)
        if len(enough):
            chosen = tested[needed <= enough[-1] + 1 + 1e-9]
            is_discovered[chosen] = True
            n_above += len(chosen)
    return is_discovered


def adjusted(p: np.ndarray) -> np.ndarray:
    """Compute false discovery rates of sets that do not nest (Benjamini & Hochberg 1995), float64 [N].

    Examples
    --------
    >>> adjusted(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    order = np.argsort(p)[::-1]
    ranked = p[order] * len(p) / np.arange(len(p), 0, -1)
    result = np.empty(len(p))
    result[order] = np.minimum(np.minimum.accumulate(ranked), 1.0)
    return result
