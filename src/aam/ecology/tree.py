"""A phylogenetic tree as intervals of features: what distances need, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aam.errors import TreeError, name_some
from aam.io.newick import TreeArrays


def tip_names(tree: TreeArrays) -> dict[str, int]:
    """Map the name of each tip to its node."""
    is_parent = np.zeros(len(tree.parent), dtype=bool)
    is_parent[tree.parent[tree.parent >= 0]] = True
    return {str(tree.names[node]): int(node) for node in np.flatnonzero(~is_parent)}


def features_missing_from(tree: TreeArrays, feature_ids: Sequence[str]) -> list[str]:
    """List the features that are not tips of the tree, in the order given."""
    tips = tip_names(tree)
    return [feature for feature in feature_ids if feature not in tips]


@dataclass(frozen=True)
class FeatureTree:
    """A tree cut down to the features of a study.

    Features are numbered in the order in which a walk of the tree meets them, so that the features below a branch are one
    interval. Branches with the same features below them count as one branch of their summed length; at most 2F − 1 remain.

    Attributes
    ----------
    position
        Place of each feature of the study in the walk, int64 [F].
    start, stop
        Interval of places below each branch, int64 [N].
    length
        Length of each branch, in the tree's units, float64 [N].
    """

    position: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    length: np.ndarray

    @classmethod
    def from_arrays(cls, tree: TreeArrays, feature_ids: Sequence[str]) -> "FeatureTree":
        """Cut a tree down to the features of a study.

        Raises
        ------
        TreeError
            A feature is not a tip of the tree, or a branch above a feature has no length.
        """
        tips = tip_names(tree)
        missing = [feature for feature in feature_ids if feature not in tips]
        if missing:
            raise TreeError(
                f"{len(missing):,} of {len(feature_ids):,} features of the table are not tips of the tree: "
                f"{name_some(missing)}. Pass the tree that was built from these features, or --missing-features drop "
                "to leave those features out."
            )
        node_of_feature = np.array([tips[feature] for feature in feature_ids], dtype=np.int64)
        is_feature = np.zeros(len(tree.parent), dtype=np.int64)
        is_feature[node_of_feature] = 1
        stop = np.cumsum(is_feature)
        below = _sum_over_descendants(tree.parent, is_feature)
        start = stop - below
        kept = below > 0
        length = _lengths(tree, kept)
        start, stop, length = merge_branches(start[kept], stop[kept], length[kept])
        position = np.cumsum(is_feature)[node_of_feature] - 1
        return cls(position=position, start=start, stop=stop, length=length)


def merge_branches(
    start: np.ndarray, stop: np.ndarray, length: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Join branches that have the same features below them into one of their summed length, leaving out empty ones."""
    kept = (stop > start) & (length > 0)
    start, stop, length = start[kept], stop[kept], length[kept]
    n = int(stop.max(initial=0)) + 1
    key, branch = np.unique(start * n + stop, return_inverse=True)
    return key // n, key % n, np.bincount(branch, weights=length, minlength=len(key))


def _sum_over_descendants(parent: np.ndarray, values: np.ndarray) -> np.ndarray:
    total = values.tolist()
    parents = parent.tolist()
    for node, above in enumerate(parents):  # post-order: a node is complete before its parent is reached
        if above >= 0:
            total[above] += total[node]
    return np.array(total, dtype=np.int64)


def _lengths(tree: TreeArrays, kept: np.ndarray) -> np.ndarray:
    length = tree.length.copy()
    length[(tree.parent < 0) & np.isnan(length)] = 0.0  # the root needs no branch above it
    unknown = np.flatnonzero(np.isnan(length) & kept)
    if len(unknown):
        names = [tree.names[node] or "(unnamed)" for node in unknown]
        raise TreeError(
            f"{len(unknown):,} branches of the tree have no length: {name_some(names)}. UniFrac needs the lengths; "
            "export the tree with them."
        )
    return length
