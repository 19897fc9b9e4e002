"""Unweighted UniFrac of the samples of a batch, from the tree and the features that each sample holds."""

import numpy as np

from aam.drawn import PackedCounts
from aam.ecology.resources import StudyResources
from aam.ecology.tree import FeatureTree


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
        Features present in each sample, packed: int [T]. Those that the tree lacks are passed over.
    sample_offsets
        Sample ``i`` holds ``features[sample_offsets[i]:sample_offsets[i + 1]]``; int [B + 1].
    wanted
        Samples whose rows are computed.

    Returns
    -------
    float64 [B, B], or the rows that are wanted: symmetric, in [0, 1] with a zero diagonal. Two samples without any branch have
    distance 0.
    """
    n_samples = len(sample_offsets) - 1
    position, sample = tree.position[features], np.repeat(np.arange(n_samples), np.diff(sample_offsets))
    tree.release()
    is_tip = position >= 0
    touched, column = np.unique(position[is_tip], return_inverse=True)
    branches, sample = tree.branches_above(touched), sample[is_tip]
    seen = np.zeros((n_samples, len(touched) + 1))
    seen[sample, column + 1] = 1
    seen_before = np.cumsum(seen, axis=1)
    presence = (seen_before[:, branches.stop] > seen_before[:, branches.start]).astype(np.float64)
    length = branches.length
    shared = (presence[wanted] * length) @ presence.T
    own = presence @ length
    union = own[wanted, None] + own - shared
    distance = 1.0 - np.divide(shared, union, out=np.ones_like(shared), where=union > 0)
    if isinstance(wanted, slice):
        distance = (distance + distance.T) / 2
    distance[np.arange(n_samples)[wanted, None] == np.arange(n_samples)] = 0.0
    return distance.clip(0.0, 1.0)


def unweighted(packed: PackedCounts, resources: StudyResources) -> np.ndarray:
    """Compute unweighted UniFrac of the reads that were drawn; float64 [B, B]."""
    assert resources.tree is not None, "UniFrac needs a tree"
    return unweighted_unifrac(resources.tree, packed.features, packed.sample_offsets, packed.wanted)
