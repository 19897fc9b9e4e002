"""Unweighted, weighted, normalised and generalised UniFrac of the samples of a batch, and Faith's diversity: measures on a tree."""

import numpy as np

from aam.batch import PackedCounts
from aam.ecology.measures import pairwise
from aam.ecology.resources import StudyResources
from aam.ecology.tree import FeatureTree


def unweighted(packed: PackedCounts, resources: StudyResources) -> np.ndarray:
    """Compute unweighted UniFrac of the reads that were drawn; float64 [B, B]."""
    assert resources.tree is not None, "UniFrac needs a tree"
    return unweighted_unifrac(resources.tree, packed.features, packed.sample_offsets, packed.wanted)


def weighted(packed: PackedCounts, resources: StudyResources) -> np.ndarray:
    """Compute weighted UniFrac, in the tree's units: Σ l·|pᵢ − pⱼ| over the branches (Lozupone et al. 2007).

    ``p [B, N]`` are the shares of a sample's reads below each branch that the batch touches, ``l [N]`` the branches' lengths. Reads
    of features that the tree lacks are left out before shares are computed.

    Returns
    -------
    np.ndarray
        Distances, float64 [B, B], or the rows that are wanted.
    """
    share, length = shares_below(packed, resources)
    return pairwise(share * length, "cityblock", packed.wanted)


def normalized(packed: PackedCounts, resources: StudyResources) -> np.ndarray:
    """Compute normalised weighted UniFrac, in [0, 1]: weighted UniFrac over the sum of both samples' mean depths of a read.

    The depth of a tip is measured from the root of the whole tree, as scikit-bio does; summed over branches it is Σ l·(pᵢ + pⱼ).

    Returns
    -------
    np.ndarray
        Distances, float64 [B, B], or the rows that are wanted.
    """
    share, length = shares_below(packed, resources)
    mean_depth = share @ length
    together = mean_depth[packed.wanted, None] + mean_depth
    return _ratio(pairwise(share * length, "cityblock", packed.wanted), together)


def generalized(packed: PackedCounts, resources: StudyResources) -> np.ndarray:
    """Compute generalised UniFrac, in [0, 1] (Chen et al. 2012): Σ l·sᵅ·|pᵢ − pⱼ|/s over Σ l·sᵅ, with s = pᵢ + pⱼ.

    Branches where s is 0 do not count. With alpha 1 it is normalised weighted UniFrac; with alpha 0 every branch that either
    sample touches counts alike.

    Returns
    -------
    np.ndarray
        Distances, float64 [B, B], or the rows that are wanted.
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


def unweighted_unifrac(
    tree: FeatureTree, features: np.ndarray, sample_offsets: np.ndarray, wanted: np.ndarray | slice = slice(None)
) -> np.ndarray:
    """Compute all pairwise unweighted UniFrac distances of a batch.

    With presence ``P [B, N]`` of samples in the N branches that the batch touches and their lengths ``l [N]``, the shared
    length is ``S = (P·l) Pᵀ`` and the distance is ``1 − S / (dᵢ + dⱼ − S)`` with ``d = diag(S)`` (Lozupone & Knight 2005;
    the same branches as in scikit-bio, those between the samples' common ancestor and the root included).

    Parameters
    ----------
    tree
        The tree of the study.
    features
        Features present in each sample, packed: int [T]. Those that the tree lacks are ignored.
    sample_offsets
        Sample ``i`` holds ``features[sample_offsets[i]:sample_offsets[i + 1]]``; int [B + 1].
    wanted
        Samples whose rows are computed.

    Returns
    -------
    np.ndarray
        Distances, float64 [B, B], or the rows that are wanted: symmetric, in [0, 1] with a zero diagonal. Two samples without any
        branch have distance 0.
    """
    n_samples = len(sample_offsets) - 1
    position, sample = tree.position[features], np.repeat(np.arange(n_samples), np.diff(sample_offsets))
    tree.release()
    is_tip = position >= 0
    touched, column = np.unique(position[is_tip], return_inverse=True)
    branches, sample = tree.branches_above(touched), sample[is_tip]
    is_present = np.zeros((n_samples, len(touched) + 1))
    is_present[sample, column + 1] = 1
    n_before = np.cumsum(is_present, axis=1)
    presence = (n_before[:, branches.stop] > n_before[:, branches.start]).astype(np.float64)
    length = branches.length
    shared = (presence[wanted] * length) @ presence.T
    touched_length = presence @ length
    union = touched_length[wanted, None] + touched_length - shared
    distance = 1.0 - np.divide(shared, union, out=np.ones_like(shared), where=union > 0)
    if isinstance(wanted, slice):
        distance = (distance + distance.T) / 2
    distance[np.arange(n_samples)[wanted, None] == np.arange(n_samples)] = 0.0
    return distance.clip(0.0, 1.0)


def shares_below(packed: PackedCounts, resources: StudyResources) -> tuple[np.ndarray, np.ndarray]:
    """Compute the share of each sample's reads below each branch that the batch touches.

    Returns
    -------
    share
        Shares of the reads of ASVs in the tree, float64 [B, N].
    length
        Length of each branch, in the tree's units, float64 [N].
    """
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
    """Return the ratio; 0 where the denominator is 0."""
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    return np.divide(numerator, denominator, out=np.zeros(shape), where=np.broadcast_to(denominator > 0, shape))


def faith_pd(packed: PackedCounts, resources: StudyResources) -> np.ndarray:
    """Compute Faith's phylogenetic diversity (Faith 1992).

    As in scikit-bio, the branches between the ASVs' common ancestor and the root count. ASVs that the tree lacks are ignored.

    Returns
    -------
    np.ndarray
        Summed length of the branches above each sample's ASVs, up to the root, in the tree's units; float64 [B].
    """
    share, length = shares_below(packed, resources)
    return (share > 0) @ length
