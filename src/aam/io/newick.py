"""Read and write phylogenetic trees in Newick, as flat arrays on disk, for trees of any size and without recursion."""

import logging
import math
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aam.errors import TreeError, name_some
from aam.io.foreign.named import NEXUS, is_nexus
from aam.io.newick_scan import NewickError, scan
from aam.io.qza import ANY_TREE, TREE, ArtifactKind
from aam.io.text_file import byte_blocks
from aam.storage.arrays import ArrayStore, ArrayWriter
from aam.storage.atomic import trim_malloc, write_text_atomic
from aam.storage.names import NameIndex, Names

logger = logging.getLogger(__name__)


_ROUNDING = 1e-9  # of lengths, in R: larger ones below 0 are those of neighbour joining

_LONGEST = 1e100  # a million of them, and their squares, can be added up

_DECIMALS = 1e6  # clearcut writes lengths with six decimals

_HEAD = 64  # bytes by which another format is known

_BALANCED = 0.01
"""Difference of the depths of the two sides of a root, as a fraction of the deeper, below which it is the midpoint."""

_HOW = "UniFrac depends on the root: pass --root midpoint, or --root outgroup with the names of its tips."

_NEEDS_QUOTES = re.compile(r"[\s()\[\]':,;]")

_NODES_PER_BLOCK = 1 << 14

_MOST_CHECKED = 1 << 10  # nodes without a length


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


