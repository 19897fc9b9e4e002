"""Phylogenetic trees in Newick: a text to flat arrays and back, without recursion."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np

from aam.errors import TreeError, name_some
from aam.io.atomic import write_text_atomic
from aam.io.qza import TREE
from aam.io.text_file import read_text

_TOKEN = re.compile(
    r"""[(),:;]                            # structure
    | '[^']*+(?:''[^']*+)*+'               # quoted name, quotes in it doubled
    | [^\s()\[\]':,;]+                     # unquoted name or number
    | \[[^\]]*\] | \s+                     # comment, white space
    | .                                    # a quote or bracket without its partner""",
    re.VERBOSE,
)
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_NEEDS_QUOTES = re.compile(r"[\s()\[\]':,;]")
_NO_CHILDREN = -1


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
        Name of each node, None where the file gave none; of inner nodes this may be a support value.
    """

    parent: np.ndarray
    length: np.ndarray
    names: list[str | None]


def read_newick(path: Path) -> TreeArrays:
    """Read one tree, plain text or gzip; underscores in names stay as they are, as in QIIME 2.

    Raises
    ------
    TreeError
        The file is missing, empty or not one well-formed Newick tree; a length is malformed or negative; the tree has fewer
        than two tips, or tips without a name or with the same name.
    """
    text = read_text(path, TreeError, "--tree", TREE)
    if not text.strip():
        raise TreeError(f"--tree {path} is empty. Pass one tree in Newick format.")
    builder = _Builder(path)
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token[0] != "[" and not token.isspace():
            builder.take(token, match.start() + 1)
        elif token == "[":
            builder.fail(match.start() + 1, "the comment that '[' starts is not closed by ']'")
    tree = builder.finish()
    _check_tips(path, tree)
    _check_lengths(path, tree)
    return tree


class _Builder:
    """Turns tokens into nodes; a node gets its number when it is complete, which is post-order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.parent: list[int] = []
        self.length: list[float] = []
        self.names: list[str | None] = []
        self.waiting: list[int] = []  # complete nodes whose parent is not
        self.opened: list[tuple[int, int]] = []  # for each open '(': how many nodes waited, and the character
        self.is_complete = False
        self.actions = {"(": self.open, ")": self.close, ",": self.separate, ":": self.colon, ";": self.end}
        self.start_node(0)

    def start_node(self, position: int) -> None:
        self.node_start = position
        self.first_child = _NO_CHILDREN
        self.name: str | None = None
        self.branch = math.nan
        self.is_length_next = False
        self.has_length = False

    def fail(self, position: int, problem: str) -> NoReturn:
        raise TreeError(f"--tree {self.path}: character {position:,}: {problem}. Pass one tree in Newick format.")

    def take(self, token: str, position: int) -> None:
        if self.is_complete:
            self.fail(position, "text follows the ';' that ends the tree; more than one tree is not read")
        action = self.actions.get(token)
        if action is not None:
            action(position)
        elif self.is_length_next:
            self.take_length(token, position)
        else:
            self.take_name(token, position)

    def open(self, position: int) -> None:
        if self.first_child != _NO_CHILDREN or self.name is not None or self.is_length_next or self.has_length:
            self.fail(position, "'(' follows a node without a comma between them")
        self.opened.append((len(self.waiting), position))

    def separate(self, position: int) -> None:
        if not self.opened:
            self.fail(position, "unbalanced parentheses: ',' stands outside of them")
        self.finish_node(position)

    def close(self, position: int) -> None:
        if not self.opened:
            self.fail(position, "unbalanced parentheses: ')' closes nothing")
        self.finish_node(position)
        self.first_child, _ = self.opened.pop()

    def colon(self, position: int) -> None:
        if self.is_length_next or self.has_length:
            self.fail(position, "a node has two lengths")
        self.is_length_next = True

    def end(self, position: int) -> None:
        self.check_closed()
        self.finish_node(position)
        self.is_complete = True

    def take_length(self, token: str, position: int) -> None:
        if not _NUMBER.fullmatch(token):
            self.fail(position, f"the length {token[:20]!r} is not a number")
        self.branch = float(token)
        self.is_length_next, self.has_length = False, True

    def take_name(self, token: str, position: int) -> None:
        if token in "']":
            self.fail(position, f"{token} has no partner; put names that hold special characters in quotes")
        if self.name is not None or self.has_length:
            self.fail(position, f"{token[:20]!r} follows a name or length; put names that hold spaces in quotes")
        self.name = token[1:-1].replace("''", "'") if token[0] == "'" else token

    def finish_node(self, position: int) -> None:
        if self.is_length_next:
            self.fail(position, "the length after ':' is missing")
        node = len(self.parent)
        self.parent.append(-1)
        self.length.append(self.branch)
        self.names.append(self.name or None)
        if self.first_child != _NO_CHILDREN:
            for child in self.waiting[self.first_child :]:
                self.parent[child] = node
            del self.waiting[self.first_child :]
        self.waiting.append(node)
        self.start_node(position)

    def check_closed(self) -> None:
        if self.opened:
            self.fail(self.opened[-1][1], "unbalanced parentheses: '(' is never closed")

    def finish(self) -> TreeArrays:
        if not self.is_complete:
            self.check_closed()
            raise TreeError(f"--tree {self.path} does not end with ';'. The file may be cut off: copy it again.")
        return TreeArrays(np.array(self.parent, dtype=np.int64), np.array(self.length), self.names)


def _check_tips(path: Path, tree: TreeArrays) -> None:
    is_tip = np.ones(len(tree.parent), dtype=bool)
    is_tip[tree.parent[:-1]] = False
    tips = [tree.names[node] for node in np.flatnonzero(is_tip)]
    if len(tips) < 2:
        raise TreeError(f"--tree {path} has fewer than two tips. Pass a tree with the features as tips.")
    n_unnamed = tips.count(None)
    if n_unnamed:
        raise TreeError(f"{n_unnamed:,} of {len(tips):,} tips of --tree {path} have no name. Name each by its feature.")
    duplicates = [name for name, n in Counter(tips).items() if n > 1]
    if duplicates:
        raise TreeError(
            f"{len(duplicates):,} names of tips occur more than once in --tree {path}: {name_some(duplicates)}. "
            "Make the names unique."
        )


def _check_lengths(path: Path, tree: TreeArrays) -> None:
    negative = np.flatnonzero(tree.length < 0)
    if len(negative):
        names = [tree.names[node] or "(unnamed)" for node in negative]
        raise TreeError(
            f"{len(negative):,} branches of --tree {path} have a negative length: {name_some(names)}. "
            "Set them to 0 or build the tree by another method."
        )
    endless = np.flatnonzero(np.isinf(tree.length))
    if len(endless):
        names = [tree.names[node] or "(unnamed)" for node in endless]
        raise TreeError(f"{len(endless):,} branches of --tree {path} are too long: {name_some(names)}. Correct them.")


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
