"""The sets to report: the largest that are found, and whose members alone point the same way."""

import numpy as np

from aam.explanation.clades import Clades

LEAST_Z = 1.0
"""Standardised importance of a single feature from which it points somewhere."""

LEAST_COHERENCE = 0.7
"""Share of a set's occurrences in features that point its way, from which the set is reported as one (lab log)."""

LARGEST_Q = 0.1
"""Rate of false discoveries at which sets are found."""


def coherence(clades: Clades, z: np.ndarray, direction: np.ndarray, n_samples: np.ndarray) -> np.ndarray:
    """Compute how far the members of each set, each by itself, do what the set does.

    Parameters
    ----------
    clades
        The sets.
    z
        Standardised importance of each set, [N].
    direction
        Sign of the effect of each set, [N].
    n_samples
        Samples in which an exchange changes each set, which a single feature counts by, [N].

    Returns
    -------
    np.ndarray
        Share of the members, each weighed by its samples, that alone have a standardised importance of `LEAST_Z` and the direction
        of the set; float64 [N].
    """
    alone = np.flatnonzero(clades.sizes == 1)
    place = clades.start[alone]
    weight, sign = np.zeros(len(clades.order)), np.zeros(len(clades.order))
    weight[place] = n_samples[alone]
    sign[place] = np.where(z[alone] >= LEAST_Z, np.sign(direction[alone]), 0)
    sums = {
        way: np.concatenate([[0.0], np.cumsum(weight * is_counted)])
        for way, is_counted in ((0, np.ones(len(sign))), (1, sign > 0), (-1, sign < 0))
    }
    total = sums[0][clades.stop] - sums[0][clades.start]
    agreeing = np.where(
        direction > 0, sums[1][clades.stop] - sums[1][clades.start], sums[-1][clades.stop] - sums[-1][clades.start]
    )
    return np.divide(agreeing, total, out=np.zeros(len(clades)), where=total > 0)


def select(clades: Clades, q: np.ndarray, coherences: np.ndarray) -> np.ndarray:
    """Return the largest sets that are found and coherent, whether each is one; bool [N].

    They do not overlap: of nested ones, the outer is taken. The set of all features is never taken.

    Examples
    --------
    >>> clades = Clades.of_intervals(np.arange(4), np.array([0]), np.array([2]))
    >>> select(clades, np.full(6, 0.01), np.array([0.5, 1, 1, 1, 1, 1])).tolist()
    [False, True, False, False, True, True]
    """
    is_selected, is_inside = np.zeros(len(clades), dtype=bool), np.zeros(len(clades), dtype=bool)
    for number in range(1, len(clades)):
        parent = clades.parent[number]
        is_inside[number] = is_inside[parent] or is_selected[parent]
        is_selected[number] = not is_inside[number] and q[number] <= LARGEST_Q and coherences[number] >= LEAST_COHERENCE
    return is_selected
