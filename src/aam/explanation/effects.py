"""How a prediction follows the share of a set of features: accumulated local effects (Apley & Zhu 2020)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from aam.explanation.importance import HeldOutPart
from aam.explanation.losses import explained_outputs
from aam.explanation.perturbation import stack

BINS = 8
"""Number of intervals of a set's share, each with as many samples."""

HIGHEST = 0.98
"""Quantile of the shares at which curves end; samples above are counted in the last interval."""

DRAWS = 200
"""Number of bootstrap draws of groups for the band of a curve."""


@dataclass(frozen=True)
class Curve:
    """Accumulated local effects of one set of features on one output.

    Attributes
    ----------
    share
        Bounds of the intervals of the set's share of a sample's reads, float64 [B + 1].
    effect, low, high
        Effect at the bounds in units of the output, 0 on average over the samples, and its 95 % band over groups; float64 [B + 1].
    """

    share: np.ndarray
    effect: np.ndarray
    low: np.ndarray
    high: np.ndarray


def with_share(counts: csr_array, is_member: np.ndarray, share: np.ndarray, pattern: np.ndarray) -> csr_array:
    """Return samples in which a set of features has other shares, at the same depth.

    Parameters
    ----------
    counts
        Reads, float64 [m, F].
    is_member
        Whether each feature is of the set, bool [F].
    share
        Share of the set in each sample, below 1, [m].
    pattern
        Shares of the members within the set for samples that hold none of it, float64 [F], with the sum 1.

    Returns
    -------
    csr_array
        Changed reads, float64 [m, F]: ratios within the set, and among the other features, are those of the sample.
    """
    depth = np.asarray(counts.sum(axis=1))
    of_set = np.asarray(counts @ is_member.astype(np.float64))
    rest = depth - of_set
    scale_set = np.divide(share * depth, of_set, out=np.zeros(len(depth)), where=of_set > 0)
    scale_rest = np.divide((1 - share) * depth, rest, out=np.zeros(len(depth)), where=rest > 0)
    rows = np.repeat(np.arange(len(depth)), np.diff(counts.indptr))
    factor = np.where(is_member[counts.indices], scale_set[rows], scale_rest[rows])
    scaled = csr_array((counts.data * factor, counts.indices, counts.indptr), shape=counts.shape)
    without = np.flatnonzero((of_set == 0) & (share > 0))
    members = np.flatnonzero(is_member)
    values = (share * depth)[without][:, None] * pattern[members]
    cells = (values.ravel(), (np.repeat(without, len(members)), np.tile(members, len(without))))
    changed = csr_array(scaled + csr_array(cells, shape=counts.shape))
    changed.eliminate_zeros()
    return changed


def effect_curve(parts: Sequence[HeldOutPart], members: np.ndarray, output: int, seed: int) -> Curve | None:
    """Compute the accumulated local effects of the share of a set of features.

    Samples are divided by the share into intervals of equal numbers; in each, the difference of the outputs at both ends is
    averaged over the samples inside, and the means are added up.

    Parameters
    ----------
    parts
        Held-out samples by model.
    members
        Features of the set, int64.
    output
        Number of the explained output.
    seed
        Seed of the bootstrap draws.

    Returns
    -------
    Curve or None
        None if the share hardly differs between samples, or the set is the whole of some.
    """
    is_member = np.zeros(len(parts[0].function.is_read), dtype=bool)
    is_member[members] = True
    shares = [_shares(part.function.counts, is_member) for part in parts]
    bounds = _bounds(np.concatenate(shares))
    if len(bounds) < 2 or bounds[-1] >= 1:
        return None
    pattern = _pattern(parts, is_member)
    slopes, bins = [], []
    for part, share in zip(parts, shares, strict=True):
        number = np.clip(np.searchsorted(bounds, share, side="left") - 1, 0, len(bounds) - 2)
        rows = np.arange(len(share))
        ends = [with_share(part.function.counts, is_member, bounds[number + side], pattern) for side in (0, 1)]
        predicted = part.function(stack(ends, len(is_member)), np.tile(rows, 2))
        low, high = np.split(explained_outputs(predicted, part.truth.is_regression)[:, output], 2)
        slopes.append(high - low)
        bins.append(number)
    groups = np.unique(np.concatenate([part.groups for part in parts]), return_inverse=True)[1]
    return _accumulated(np.concatenate(slopes), np.concatenate(bins), groups, bounds, seed)


def _shares(counts: csr_array, is_member: np.ndarray) -> np.ndarray:
    depth = np.maximum(np.asarray(counts.sum(axis=1)), 1e-12)
    return np.asarray(counts @ is_member.astype(np.float64)) / depth  # type: ignore[no-any-return]


def _bounds(share: np.ndarray) -> np.ndarray:
    """Return bounds of intervals: quantiles of the shares above 0, and 0 where some samples hold nothing of the set."""
    held = share[share > 0]
    if not len(held):
        return np.empty(0)
    quantiles = np.unique(np.quantile(held, np.linspace(0, HIGHEST, BINS + 1)))
    return np.concatenate([[0.0], quantiles]) if len(held) < len(share) else quantiles


def _pattern(parts: Sequence[HeldOutPart], is_member: np.ndarray) -> np.ndarray:
    reads = np.sum([np.asarray(part.function.counts.sum(axis=0)) for part in parts], axis=0) * is_member
    return reads / reads.sum()  # type: ignore[no-any-return]


def _accumulated(slopes: np.ndarray, bins: np.ndarray, groups: np.ndarray, bounds: np.ndarray, seed: int) -> Curve:
    n_bins, n_groups = len(bounds) - 1, int(groups.max()) + 1
    sums, sizes = np.zeros((n_groups, n_bins)), np.zeros((n_groups, n_bins))
    np.add.at(sums, (groups, bins), slopes)
    np.add.at(sizes, (groups, bins), 1)
    effect = _curve(sums.sum(axis=0), sizes.sum(axis=0))
    rng = np.random.default_rng([seed, 2])
    draws = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=DRAWS)
    curves = np.array([_curve(*pair) for pair in zip(draws @ sums, draws @ sizes, strict=True)])
    low, high = np.percentile(curves, [2.5, 97.5], axis=0)
    return Curve(bounds, effect, low, high)


def _curve(sums: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the accumulated means of the intervals, whose average over the samples is 0."""
    steps = np.divide(sums, sizes, out=np.zeros(len(sums)), where=sizes > 0)
    curve = np.concatenate([[0.0], np.cumsum(steps)])
    middle = (curve[:-1] + curve[1:]) / 2
    return curve - (middle @ sizes) / max(sizes.sum(), 1)  # type: ignore[no-any-return]


def effects_table(curves: dict[str, Curve]) -> pd.DataFrame:
    """Return curves by name of the set as one table: name, share, effect, low and high."""
    columns = ("share", "effect", "low", "high")
    tables = [
        pd.DataFrame({"name": name, **{column: getattr(curve, column) for column in columns}})
        for name, curve in curves.items()
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["name", *columns])
