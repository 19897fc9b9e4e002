"""Phylogenetic trees in Newick: a text to flat arrays and back, without recursion."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aam.errors import TreeError, name_some
from aam.io.atomic import write_text_atomic
from aam.io.newick_scan import NewickError, scan
from aam.io.qza import TREE
from aam.io.text_file import read_bytes

_LONGEST = 1e100  # a million of them, and their squares, can be added up
_NEEDS_QUOTES = re.compile(r"[\s()\[\]':,;]")


@dataclass(frozen=True)
class TreeArrays:
    """A rooted tree, its nodes in post-order: children before their parent, the root last.

    Attributes
    ----------
    parent
        Node above each node, −1 for the root, int64 [N].
    length
        Length of the branch above each node, NaN where the file gave none, float64 [N].
    names
        Name of each tip. None for inner nodes: what they are called, mostly a support value, has no use here, and in a tree of a
        million tips would take as much memory as the lengths and parents together.
    """

    parent: np.ndarray
    length: np.ndarray
    names: list[str | None]


def read_newick(path: Path) -> TreeArrays:
    """Read one rooted tree: plain text, gzip or a QIIME 2 artifact. Underscores in names stay as they are, as in QIIME 2.

    Raises
    ------
    TreeError
        The file is missing, empty or not one well-formed Newick tree; a length is malformed or negative; the tree has fewer
        than two tips, tips without a name or with the same name, or no root (more than two branches leave the first node).
    """
    text = read_bytes(path, TreeError, "--tree", TREE)
    if not text or text.isspace():
        raise TreeError(f"--tree {path} is empty. Pass one tree in Newick format.")
    try:
        tree = TreeArrays(*scan(text))
    except NewickError as problem:
        if problem.position is None:
            raise TreeError(f"--tree {path} {problem}") from None
        character = len(text[: problem.position].decode("utf-8")) + 1
        raise TreeError(f"--tree {path}: character {character:,}: {problem}. Pass one tree in Newick format.") from None
    _check_tips(path, tree)
    _check_root(path, tree)
    _check_lengths(path, tree)
    return tree


def _check_tips(path: Path, tree: TreeArrays) -> None:
    is_tip = np.ones(len(tree.parent), dtype=bool)
    is_tip[tree.parent[:-1]] = False
    tips = [tree.names[node] for node in np.flatnonzero(is_tip)]
    if len(tips) < 2:
        raise TreeError(f"--tree {path} has fewer than two tips. Pass a tree with the features as tips.")
    n_unnamed = tips.count(None)
    if n_unnamed:
        raise TreeError(f"{n_unnamed:,} of {len(tips):,} tips of --tree {path} have no name. Name each by its feature.")
    if len(set(tips)) < len(tips):
        duplicates = [name for name, n in Counter(tips).items() if n > 1]
        raise TreeError(
            f"{len(duplicates):,} names of tips occur more than once in --tree {path}: {name_some(duplicates)}. "
            "Make the names unique."
        )


def _check_root(path: Path, tree: TreeArrays) -> None:
    n_children = int((tree.parent == len(tree.parent) - 1).sum())
    if n_children > 2:
        raise TreeError(
            f"--tree {path} is unrooted: {n_children:,} branches leave its first node, and a root has two. UniFrac depends on the "
            "root: set it with `qiime phylogeny midpoint-root`, or scikit-bio's TreeNode.root_at_midpoint."
        )


def _check_lengths(path: Path, tree: TreeArrays) -> None:
    for is_bad, problem, remedy in (
        (tree.length < 0, "have a negative length", "Set them to 0 or build the tree by another method."),
        (tree.length > _LONGEST, f"are longer than {_LONGEST:g}", "Correct them."),
    ):
        bad = np.flatnonzero(is_bad)
        if len(bad):
            names = [tree.names[node] or "(inner node)" for node in bad]
            raise TreeError(f"{len(bad):,} branches of --tree {path} {problem}: {name_some(names)}. {remedy}")


def write_newick(path: Path, parent: np.ndarray, length: np.ndarray, names: Sequence[str | None]) -> None:
    """Write a tree whose nodes are in post-order, as in `TreeArrays`; NaN lengths and empty names are left out.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    above = parent.tolist()
    opening = _count_opening_parentheses(above)
    parts = []
    for node, (branch, name) in enumerate(zip(length.tolist(), names, strict=True)):
        is_inner = node > 0 and above[node - 1] == node  # in post-order, the last child stands just before its parent
        parts.append(")" if is_inner else "(" * opening[node])
        parts.append(_quote(name or ""))
        parts.append("" if math.isnan(branch) else f":{branch!r}")
        if above[node] != node + 1:
            parts.append(",")
    parts[-1] = ";\n"
    write_text_atomic(path, "".join(parts))


def _count_opening_parentheses(parent: list[int]) -> list[int]:
    """Count, for each tip, the inner nodes of which it is the first descendant."""
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
