"""A phylogenetic tree as depths in the order of a walk, which is all that distances need."""

import logging
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aam.errors import TreeError, name_some
from aam.io.ids.advice import mismatch
from aam.io.ids.rules import lossless_pairs
from aam.io.newick import TreeArrays
from aam.storage.arrays import ArrayStore, ArrayWriter
from aam.storage.names import Names

logger = logging.getLogger(__name__)


ADD_TIPS = (
    "Pass the tree that was built from these features, or --missing-features drop to compute UniFrac without them."
)
"""What to do about features that a tree lacks."""

_NOT_IN_TREE = -1

_MOST_RESPELT = 2_000_000  # features or tips beyond which other spellings of names are not looked for

_PER_BLOCK = 1 << 14


@dataclass(frozen=True)
class Branches:
    """The part of a tree above some features, which are numbered in the order of a walk.

    Attributes
    ----------
    start, stop
        The features below a branch are numbers ``start`` to ``stop - 1``, int64 [N].
    length
        Length of each branch, in the tree's units, float64 [N].
    """

    start: np.ndarray
    stop: np.ndarray
    length: np.ndarray


@dataclass(frozen=True)
class FeatureTree:
    """A rooted tree cut down to the features of a study: three numbers per feature.

    Features are in the order in which a walk of the tree meets them. The branch lengths above any of them follow from the depth of
    each feature, and from the depth of the common ancestor of each feature and the next: the common ancestor of two features is the
    one nearest to the root among those between them.

    Attributes
    ----------
    position
        Position of each feature of the study in the walk, −1 if the tree lacks it; int64 [F].
    depth
        Distance of each feature from the root, in the order of the walk; float64 [P].
    ancestor_depth
        Distance from the root of the last common ancestor of each feature and the next; float64 [P − 1].
    release
        Releases the pages of the memory maps that were read.
    """

    position: np.ndarray
    depth: np.ndarray
    ancestor_depth: np.ndarray
    release: Callable[[], None] = lambda: None

    @classmethod
    def from_arrays(cls, tree: TreeArrays, feature_ids: Sequence[str]) -> "FeatureTree":
        """Return a tree cut down to the features of a study, as by `write_feature_tree`, in temporary files."""
        with tempfile.TemporaryDirectory(prefix="aam-") as folder:
            write_feature_tree(tree, feature_ids, Path(folder))
            return cls.open(Path(folder))  # maps stay when their files are deleted

    @classmethod
    def open(cls, directory: Path) -> "FeatureTree":
        """Return the tree that `write_feature_tree` wrote, as memory maps.

        Raises
        ------
        DamagedStoreError
            Files are missing or changed.
        """
        arrays = ArrayStore(directory)
        return cls(**arrays, release=arrays.release)

    def missing(self) -> np.ndarray:
        """Return the rows of the features of the study that the tree lacks, int64."""
        absent = []
        for start in range(0, len(self.position), _PER_BLOCK):
            absent.append(start + np.flatnonzero(self.position[start : start + _PER_BLOCK] == _NOT_IN_TREE))
            self.release()
        return np.concatenate([np.empty(0, dtype=np.int64), *absent])

    def branches_above(self, positions: np.ndarray) -> Branches:
        """Return the branches between some features and the root, those above their common ancestor included.

        Branches with the same features below them are joined to one.

        Parameters
        ----------
        positions
            Distinct positions of the features in the walk, increasing, int64 [U]; the branches number these features from 0.
        """
        n = len(positions)
        ancestors = _least_between(self.ancestor_depth, positions)
        self.release()
        before, after = _nearest_shallower(ancestors)
        bounded = np.concatenate([[0.0], ancestors, [0.0]])  # the root is at depth 0 and above all
        above_tip = np.maximum(bounded[:-1], bounded[1:])
        above_inner = np.maximum(bounded[before + 1], bounded[after + 1])
        length = np.concatenate([self.depth[positions] - above_tip, ancestors - above_inner])
        self.release()
        numbers = np.arange(n)
        start, stop = np.concatenate([numbers, before + 1]), np.concatenate([numbers + 1, after + 1])
        has_length = length > 0
        return Branches(start[has_length], stop[has_length], length[has_length])


def describe_missing_tips(
    tree: FeatureTree, feature_ids: Names, path: Path | str, tips: Iterable[str] | None, what_follows: str
) -> str | None:
    """Return a remark on the features that a tree lacks; None if there are none.

    Parameters
    ----------
    tree
        The tree, cut down to the features.
    feature_ids
        Names of all features.
    path
        File of the tree.
    tips
        Names of its tips; None if they are not to be compared.
    what_follows
        Sentence on what happens, or what to do.
    """
    missing = tree.missing()
    if not len(missing):
        return None
    problem = (
        f"{len(missing):,} of {len(feature_ids):,} features of the table are not tips of --tree {path}: "
        f"{name_some(feature_ids.select(missing))}. {what_follows}"
    )
    return problem if tips is None else f"{problem} {mismatch(feature_ids, tips, 'The tree')}"


