"""Parse Newick with arrays of blocks of the text, for trees of millions of tips, in constant memory and without recursion.

A node ends with ``,``, ``)`` or ``;``, so these marks, in the order of the text, number the nodes in post-order. A node is
determined by the text before its end and the number of parentheses that are open there; every rule of the grammar compares two
neighbouring marks. Blocks are cut behind a mark, and the state at that mark is carried to the next block. When several rules are
broken, the first position is reported, as by a reader from left to right.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

_OPEN, _CLOSE, _COMMA, _COLON, _END, _WORD, _QUOTED = range(1, 8)

_SPACE = 0

_KINDS = bytearray([_WORD]) * 256

for _letters, _kind in (
    (b"(", _OPEN),
    (b")", _CLOSE),
    (b",", _COMMA),
    (b":", _COLON),
    (b";", _END),
    (b" \t\n\r\v\f", _SPACE),
):
    for _letter in _letters:
        _KINDS[_letter] = _kind

_SPECIAL = re.compile(rb"'[^']*+(?:''[^']*+)*+'|\[[^\]]*\]|['\[\]]")

_NUMBER = re.compile(rb"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")

_OF_NUMBERS = b"0123456789+-.eE"

_BLOCK = 2**18  # bytes that are parsed in one step

_SHOWN = 20  # letters of a word

_NEVER_CLOSED = "unbalanced parentheses: '(' is never closed"


class Nodes(NamedTuple):
    """Consecutive nodes in post-order.

    ``level`` is the number of branches between each node and the root, int32 [N]; ``length`` is that of the branch above it, NaN if
    missing, float64 [N]; ``is_tip`` is bool [N]; ``names`` are those of the tips, UTF-8, empty if missing.
    """

    level: np.ndarray
    length: np.ndarray
    is_tip: np.ndarray
    names: list[bytes]


class NewickError(Exception):
    """A problem of a Newick text, and its position.

    Parameters
    ----------
    character
        Number of the character, from 1; None for the end of the text.
    problem
        Description of the problem.
    """

    def __init__(self, character: int | None, problem: str) -> None:
        super().__init__(problem)
        self.character = character


class _Finding(NamedTuple):
    """A broken rule: the byte at which a reader from left to right notices it, and the character to report, if another."""

    noticed: int
    problem: str
    character: int | None = None


class _Marks(NamedTuple):
    """Marks of structure in a block, and words between them.

    ``codes`` and ``positions`` [M] are the marks; ``starts`` and ``stops`` [W] the words; ``gap`` [W] the mark that follows each
    word; ``word`` [M + 1] the first word before each mark, −1 if there is none. ``before`` [M] is the code of the previous mark,
    and ``level`` [M] the number of parentheses that are open around the node that the mark ends.
    """

    codes: np.ndarray
    positions: np.ndarray
    starts: np.ndarray
    stops: np.ndarray
    gap: np.ndarray
    word: np.ndarray
    before: np.ndarray
    level: np.ndarray


def scan(blocks: Iterable[bytes]) -> Iterator[Nodes]:
    """Parse one tree from blocks of its text, which may be cut anywhere, and yield its nodes block by block.

    Raises
    ------
    NewickError
        The text is not one well-formed tree.
    """
    scanner, rest, wanted = _Scanner(), b"", _BLOCK
    for block in blocks:
        rest += block
        if len(rest) < wanted:
            continue
        kinds, findings = _classify(rest)
        cut = _find_cut(kinds, findings)
        if cut:
            yield scanner.read(rest[:cut], kinds[:cut], [])
        rest = rest[cut:]
        wanted = max(_BLOCK, 2 * len(rest))  # a long name or comment is not parsed again for each of its blocks
    yield scanner.read(rest, *_classify(rest))
    scanner.finish()


def _find_cut(kinds: np.ndarray, findings: list[_Finding]) -> int:
    """Return the position behind the last mark at which a block may be cut; a quote or comment may be closed in the next block."""
    stop = findings[0].noticed if findings else len(kinds)
    marks = np.flatnonzero((kinds[:stop] >= _OPEN) & (kinds[:stop] <= _COMMA))
    return int(marks[-1]) + 1 if len(marks) else 0


class _Scanner:
    """Parser of blocks that end behind a mark, with the state that the next block needs."""

    def __init__(self) -> None:
        self._n_characters = self._level = 0
        self._last = _SPACE
        self._is_empty, self._is_ended = True, False
        self._opening = np.zeros(1, dtype=np.int64)  # character of the last '(' of each level

    def read(self, text: bytes, kinds: np.ndarray, findings: list[_Finding]) -> Nodes:
        """Parse the nodes that end in a block; ``findings`` are those of `_classify`."""
        marks = _find_marks(kinds, self._last, self._level)
        ends = np.flatnonzero(np.isin(marks.codes, (_COMMA, _CLOSE, _END)))
        has_length = marks.before[ends] == _COLON
        lengths, mistakes = _parse_lengths(text, marks, marks.word[np.flatnonzero(marks.before == _COLON)])
        findings = [*findings, *_check_grammar(text, marks), *self._check_end(text, marks), *mistakes]
        if findings:
            first = min(findings, key=lambda finding: finding.noticed)
            raise NewickError(first.character or self._character(text, first.noticed), first.problem)
        length = np.full(len(ends), np.nan)
        length[has_length] = lengths
        label = ends - has_length  # the mark after the name: the end, or ':' before the length
        is_tip = marks.before[label] != _CLOSE
        self._update(text, marks)
        return Nodes(marks.level[ends], length, is_tip, list(_tip_names(text, marks, marks.word[label[is_tip]])))

    def finish(self) -> None:
        """Check that the tree has ended where the text does."""
        if self._is_empty:
            raise NewickError(None, "is empty. Pass one tree in Newick format.")
        if not self._is_ended and self._level:
            raise NewickError(int(self._opening[self._level]), _NEVER_CLOSED)
        if not self._is_ended:
            raise NewickError(None, "does not end with ';'. The file may be cut off: copy it again.")

    def _check_end(self, text: bytes, marks: _Marks) -> list[_Finding]:
        """Check that one ';' ends the text, with all parentheses closed."""
        ends = [-1] if self._is_ended else np.flatnonzero(marks.codes == _END)[:1].tolist()
        self._remember_opening(text, marks, *ends)
        if not ends:
            return []
        (end,), findings = ends, []
        if not self._is_ended and marks.level[end] > 0:
            opening = int(self._opening[marks.level[end]])
            findings.append(_Finding(int(marks.positions[end]), _NEVER_CLOSED, opening))
        later = [*marks.positions[end + 1 : end + 2], *marks.starts[marks.gap > end][:1]]
        if later:
            problem = "text follows the ';' that ends the tree; more than one tree is not read"
            findings.append(_Finding(int(min(later)), problem))
        self._is_ended = True
        return findings

    def _remember_opening(self, text: bytes, marks: _Marks, end: int | None = None) -> None:
        """Store the character of the last open parenthesis of each level."""
        level = marks.level[:end]
        is_opening = (marks.codes[:end] == _OPEN) & (level > 0)
        if level.max(initial=0) >= len(self._opening):
            self._opening = np.append(self._opening, np.zeros(level.max(), dtype=np.int64))
        position = marks.positions[:end][is_opening]
        if not text.isascii():  # letters of several bytes
            position = position - np.cumsum(np.frombuffer(text, dtype=np.uint8) & 0xC0 == 0x80)[position]
        self._opening[level[is_opening]] = self._n_characters + 1 + position

    def _character(self, text: bytes, position: int) -> int:
        """Return the number of the character at a byte of the block."""
        return self._n_characters + len(text[:position].decode("utf-8")) + 1

    def _update(self, text: bytes, marks: _Marks) -> None:
        """Store the state that the next block needs."""
        self._n_characters += len(text.decode("utf-8"))
        self._is_empty &= not len(marks.codes) + len(marks.starts)
        if len(marks.codes):
            self._last = int(marks.codes[-1])
            self._level = int(marks.level[-1]) - (self._last == _CLOSE)


def _classify(text: bytes) -> tuple[np.ndarray, list[_Finding]]:
    """Return the kind of each byte, and unpaired quotes and brackets; quoted names are one word each, and comments are space."""
    kinds = bytearray(text).translate(_KINDS)
    findings = []
    if any(letter in text for letter in (b"'", b"[", b"]")):
        for match in _SPECIAL.finditer(text):
            start, stop = match.span()
            if stop - start == 1:
                letter = match[0].decode()
                problem = f"{letter} has no partner; put names that hold special characters in quotes"
                if letter == "[":
                    problem = "the comment that '[' starts is not closed by ']'"
                findings.append(_Finding(start, problem))
            kind = _QUOTED if stop - start > 1 and match[0][:1] == b"'" else _SPACE
            kinds[start:stop] = bytes([kind]) * (stop - start)
    return np.frombuffer(kinds, dtype=np.uint8), findings


def _find_marks(kinds: np.ndarray, last: int, level: int) -> _Marks:
    """Find the marks of a block that follows the mark ``last``, where ``level`` parentheses are open."""
    before = np.concatenate([[_SPACE], kinds])
    after = np.concatenate([kinds, [_SPACE]])
    is_change = before != after
    position = np.flatnonzero((kinds >= _OPEN) & (kinds <= _END))
    start, stop = np.flatnonzero(is_change & (after >= _WORD)), np.flatnonzero(is_change & (before >= _WORD))
    gap = np.searchsorted(position, start)
    word = np.full(len(position) + 1, -1)
    word[gap[::-1]] = np.arange(len(start))[::-1]  # the first word of a gap is written last
    codes = kinds[position]
    step = (codes == _OPEN).astype(np.int32) - (codes == _CLOSE)
    levels = level + np.cumsum(step, dtype=np.int32) - np.minimum(step, 0)
    previous_codes = np.concatenate([[last], codes])[:-1].astype(np.uint8)
    return _Marks(codes, position, start, stop, gap, word, previous_codes, levels)


def _check_grammar(text: bytes, marks: _Marks) -> list[_Finding]:
    """Find the first violation of each rule that compares a mark with the one before it."""
    codes, before = marks.codes, marks.before
    has_word = marks.word[:-1] >= 0
    is_open, is_close, is_comma, is_end = (codes == kind for kind in (_OPEN, _CLOSE, _COMMA, _END))
    is_outside = marks.level < 1
    rules = [
        (
            is_open & (has_word | (before == _CLOSE) | (before == _COLON)),
            "'(' follows a node without a comma between them",
        ),
        (is_comma & is_outside, "unbalanced parentheses: ',' stands outside of them"),
        (is_close & is_outside, "unbalanced parentheses: ')' closes nothing"),
        ((codes == _COLON) & (before == _COLON), "a node has two lengths"),
        ((is_comma | is_close | is_end) & (before == _COLON) & ~has_word, "the length after ':' is missing"),
    ]
    findings = [
        _Finding(int(marks.positions[np.argmax(is_broken)]), problem) for is_broken, problem in rules if is_broken.any()
    ]
    is_second = marks.gap[1:] == marks.gap[:-1]
    if is_second.any():
        word = int(np.argmax(is_second)) + 1
        shown = _text_of(text, marks, word)
        problem = f"{shown!r} follows a name or length; put names that hold spaces in quotes"
        findings.append(_Finding(int(marks.starts[word]), problem))
    return findings


def _text_of(text: bytes, marks: _Marks, word: int) -> str:
    return text[marks.starts[word] : marks.stops[word]].decode("utf-8")[:_SHOWN]


def _words(text: bytes, marks: _Marks, chosen: np.ndarray) -> Iterator[bytes]:
    ranges = zip(marks.starts[chosen].tolist(), marks.stops[chosen].tolist(), strict=True)
    return (text[start:stop] for start, stop in ranges)


def _parse_lengths(text: bytes, marks: _Marks, chosen: np.ndarray) -> tuple[np.ndarray, list[_Finding]]:
    """Convert words to numbers, or find the first that is not a number; missing words (−1) are left to the grammar."""
    chosen = chosen[chosen >= 0]
    try:
        return np.fromiter(map(_parse, _words(text, marks, chosen)), dtype=np.float64, count=len(chosen)), []
    except ValueError:
        is_bad = (not _NUMBER.fullmatch(word) for word in _words(text, marks, chosen))
        word = int(chosen[next(number for number, bad in enumerate(is_bad) if bad)])
        problem = f"the length {_text_of(text, marks, word)!r} is not a number"
        return np.empty(0), [_Finding(int(marks.starts[word]), problem)]


def _parse(word: bytes) -> float:
    if word.strip(_OF_NUMBERS):
        raise ValueError  # float also takes names of numbers, such as nan
    return float(word)


def _tip_names(text: bytes, marks: _Marks, words: np.ndarray) -> Iterator[bytes]:
    """Yield the name of each tip, whose word may be missing (−1)."""
    names = _words(text, marks, words[words >= 0])
    for is_named in (words >= 0).tolist():
        name = next(names) if is_named else b""
        yield name[1:-1].replace(b"''", b"'") if name.startswith(b"'") else name