def read_newick(path: Path, scratch: Path | None = None, *, needs_root: bool = True) -> TreeArrays:
    """Read one rooted tree: plain text, gzip or a QIIME 2 artifact. Underscores in names stay as they are, as in QIIME 2.

    Lengths that are negative by rounding, down to −1e-9, are read as 0.

    Parameters
    ----------
    path
        The file.
    scratch
        Directory for the arrays; None for the system's temporary directory. They are deleted when they are no longer in use.
    needs_root
        Whether an unrooted tree is refused; else it is read as if its first node were the root.

    Raises
    ------
    TreeError
        The file is missing, empty or not one well-formed Newick tree; a length is malformed or negative; the tree has fewer
        than two tips, tips without a name or with the same name, or no root (more than two branches leave the first node).
    OutputError
        The arrays cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="aam-", dir=scratch) as folder:
        try:
            n_rounded = _write_arrays(path, Path(folder), TREE if needs_root else ANY_TREE)
        except NewickError as problem:
            if is_nexus(_head_of(path)):
                raise TreeError(f"--tree {path} {NEXUS}") from None
            if problem.character is None:
                raise TreeError(f"--tree {path} {problem}") from None
            position = f"character {problem.character:,}"
            raise TreeError(f"--tree {path}: {position}: {problem}. Pass one tree in Newick format.") from None
        trim_malloc()
        arrays = ArrayStore(Path(folder))  # maps stay when their files are deleted
    names = Names(arrays["letters"], arrays["offsets"], release=arrays.release)
    index = _index_tips(path, names, scratch)
    tree = TreeArrays(arrays["level"], arrays["length"], arrays["is_tip"], names, index, arrays.release)
    _check_commas(path, tree)
    if needs_root:
        _check_root(path, tree)
    _check_lengths(path, tree)
    if n_rounded:
        logger.warning(
            "--tree %s: %d branches have a negative length of at most %g, which is the rounding of the program that wrote it. "
            "They are read as 0.",
            path, n_rounded, _ROUNDING,
        )  # fmt: skip
    return tree


def _write_arrays(path: Path, directory: Path, kind: ArtifactKind) -> int:
    """Write the arrays of a tree; return the number of lengths that were negative by rounding, and are 0 in the arrays."""
    n_rounded = 0
    with ArrayWriter(directory) as writer:
        writer.append("offsets", np.zeros(1, dtype=np.int64))
        end = 0
        for nodes in scan(byte_blocks(path, TreeError, "--tree", kind)):
            is_rounded = (nodes.length < 0) & (nodes.length >= -_ROUNDING)
            nodes.length[is_rounded] = 0
            n_rounded += int(is_rounded.sum())
            for array in ("level", "length", "is_tip"):
                writer.append(array, getattr(nodes, array))
            ends = end + np.cumsum([len(name) for name in nodes.names], dtype=np.int64)
            writer.append("letters", np.frombuffer(b"".join(nodes.names), dtype=np.uint8))
            writer.append("offsets", ends)
            end = int(ends[-1]) if len(ends) else end
        writer.finish({})
    return n_rounded


def _head_of(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_HEAD).decode("latin-1")


def _index_tips(path: Path, names: Names, scratch: Path | None) -> NameIndex:
    """Check the names of the tips, and build their index."""
    if len(names) < 2:
        raise TreeError(f"--tree {path} has fewer than two tips. Pass a tree with the features as tips.")
    index = NameIndex(names, scratch)
    if index.find([""])[0] >= 0:
        n_unnamed = sum(not name for name in names)
        raise TreeError(
            f"{n_unnamed:,} of {len(names):,} tips of --tree {path} have no name. Name each by its feature."
        )
    repeated = index.duplicates()
    if len(repeated):
        duplicates = list(dict.fromkeys(names[tip] for tip in repeated.tolist()))
        raise TreeError(
            f"{len(duplicates):,} names of tips occur more than once in --tree {path}: {name_some(duplicates)}. "
            "Make the names unique."
        )
    return index


def _check_root(path: Path, tree: TreeArrays) -> None:
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
    """Return whether lengths have six decimals, and the two sides of the first node do not have the same depth."""
    length = np.nan_to_num(np.asarray(tree.length))
    units = length * _DECIMALS
    has_more, has_fewer = (np.abs(units - np.round(units / step) * step) > 1e-3 for step in (1, 10))
    if has_more.any() or not has_fewer.any():
        return False
    depths, above = np.zeros(len(length)), [0.0]
    for node in range(len(length) - 2, -1, -1):
        level = int(tree.level[node])
        del above[level:]
        depths[node] = above[-1] + length[node]
        above.append(depths[node])
    first, second = depths[: top[0] + 1].max(), depths[top[0] + 1 : top[1] + 1].max()
    return bool(abs(first - second) > _BALANCED * max(first, second))


def _check_lengths(path: Path, tree: TreeArrays) -> None:
    for is_bad, problem, remedy in (
        (
            lambda length: length < 0,
            "have a negative length",
            "Set them to 0 or build the tree by another method, not by neighbour joining.",
        ),
        (lambda length: length > _LONGEST, f"are longer than {_LONGEST:g}", "Correct them."),
    ):
        bad = tree.find(lambda _, length, is_bad=is_bad: is_bad(length))
        if len(bad):
            names = name_some(tree.name_nodes(bad, "(inner node)"))
            raise TreeError(f"{len(bad):,} branches of --tree {path} {problem}: {names}. {remedy}")


def _check_commas(path: Path, tree: TreeArrays) -> None:
    """Raise for ``A:0,25``, which means that A has length 0, and that 25 is a tip without a length."""
    without_length = tree.find(lambda _, length: np.isnan(length))[:_MOST_CHECKED]
    tips = without_length[tree.is_tip[without_length] & (without_length > 0)]
    names = tree.name_nodes(tips, "")
    previous_lengths = tree.length[tips - 1]
    for name, length in zip(names, previous_lengths.tolist(), strict=True):
        if name.isdecimal() and length.is_integer():
            raise TreeError(
                f"--tree {path} seems to write lengths with a comma: {length:.0f},{name} is a length of {length:.0f} and a tip "
                f"named {name!r} without one. Write it anew with decimal points."
            )


def write_newick(path: Path, parent: np.ndarray, length: np.ndarray, names: Sequence[str | None]) -> None:
    """Write a tree as Newick.

    Parameters
    ----------
    path
        File to write.
    parent
        Parent of each node, in post-order, −1 for the root; [N].
    length
        Length of the branch above each node, [N]; NaN is not written.
    names
        Name of each node, [N]; empty names are not written.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    parents = parent.tolist()
    opening = _count_opening_parentheses(parents)
    parts = []
    for node, (branch, name) in enumerate(zip(length.tolist(), names, strict=True)):
        is_inner = node > 0 and parents[node - 1] == node  # in post-order, the last child stands just before its parent
        parts.append(")" if is_inner else "(" * opening[node])
        parts.append(_quote(name or ""))
        parts.append("" if math.isnan(branch) else f":{branch!r}")
        if parents[node] != node + 1:
            parts.append(",")
    parts[-1] = ";\n"
    write_text_atomic(path, "".join(parts))


def _count_opening_parentheses(parent: list[int]) -> list[int]:
    """Count the inner nodes of which each tip is the first descendant."""
    opening = [0] * len(parent)
    first_tip = list(range(len(parent)))
    waiting: list[int] = []
    for node in range(len(parent)):
        while waiting and parent[waiting[-1]] == node:
            first_tip[node] = first_tip[waiting.pop()]
        if first_tip[node] != node:
            opening[first_tip[node]] += 1
        waiting.append(node)
    assert waiting == [len(parent) - 1], "the nodes are not in post-order"
    return opening


def _quote(name: str) -> str:
    return "'" + name.replace("'", "''") + "'" if _NEEDS_QUOTES.search(name) else name