def write_feature_tree(tree: TreeArrays, feature_ids: Sequence[str], directory: Path) -> None:
    """Cut a tree down to the features of a study, and write it into an empty directory.

    The walk goes from the last node to the first, so that a node comes after the one above it, and its depth is known.

    Raises
    ------
    TreeError
        No feature is a tip of the tree; a branch between a feature and the root has no length; or all have length 0.
    OutputError
        The disk refuses the data.
    """
    tip = np.empty(len(feature_ids), dtype=np.int32)
    parts = [slice(start, start + _PER_BLOCK) for start in range(0, len(tip), _PER_BLOCK)]
    for part in parts:
        tip[part] = tree.index.find(feature_ids[part])
    _find_respelt_tips(tree, feature_ids, tip)
    is_kept = np.zeros(len(tree.names), dtype=bool)
    is_kept[tip[tip >= 0]] = True
    if not is_kept.any():
        raise TreeError(
            f"None of the {len(feature_ids):,} features of the table is a tip of the tree: {name_some(feature_ids)}. "
            f"Pass the tree that was built from these features. {mismatch(feature_ids, tree.names, 'The tree')}"
        )
    with ArrayWriter(directory) as writer:
        _write_depths(tree, is_kept, writer)
        walk_position = np.cumsum(is_kept[::-1], dtype=np.int32)[::-1]
        walk_position -= 1
        for part in parts:
            writer.append("position", np.where(tip[part] >= 0, walk_position[tip[part]], _NOT_IN_TREE).astype(np.int64))
        writer.finish({})


def _find_respelt_tips(tree: TreeArrays, feature_ids: Sequence[str], tip: np.ndarray) -> None:
    """Find the features that are tips but for quotes, or underscores for spaces, and write them into the tip of each feature."""
    missing = np.flatnonzero(tip < 0).tolist()
    if not missing or max(len(missing), len(tree.names)) > _MOST_RESPELT:
        return
    is_taken = np.zeros(len(tree.names), dtype=bool)
    is_taken[tip[tip >= 0]] = True
    others = {name: number for number, name in enumerate(tree.names) if not is_taken[number]}
    wanted = {feature_ids[feature]: feature for feature in missing}
    pairs = lossless_pairs(wanted, others, is_tree=True)
    for name, other in pairs:
        tip[wanted[name]] = others[other]
    if pairs:
        pairs.sort()
        logger.info(
            "%d of %d features are tips of the tree but for quotes, annotations or underscores for spaces: %s are %s there.",
            len(pairs), len(feature_ids), *(name_some(names) for names in zip(*pairs, strict=True)),
        )  # fmt: skip


def _write_depths(tree: TreeArrays, is_kept: np.ndarray, writer: ArrayWriter) -> None:
    """Walk the tree and write the depths; the common ancestor of two tips is the node nearest to the root between them."""
    depths_above, n_tips_before, is_first, least = [0.0], len(is_kept), True, np.inf
    deepest, shallowest_ancestor = 0.0, np.inf
    writer.append("ancestor_depth", np.empty(0))
    for stop in range(len(tree.level), 0, -_PER_BLOCK):
        part = slice(max(0, stop - _PER_BLOCK), stop)
        length, is_tip = tree.length[part][::-1].copy(), tree.is_tip[part][::-1]
        if stop == len(tree.level):
            length[0] = np.nan_to_num(length[0])  # the root needs no branch above it
        above = _depths_above(tree.level[part][::-1], length, depths_above)
        n_tips_after, n_tips_before = n_tips_before, n_tips_before - int(is_tip.sum())
        kept_tips = np.flatnonzero(is_tip)[is_kept[n_tips_before:n_tips_after][::-1]]
        tree.release()
        depth = above[kept_tips] + length[kept_tips]
        if np.isnan(depth).any():
            raise _unknown_lengths(tree)
        # fmin passes over NaN: a node of unknown depth is above nothing that is kept
        ancestors = np.fmin.reduceat(np.append(above, np.inf), np.append(0, kept_tips + 1))
        ancestors[0] = min(ancestors[0], least)
        least = ancestors[-1]
        between = ancestors[int(is_first) : -1]
        deepest, shallowest_ancestor = (
            max(deepest, depth.max(initial=0.0)), min(shallowest_ancestor, between.min(initial=np.inf))
        )  # fmt: skip
        writer.append("depth", depth)
        writer.append("ancestor_depth", between)
        is_first &= not len(kept_tips)
    if deepest <= shallowest_ancestor < np.inf:
        raise TreeError(
            f"All branches of the tree between its {int(is_kept.sum()):,} features of the table have length 0, so that all "
            "distances would be 0. Build the tree with branch lengths."
        )


def _depths_above(level: np.ndarray, length: np.ndarray, depths_above: list[float]) -> np.ndarray:
    """Return the depth above each node, float64 [N]; ``depths_above`` holds the depths down to the last node's level."""
    depths = []
    for depth_level, branch in zip(level.tolist(), length.tolist(), strict=True):
        del depths_above[depth_level + 1 :]
        depths.append(depths_above[depth_level])
        depths_above.append(depths_above[depth_level] + branch)
    return np.array(depths)


def _least_between(values: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return the least of ``values[positions[k]:positions[k + 1]]`` for each k; float64 [U − 1]."""
    if len(positions) < 2:
        return np.empty(0)
    part = values[positions[0] : positions[-1]]
    return np.minimum.reduceat(part, positions[:-1] - positions[0])


def _nearest_shallower(depths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return, for each position, the nearest before that is not deeper (−1: none), and the nearest after that is shallower."""
    values = depths.tolist()
    before, after = [-1] * len(values), [len(values)] * len(values)
    waiting: list[int] = []
    for position, value in enumerate(values):
        while waiting and values[waiting[-1]] > value:
            after[waiting.pop()] = position
        if waiting:
            before[position] = waiting[-1]
        waiting.append(position)
    return np.array(before, dtype=np.int64), np.array(after, dtype=np.int64)


def _unknown_lengths(tree: TreeArrays) -> TreeError:
    unknown = tree.find(lambda level, length: np.isnan(length) & (level > 0))
    return TreeError(
        f"{len(unknown):,} branches of the tree have no length: {name_some(tree.name_nodes(unknown, '(unnamed)'))}. "
        "UniFrac needs the lengths; export the tree with them."
    )
