"""A tree as arrays, and whether its first node is a root."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aam.errors import TreeError
from aam.storage.names import NameIndex, Names

logger = logging.getLogger(__name__)


_NODES_PER_BLOCK = 1 << 14

_DECIMALS = 1e6  # clearcut writes lengths with six decimals

_BALANCED = 0.01
"""Difference of the depths of the two sides of a root, as a fraction of the deeper, below which it is the midpoint."""

_HOW = "UniFrac depends on the root: pass --root midpoint, or --root outgroup with the names of its tips."


@dataclass(frozen=True)
class TreeArrays:
    """A rooted tree with its nodes in post-order: children before their parent, the root last. The arrays are memory maps.

    Names of inner nodes, mostly support values, are not kept.

    Attributes
    ----------
    level
        Number of branches between each node and the root, int32 [N]. The parent of a node is the next one whose level is 1 less.
    length
        Length of the branch above each node, NaN where the file has none, float64 [N].
    is_tip
        Whether a node has no children, bool [N].
    names
        Name of each tip, in the order of the nodes.
    index
        Index that finds tips by their names.
    release
        Function that unloads the pages that were read.
    """

    level: np.ndarray
    length: np.ndarray
    is_tip: np.ndarray
    names: Names
    index: NameIndex
    release: Callable[[], None]

    def find(self, condition: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
        """Return the nodes whose levels and lengths meet a condition, increasing, int64."""
        nodes = []
        for start in range(0, len(self.level), _NODES_PER_BLOCK):
            block = slice(start, start + _NODES_PER_BLOCK)
            nodes.append(start + np.flatnonzero(condition(self.level[block], self.length[block])))
            self.release()
        return np.concatenate(nodes)

    def name_nodes(self, nodes: np.ndarray, unnamed: str) -> list[str]:
        """Return names of some nodes for a message; inner nodes are called ``unnamed``."""
        tips = np.where(self.is_tip, np.cumsum(self.is_tip) - 1, -1)[nodes]
        return [self.names[tip] if tip >= 0 else unnamed for tip in tips.tolist()]


def check_root(path: Path, tree: TreeArrays) -> None:
    """Refuse a tree without a root; warn of one that may have none.

    More than two branches at the first node are the mark of a tree without a root. Of two, clearcut gives no length to one that
    leads to an inner node, alone in the tree; where one leads to a tip, it gives both the same.

    Raises
    ------
    TreeError
        The tree has no root.
    """
    top = tree.find(lambda level, _: level == 1)
    lengths = tree.length[top]
    if len(top) > 2:
        raise TreeError(
            f"--tree {path} is unrooted: {len(top):,} branches leave its first node, and a root has two. {_HOW}"
        )
    without_length = tree.find(lambda level, length: np.isnan(length) & (level > 0))
    if len(top) == 2 and len(without_length) == 1 and without_length[0] in top and not tree.is_tip[without_length[0]]:
        raise TreeError(
            f"--tree {path} is unrooted: of the two branches at its first node only one has a length, as clearcut writes trees "
            f"without a root. {_HOW}"
        )
    if len(top) == 2 and lengths[0] == lengths[1] > 0 and tree.is_tip[top].any() and _is_of_clearcut(tree, top):
        name = tree.name_nodes(top[tree.is_tip[top]][:1], "")[0]
        logger.warning(
            "--tree %s: the two branches at its first node have the same length, and one leads to the tip %r, as clearcut writes "
            "trees without a root. If it was not rooted, pass --root midpoint, or --root outgroup with names of tips.",
            path, name,
        )  # fmt: skip


def _is_of_clearcut(tree: TreeArrays, top: np.ndarray) -> bool:
    """Return whether all lengths have six decimals, and the two sides of the first node do not have the same depth."""
    length = np.nan_to_num(np.asarray(tree.length))
    has_decimals = np.abs(length * _DECIMALS - np.round(length * _DECIMALS)) < 1e-3
    if not has_decimals.all():
        return False
    depths, above = np.zeros(len(length)), [0.0]
    for node in range(len(length) - 2, -1, -1):
        level = int(tree.level[node])
        del above[level:]
        depths[node] = above[-1] + length[node]
        above.append(depths[node])
    first, second = depths[: top[0] + 1].max(), depths[top[0] + 1 : top[1] + 1].max()
    return bool(abs(first - second) > _BALANCED * max(first, second))
