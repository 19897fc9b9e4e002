"""Weighted UniFrac, plain and normalised, and generalised UniFrac of the samples of a batch."""

import numpy as np

from aam.drawn import PackedCounts
from aam.ecology.pairwise import pairwise
from aam.ecology.resources import StudyResources


def weighted(packed: PackedCounts, resources: StudyResources) -> np.ndarray:
    """Compute weighted UniFrac, in the tree's units: Σ l·|pᵢ − pⱼ| over the branches (Lozupone et al. 2007).

    ``p [B, N]`` are the shares of a sample's reads below each branch that the batch touches, ``l [N]`` the branches' lengths. Reads
    of features that the tree lacks are left out before shares are taken.
    """
    share, length = shares_below(packed, resources)
    return pairwise(share * length, "cityblock", packed.wanted)


def normalized(packed: PackedCounts, resources: StudyResources) -> np.ndarray:
    """Compute normalised weighted UniFrac, in [0, 1]: the plain one over the sum of both samples' mean depths of a read.

    The depth of a tip is measured from the root of the whole tree, as scikit-bio does; summed over branches it is Σ l·(pᵢ + pⱼ).
    """
    share, length = shares_below(packed, resources)
    mean_depth = share @ length
    together = mean_depth[packed.wanted, None] + mean_depth
    return _ratio(pairwise(share * length, "cityblock", packed.wanted), together)


def generalized(packed: PackedCounts, resources: StudyResources) -> np.ndarray:
    """Compute generalised UniFrac, in [0, 1] (Chen et al. 2012): Σ l·sᵅ·|pᵢ − pⱼ|/s over Σ l·sᵅ, with s = pᵢ + pⱼ.

    Branches where s is 0 do not count. With alpha 1 it is normalised weighted UniFrac; with alpha 0 every branch that either
    sample touches counts alike.
    """
    share, length = shares_below(packed, resources)

    def to_others(row: int, others: np.ndarray) -> np.ndarray:
        total = share[row] + others  # B × N numbers at a time
        weight = length * np.power(total, resources.unifrac_alpha, out=np.zeros_like(total), where=total > 0)
        difference = _ratio(np.abs(share[row] - others), total)
        return _ratio((weight * difference).sum(axis=1), weight.sum(axis=1))

    if not isinstance(packed.wanted, slice):
        return np.array([to_others(row, share) for row in packed.wanted]).reshape(-1, len(share))
    distance = np.zeros((len(share), len(share)))
    for row in range(1, len(share)):
        distance[row, :row] = to_others(row, share[:row])
    return distance + distance.T


def shares_below(packed: PackedCounts, resources: StudyResources) -> tuple[np.ndarray, np.ndarray]:
    """Give the share of each sample's reads below each branch, float64 [B, N], and the branches' lengths, float64 [N]."""
    tree = resources.tree
    assert tree is not None, "UniFrac needs a tree"
    position = tree.position[packed.features]
    is_tip = position >= 0
    touched, column = np.unique(position[is_tip], return_inverse=True)
    branches = tree.branches_above(touched)
    reads = np.zeros((packed.n_samples, len(touched) + 1))
    reads[packed.sample_of_pair[is_tip], column + 1] = packed.counts[is_tip]
    before = np.cumsum(reads, axis=1)  # whole numbers: exact
    below = before[:, branches.stop] - before[:, branches.start]
    return _ratio(below, before[:, -1:]), branches.length


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide, and give 0 where there is nothing to divide by."""
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    return np.divide(numerator, denominator, out=np.zeros(shape), where=np.broadcast_to(denominator > 0, shape))
