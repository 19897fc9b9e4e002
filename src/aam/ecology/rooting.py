"""Root a tree: at its midpoint, or on the branch that divides an outgroup from the rest."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from aam.errors import TreeError, count_of, name_some
from aam.io.ids.advice import mismatch
from aam.io.newick import TreeArrays
from aam.storage.names import NameIndex

logger = logging.getLogger(__name__)


MIDPOINT, OUTGROUP = "midpoint", "outgroup"
"""First words of ``--root``."""

_NO_BRANCH = -1


class Place(NamedTuple):
    """Place of a root: on the branch above a node, ``distance`` from that node."""

    node: int
    distance: float


class Rerooted(NamedTuple):
    """Nodes of a tree with another root, in post-order, the new root last.

    What belongs to a branch, such as its support, is written at the node below it; between the old and the new root that is another
    node than before, as Czech, Huerta-Cepas and Stamatakis (2017) explain. So ``branch`` is the old node that has it.

    Attributes
    ----------
    node
        Old node that each is, −1 for the new root; int64 [N].
    branch
        Old node below the branch above each, −1 for the new root; int64 [N].
    level
        Number of branches between each and the root, int32 [N].
    length
        Length of the branch above each, NaN for the root; float64 [N].
    """

    node: np.ndarray
    branch: np.ndarray
    level: np.ndarray
    length: np.ndarray


@dataclass(frozen=True)
class _Shape:
    """Parents, first descendants and lengths of nodes in post-order, the root last; the root has at least two children."""

    level: np.ndarray
    length: np.ndarray
    is_tip: np.ndarray
    parent: list[int]
    first: np.ndarray

    @property
    def root(self) -> int:
        return len(self.parent) - 1

    def children(self, node: int) -> list[int]:
        found, child = [], node - 1
        while child >= self.first[node]:
            found.append(child)
            child = int(self.first[child]) - 1
        return found[::-1]


def root_tree(tree: TreeArrays, root: Sequence[str], path: Path, scratch: Path | None = None) -> TreeArrays:
    """Return a tree with its root at the midpoint of the longest way between two tips, or in the middle of the outgroup's branch.

    Parameters
    ----------
    tree
        The tree, with or without a root.
    root
        ``midpoint``, or ``outgroup`` and the names of its tips.
    path
        File of the tree, for messages.
    scratch
        Directory for the index of the tips; None for the system's temporary directory.

    Raises
    ------
    TreeError
        Branches without a length hide the midpoint; the outgroup has tips that the tree lacks, or is not one side of a branch.
    """
    shape = _shape(tree)
    place = _midpoint(shape, path) if root[0] == MIDPOINT else _outgroup(tree, shape, root[1:], path)
    moved = reroot(shape, place)
    is_tip = np.append(shape.is_tip[moved.node[:-1]], False)
    rank = np.cumsum(shape.is_tip) - 1
    names = tree.names.select(rank[moved.node[is_tip]])
    n_tips, n_below = len(names), int(shape.is_tip[shape.first[place.node] : place.node + 1].sum())
    logger.info(
        "--tree %s: the root is set on the branch above %d of its %d tips (--root %s).", path, n_below, n_tips, root[0]
    )
    return TreeArrays(moved.level, moved.length, is_tip, names, NameIndex(names, scratch), lambda: None)


def _shape(tree: TreeArrays) -> _Shape:
    level, length, is_tip = (np.array(array) for array in (tree.level, tree.length, tree.is_tip))
    tree.release()
    n = len(level)
    while n > 1 and (level[:n] == level[n - 1] + 1).sum() == 1:
        n -= 1  # a node above all with one branch
    level, length, is_tip = level[:n] - level[n - 1], length[:n], is_tip[:n]
    top = np.flatnonzero(level == 1)
    if len(top) == 2 and np.isnan(length[top]).sum() == 1:
        length[top] = np.nan_to_num(length[top])  # clearcut writes the length of one branch at one of its ends
    parent, first, waiting = [_NO_BRANCH] * n, list(range(n)), []
    levels = level.tolist()
    for node in range(n):
        while waiting and levels[waiting[-1]] == levels[node] + 1:
            child = waiting.pop()
            parent[child], first[node] = node, first[child]
        waiting.append(node)
    return _Shape(level, length, is_tip, parent, np.array(first))


def _midpoint(shape: _Shape, path: Path) -> Place:
    """Find the middle of the longest way between two tips; it is one place, also where several ways are the longest."""
    unknown = int(np.isnan(shape.length[:-1]).sum())
    if unknown:
        raise TreeError(
            f"{unknown:,} branches of --tree {path} have no length, so that its midpoint is not known. "
            "Export the tree with lengths, or pass --root outgroup with names of tips."
        )
    length, n = shape.length.tolist(), len(shape.parent)
    deepest, second, towards = [0.0] * n, [0.0] * n, [_NO_BRANCH] * n
    for node in range(n - 1):
        above, reach = shape.parent[node], deepest[node] + length[node]
        if reach > deepest[above] or towards[above] == _NO_BRANCH:
            deepest[above], second[above], towards[above] = reach, deepest[above], node
        elif reach > second[above]:
            second[above] = reach
    ways = np.array(deepest) + np.array(second)
    node = int(np.argmax(np.where(shape.is_tip, -1.0, ways)))
    further = (deepest[node] - second[node]) / 2
    node = towards[node]
    while further > length[node] and towards[node] != _NO_BRANCH:
        further -= length[node]
        node = towards[node]
    return Place(node, max(0.0, length[node] - further))


def _outgroup(tree: TreeArrays, shape: _Shape, names: Sequence[str], path: Path) -> Place:
    """Find the middle of the branch that divides the named tips from all others."""
    tips = tree.index.find(names)
    absent = [name for name, tip in zip(names, tips, strict=True) if tip < 0]
    if absent:
        raise TreeError(
            f"{len(absent):,} of {count_of(len(names), 'name')} of --root outgroup are no tips of --tree {path}: "
            f"{name_some(absent)}. {mismatch(names, tree.names, 'The tree')}"
        )
    is_out = np.zeros(len(tree.names), dtype=np.int64)
    is_out[tips] = 1
    n_out, n_tips = int(is_out.sum()), len(is_out)
    if n_out == n_tips:
        raise TreeError(
            f"--root outgroup names all {n_tips:,} tips of --tree {path}. Name those of the outgroup alone."
        )
    tips_before = np.append(0, np.cumsum(shape.is_tip))
    out_before = np.append(0, np.cumsum(is_out))[tips_before]
    below = np.diff(np.stack([tips_before[shape.first], tips_before[1:]]), axis=0)[0]
    out_below = np.diff(np.stack([out_before[shape.first], out_before[1:]]), axis=0)[0]
    is_divided = ((out_below == n_out) & (below == n_out)) | ((out_below == 0) & (below == n_tips - n_out))
    nodes = np.flatnonzero(is_divided)
    if not len(nodes):
        raise _not_one_side(tree, (below, out_below, shape.first), is_out, path)
    return _middle(shape, int(nodes[0]))


def _middle(shape: _Shape, node: int) -> Place:
    """Return the middle of the branch above a node; the two branches at a root are one."""
    siblings = shape.children(shape.root)
    if node not in siblings or len(siblings) > 2:
        return Place(node, shape.length[node] / 2)
    half = shape.length[siblings].sum() / 2
    other = siblings[siblings.index(node) - 1]
    return Place(node, half) if not half > shape.length[node] else Place(other, half)


def _not_one_side(
    tree: TreeArrays, counts: tuple[np.ndarray, np.ndarray, np.ndarray], is_out: np.ndarray, path: Path
) -> TreeError:
    """Return the error on an outgroup that no branch divides from the rest, with the tips among it that are not named."""
    below, out_below, first = counts
    n_out, n_tips = int(is_out.sum()), len(is_out)
    node = min(np.flatnonzero(out_below == n_out).tolist(), key=lambda node: below[node])
    tips = np.append(0, np.cumsum(tree.is_tip))[[first[node], node + 1]]
    among = [tree.names[int(tip)] for tip in range(int(tips[0]), int(tips[1])) if not is_out[tip]]
    return TreeError(
        f"--root outgroup: no branch of --tree {path} divides {count_of(n_out, 'tip')} of the outgroup from the other "
        f"{n_tips - n_out:,}: the smallest clade of the outgroup holds {len(among):,} more, such as {name_some(among)}. "
        "Name a whole clade, or pass --root midpoint."
    )


def reroot(shape: _Shape, place: Place) -> Rerooted:
    """Move the root of a tree; where the old root had two branches, they become one."""
    nodes = [place.node]
    while shape.parent[nodes[-1]] != _NO_BRANCH:
        nodes.append(shape.parent[nodes[-1]])
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []
    rest = shape.length[place.node] - place.distance
    for depth in range(len(nodes) - 1, 0, -1):
        node, below = nodes[depth], nodes[depth - 1]
        above = rest if depth == 1 else shape.length[below]
        others = np.r_[shape.first[node] : shape.first[below], below + 1 : node]
        level = shape.level[others] + (depth - shape.level[node])
        length = shape.length[others]
        siblings = level == depth + 1
        if node == shape.root and siblings.sum() == 1:
            length = np.where(siblings, length + above, length)
            parts.append((others, others, level - 1, length))
            continue
        parts.append(
            (np.append(others, node), np.append(others, below), np.append(level, depth), np.append(length, above))
        )
    side = np.arange(shape.first[place.node], place.node + 1)
    length = np.append(shape.length[side[:-1]], place.distance)
    parts.append((side, side, shape.level[side] + (1 - shape.level[place.node]), length))
    parts.append((np.array([-1]), np.array([-1]), np.array([0]), np.array([np.nan])))
    node, branch, level, length = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return Rerooted(node.astype(np.int64), branch.astype(np.int64), level.astype(np.int32), length)
