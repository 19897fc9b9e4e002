"""A phylogenetic tree as depths in the order of a walk: what distances need, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aam.errors import TreeError, name_some
from aam.io.array_store import ArrayStore, ArrayWriter
from aam.io.name_index import NameIndex, hash_names
from aam.io.newick import TreeArrays

_NOT_IN_TREE = -1


@dataclass(frozen=True)
class Branches:
    """The part of a tree above some features, which are numbered in the order of a walk.

    Attributes
    ----------
    start, stop
        The features below a branch are numbers ``start`` to ``stop - 1``, int64 [N].
    length
        In the tree's units, float64 [N].
    """

    start: np.ndarray
    stop: np.ndarray
    length: np.ndarray


@dataclass(frozen=True)
class FeatureTree:
    """A rooted tree cut down to the features of a study: three numbers for each.

    Features are taken in the order in which a walk of the tree meets them. The branch lengths above any of them follow from how far
    each is from the root, and how far the common ancestor of each and the next is: the common ancestor of two features is
    the nearest to the root of those between them.

    Attributes
    ----------
    position
        Place of each feature of the study in the walk, −1 if the tree lacks it; int64 [F].
    depth
        Distance of each feature from the root, in the order of the walk; float64 [P].
    ancestor_depth
        Distance from the root of the last common ancestor of each feature and the next; float64 [P − 1].
    """

    position: np.ndarray
    depth: np.ndarray
    ancestor_depth: np.ndarray

    @classmethod
    def from_arrays(cls, tree: TreeArrays, feature_ids: Sequence[str]) -> "FeatureTree":
        """Cut a tree down to the features of a study.

        Raises
        ------
        TreeError
            No feature is a tip of the tree; a branch between a feature and the root has no length; or all have length 0.
        """
        tips = _tips(tree)
        tip = NameIndex(hash_names(str(tree.names[node]) for node in tips)).find(hash_names(feature_ids))
        if (tip < 0).all():
            raise TreeError(
                f"None of the {len(feature_ids):,} features of the table is a tip of the tree: {name_some(feature_ids)}. "
                "Pass the tree that was built from these features."
            )
        node_depth = _depths(tree)
        # in post-order, the node just before a tip is the last of what its nearest elder branch holds: their parents agree
        ancestor_depth = node_depth[tree.parent[tips[1:] - 1]]
        kept = np.unique(tip[tip >= 0])
        depth = node_depth[tips[kept]]
        if np.isnan(depth).any():
            raise _unknown_lengths(tree)
        position = np.where(tip >= 0, np.searchsorted(kept, tip), _NOT_IN_TREE)
        least = _least_between(ancestor_depth, kept)
        if len(depth) > 1 and depth.max() <= least.min():
            raise TreeError(
                f"All branches of the tree between its {len(depth):,} features of the table have length 0, so that all distances "
                "would be 0. Build the tree with branch lengths."
            )
        return cls(position, depth, least)

    @classmethod
    def open(cls, directory: Path) -> "FeatureTree":
        """Open what `save` wrote, by memory map.

        Raises
        ------
        DamagedStoreError
            Files are missing or changed.
        """
        return cls(**ArrayStore(directory))

    def save(self, directory: Path) -> None:
        """Write the tree into a directory.

        Raises
        ------
        OutputError
            The disk refuses the data.
        """
        with ArrayWriter(directory) as writer:
            for name in ("position", "depth", "ancestor_depth"):
                writer.append(name, getattr(self, name))
            writer.finish({})

    def missing(self) -> np.ndarray:
        """Give the features of the study that the tree lacks, int64."""
        return np.flatnonzero(self.position == _NOT_IN_TREE)

    def branches_above(self, positions: np.ndarray) -> Branches:
        """Give the branches between some features and the root, those above their common ancestor included.

        Branches with the same features below them count as one.

        Parameters
        ----------
        positions
            Distinct places in the walk, increasing, int64 [U]; they are numbered from 0.
        """
        n = len(positions)
        ancestors = _least_between(self.ancestor_depth, positions)
        before, after = _nearest_shallower(ancestors)
        bounded = np.concatenate([[0.0], ancestors, [0.0]])  # the root is at depth 0 and above all
        above_tip = np.maximum(bounded[:-1], bounded[1:])
        above_inner = np.maximum(bounded[before + 1], bounded[after + 1])
        length = np.concatenate([self.depth[positions] - above_tip, ancestors - above_inner])
        numbers = np.arange(n)
        start, stop = np.concatenate([numbers, before + 1]), np.concatenate([numbers + 1, after + 1])
        kept = length > 0
        return Branches(start[kept], stop[kept], length[kept])


def _tips(tree: TreeArrays) -> np.ndarray:
    is_tip = np.ones(len(tree.parent), dtype=bool)
    is_tip[tree.parent[tree.parent >= 0]] = False
    return np.flatnonzero(is_tip)


def _depths(tree: TreeArrays) -> np.ndarray:
    """Sum the lengths from each node to the root, by doubling the stretch that is summed: O(N log height)."""
    root = len(tree.parent) - 1
    above = np.where(tree.parent < 0, root, tree.parent)
    root_length = np.nan_to_num(tree.length[root])  # the root needs no branch above it
    depth = tree.length.copy()
    depth[root] = 0.0
    while (above != root).any():
        depth += depth[above]
        above = above[above]
    return depth + root_length


def _least_between(values: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Give the least of ``values[positions[k]:positions[k + 1]]`` for each k; float64 [U − 1]."""
    if len(positions) < 2:
        return np.empty(0)
    part = values[positions[0] : positions[-1]]
    return np.minimum.reduceat(part, positions[:-1] - positions[0])


def _nearest_shallower(depths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give for each place the nearest one before that is not deeper (−1: none), and the nearest after that is shallower."""
    values = depths.tolist()
    before, after = [-1] * len(values), [len(values)] * len(values)
    waiting: list[int] = []
    for place, value in enumerate(values):
        while waiting and values[waiting[-1]] > value:
            after[waiting.pop()] = place
        if waiting:
            before[place] = waiting[-1]
        waiting.append(place)
    return np.array(before, dtype=np.int64), np.array(after, dtype=np.int64)


def _unknown_lengths(tree: TreeArrays) -> TreeError:
    unknown = np.flatnonzero(np.isnan(tree.length[:-1]))
    names = [tree.names[node] or "(unnamed)" for node in unknown]
    return TreeError(
        f"{len(unknown):,} branches of the tree have no length: {name_some(names)}. UniFrac needs the lengths; "
        "export the tree with them."
    )
