"""Which samples are held out: whole groups, and alike in target to the samples that stay."""

import numpy as np

from aam.data.seeding import generator
from aam.errors import MetadataError

N_CANDIDATES = 200
"""Random splits that are drawn; the one whose two sides are most alike is kept."""
N_QUANTILES = 4
"""Bins of a numeric target that should be alike on both sides."""


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
    MetadataError
        There are fewer than two groups, or a side would hold fewer than two samples.
    """
    group = np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(group)
    if len(sizes) < 2 or len(group) < 4:
        raise MetadataError(
            f"{len(group):,} samples in {len(sizes):,} groups cannot be split into training and validation samples: "
            "at least 4 samples and 2 groups are needed. Pass a table with more samples, or another --group-column if you gave one."
        )
    stream = generator(seed, "split")
    best, best_score = None, np.inf
    for _ in range(N_CANDIDATES):
        held = _draw(group, sizes, fraction, stream)
        if not 2 <= held.sum() <= len(held) - 2:
            continue
        score = _difference(held, stratum, fraction)
        if score < best_score:
            best, best_score = held, score
    if best is None:
        raise MetadataError(
            f"--validation-fraction {fraction} of {len(group):,} samples in {len(sizes):,} groups leaves fewer than two "
            "samples on one side. Choose another fraction or another --group-column."
        )
    return best


def _draw(group: np.ndarray, sizes: np.ndarray, fraction: float, stream: np.random.Generator) -> np.ndarray:
    order = stream.permutation(len(sizes))
    reached = np.cumsum(sizes[order])
    n_groups = int(np.argmin(np.abs(reached - fraction * len(group)))) + 1
    return np.isin(group, order[: min(n_groups, len(sizes) - 1)])


def _difference(held: np.ndarray, stratum: np.ndarray, fraction: float) -> float:
    n_strata = int(stratum.max()) + 1
    inside = np.bincount(stratum[held], minlength=n_strata)
    outside = np.bincount(stratum[~held], minlength=n_strata)
    unlike = np.abs(inside / inside.sum() - outside / outside.sum()).sum()
    return abs(held.mean() - fraction) + unlike + 10.0 * np.sum((outside == 0) & (inside > 0))
