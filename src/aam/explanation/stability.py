"""How steady an order of importance is when other subjects had been sampled."""

from dataclasses import dataclass

import numpy as np

DRAWS = 500
"""Number of bootstrap draws of groups."""

_PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True)
class Stability:
    """Importances over bootstrap draws of groups; ranks are among the sets of one kind, from 1.

    Attributes
    ----------
    low, high
        Ends of the 95 % interval of the mean, float64 [N].
    rank, rank_low, rank_high
        Rank of each set, and the ends of its 95 % interval, [N].
    in_top
        Share of draws in which the set is among the first ``top`` of its kind, and among the first half of fewer; float64 [N].
    """

    low: np.ndarray
    high: np.ndarray
    rank: np.ndarray
    rank_low: np.ndarray
    rank_high: np.ndarray
    in_top: np.ndarray


def bootstrap(contributions: np.ndarray, groups: np.ndarray, kinds: np.ndarray, top: int, seed: int) -> Stability:
    """Draw groups with replacement, and order the sets of each kind by the mean of their contributions.

    Parameters
    ----------
    contributions
        What each sample adds to the importance of each set, [N, S].
    groups
        Group of each sample, [S].
    kinds
        Kind of each set, [N].
    top
        Length of the list whose members are counted.
    seed
        Seed of the draws.

    Returns
    -------
    Stability
        Intervals and ranks.
    """
    _, number = np.unique(groups, return_inverse=True)
    n_groups = int(number.max()) + 1
    belongs = np.zeros((len(number), n_groups))
    belongs[np.arange(len(number)), number] = 1
    sums, sizes = contributions.astype(np.float64) @ belongs, belongs.sum(axis=0)
    draws = np.random.default_rng([seed, 3]).multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=DRAWS)
    means = sums @ draws.T / (draws @ sizes)
    low, high = np.percentile(means, _PERCENTILES, axis=1)
    rank, rank_low, rank_high, in_top = (np.zeros(len(kinds)) for _ in range(4))
    for kind in np.unique(kinds):
        of_kind = np.flatnonzero(kinds == kind)
        rank[of_kind] = _ranks(contributions[of_kind].mean(axis=1)[:, None])[:, 0]
        drawn = _ranks(means[of_kind])
        rank_low[of_kind], rank_high[of_kind] = np.percentile(drawn, _PERCENTILES, axis=1)
        in_top[of_kind] = (drawn <= min(top, max(1, len(of_kind) // 2))).mean(axis=1)
    return Stability(low, high, rank.astype(np.int64), np.floor(rank_low), np.ceil(rank_high), in_top)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return the rank of each row in each column, from 1 for the largest, [N, D]."""
    order = np.argsort(-values, axis=0, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(1, len(values) + 1)[:, None].repeat(values.shape[1], 1), axis=0)
    return ranks
