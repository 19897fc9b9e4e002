"""The grammar of Newick over whole arrays: a text of millions of tips to nodes, without a step per character and without recursion.

A node ends with ``,``, ``)`` or ``;``, so these marks, in the order of the text, number the nodes in post-order. What stands before
a node's end, and how many parentheses are open there, is all that is needed; every rule of the grammar looks at two neighbouring
marks. When several rules are broken, the first place is reported, as a reader from left to right would.
"""

import re
from collections.abc import Iterator
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
_BLOCK = 2**22  # bytes, or words, that are looked at in one step
_SHOWN = 20  # letters of a word


class Nodes(NamedTuple):
    """Nodes in post-order: the node above (−1 for the root), the branch's length (NaN if missing), and the names of tips."""

    parent: np.ndarray
    length: np.ndarray
    names: list[str | None]


class NewickError(Exception):
    """What is wrong, and at which byte (from 0; None for the end of the text)."""

    def __init__(self, position: int | None, problem: str) -> None:
        super().__init__(problem)
        self.position = position


class _Finding(NamedTuple):
    """A broken rule: where a reader from left to right would notice it, the place to show, and the problem."""

    noticed: int
    position: int | None
    problem: str


class _Marks(NamedTuple):
    """Marks of structure, and words between them.

    ``codes`` and ``places`` [M] are the marks; ``starts`` and ``stops`` [W] the words; ``gap`` [W] the mark that follows each word;
    ``word`` [M + 1] the first word before each mark, −1 if there is none.
    """

    codes: np.ndarray
    places: np.ndarray
    starts: np.ndarray
    stops: np.ndarray
    gap: np.ndarray
    word: np.ndarray


def scan(text: bytes) -> Nodes:
    """Read one tree.

    Raises
    ------
    NewickError
        The text is not one well-formed tree.
    """
    marks, findings = _find_marks(text)
    before = _marks_before(marks.codes)
    ends = np.flatnonzero(np.isin(marks.codes, (_COMMA, _CLOSE, _END)))
    has_length = before[ends] == _COLON
    lengths, mistakes = _parse_lengths(text, marks, marks.word[np.flatnonzero(before == _COLON)])
    findings += [*_check_grammar(text, marks), *mistakes]
    if findings:
        first = min(findings, key=lambda finding: finding.noticed)
        raise NewickError(first.position, first.problem)
    length = np.full(len(ends), np.nan)
    length[has_length] = lengths
    label = ends - has_length  # the mark after the name: the end, or ':' before the length
    names = _tip_names(text, marks, label, before[label] != _CLOSE)
    return Nodes(_parents(_levels(marks.codes)[ends]), length, names)


def _classify(text: bytes) -> tuple[np.ndarray, list[_Finding]]:
    """Give the kind of each byte; quoted names are one word each, and comments are space."""
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
                findings.append(_Finding(start, start, problem))
            kind = _QUOTED if stop - start > 1 and match[0][:1] == b"'" else _SPACE
            kinds[start:stop] = bytes([kind]) * (stop - start)
    return np.frombuffer(kinds, dtype=np.uint8), findings


def _find_marks(text: bytes) -> tuple[_Marks, list[_Finding]]:
    kinds, findings = _classify(text)
    index = np.int32 if len(text) < 2**31 else np.int64  # half the memory
    places, starts, stops = [], [], []
    for begin in range(0, len(kinds), _BLOCK):
        block = kinds[begin : begin + _BLOCK]
        before = np.concatenate([kinds[begin - 1 : begin] if begin else [_SPACE], block[:-1]])
        is_change = block != before
        for parts, is_there in (
            (places, (block >= _OPEN) & (block <= _END)),
            (starts, is_change & (block >= _WORD)),
            (stops, is_change & (before >= _WORD)),
        ):
            parts.append((begin + np.flatnonzero(is_there)).astype(index))
    if len(kinds) and kinds[-1] >= _WORD:
        stops.append(np.array([len(kinds)], dtype=index))
    place, start, stop = (np.concatenate([np.empty(0, dtype=index), *parts]) for parts in (places, starts, stops))
    gap = np.searchsorted(place, start).astype(index)
    word = np.full(len(place) + 1, -1, dtype=index)
    word[gap[::-1]] = np.arange(len(start), dtype=index)[::-1]  # the first word of a gap is written last
    return _Marks(kinds[place], place, start, stop, gap, word), findings


def _marks_before(codes: np.ndarray) -> np.ndarray:
    return np.concatenate([[_SPACE], codes[:-1]]).astype(np.uint8)[: len(codes)]


def _levels(codes: np.ndarray) -> np.ndarray:
    """Count the parentheses that are open around the node that each mark ends."""
    step = np.zeros(len(codes), dtype=np.int32)
    step[codes == _OPEN] = 1
    step[codes == _CLOSE] = -1
    return np.cumsum(step, dtype=np.int32) - np.minimum(step, 0)


def _check_grammar(text: bytes, marks: _Marks) -> list[_Finding]:
    codes, places = marks.codes, marks.places
    before = _marks_before(codes)
    has_word = marks.word[:-1] >= 0
    level = _levels(codes)
    is_open, is_close, is_comma, is_end = (codes == kind for kind in (_OPEN, _CLOSE, _COMMA, _END))
    is_outside = level < 1
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
    findings = _check_end(text, marks, level)
    for is_broken, problem in rules:
        if is_broken.any():
            place = int(places[np.argmax(is_broken)])
            findings.append(_Finding(place, place, problem))
    is_second = marks.gap[1:] == marks.gap[:-1]
    if is_second.any():
        word = int(np.argmax(is_second)) + 1
        shown = _text_of(text, marks, word)
        problem = f"{shown!r} follows a name or length; put names that hold spaces in quotes"
        findings.append(_Finding(int(marks.starts[word]), int(marks.starts[word]), problem))
    return findings


def _check_end(text: bytes, marks: _Marks, level: np.ndarray) -> list[_Finding]:
    """Check that one ';' ends the text, with all parentheses closed."""
    ends = np.flatnonzero(marks.codes == _END)
    findings = []
    if len(ends):
        end = int(ends[0])
        noticed, n_open = int(marks.places[end]), int(level[end])
        later = [*marks.places[end + 1 : end + 2], *marks.starts[marks.gap > end][:1]]
        if later:
            place = int(min(later))
            findings.append(
                _Finding(place, place, "text follows the ';' that ends the tree; more than one tree is not read")
            )
    else:
        end, noticed = len(marks.codes), len(text)
        n_open = int(level[-1]) - int(marks.codes[-1] == _CLOSE) if end else 0
        findings.append(_Finding(len(text) + 1, None, "does not end with ';'. The file may be cut off: copy it again."))
    if n_open > 0:
        opening = np.flatnonzero((marks.codes[:end] == _OPEN) & (level[:end] == n_open))[-1]
        findings.append(_Finding(noticed, int(marks.places[opening]), "unbalanced parentheses: '(' is never closed"))
    return findings


def _text_of(text: bytes, marks: _Marks, word: int) -> str:
    return text[marks.starts[word] : marks.stops[word]].decode("utf-8")[:_SHOWN]


def _words(text: bytes, marks: _Marks, chosen: np.ndarray) -> Iterator[bytes]:
    for begin in range(0, len(chosen), _BLOCK // 64):
        part = chosen[begin : begin + _BLOCK // 64]
        for start, stop in zip(marks.starts[part].tolist(), marks.stops[part].tolist(), strict=True):
            yield text[start:stop]


def _parse_lengths(text: bytes, marks: _Marks, chosen: np.ndarray) -> tuple[np.ndarray, list[_Finding]]:
    """Turn words into numbers, or find the first that is none; missing words (−1) are left to the grammar."""
    chosen = chosen[chosen >= 0]
    try:
        return np.fromiter(map(_parse, _words(text, marks, chosen)), dtype=np.float64, count=len(chosen)), []
    except ValueError:
        is_bad = (not _NUMBER.fullmatch(word) for word in _words(text, marks, chosen))
        word = int(chosen[next(number for number, bad in enumerate(is_bad) if bad)])
        place = int(marks.starts[word])
        return np.empty(0), [_Finding(place, place, f"the length {_text_of(text, marks, word)!r} is not a number")]


def _parse(word: bytes) -> float:
    if word.strip(_OF_NUMBERS):
        raise ValueError  # float also takes names of numbers, such as nan
    return float(word)


def _tip_names(text: bytes, marks: _Marks, label: np.ndarray, is_tip: np.ndarray) -> list[str | None]:
    words = marks.word[label]
    chosen = np.flatnonzero(is_tip & (words >= 0))
    names: list[str | None] = [None] * len(label)
    for node, word in zip(chosen.tolist(), _words(text, marks, words[chosen]), strict=True):
        name = word[1:-1].replace(b"''", b"'") if word.startswith(b"'") else word
        names[node] = name.decode("utf-8") or None
    return names


def _parents(level: np.ndarray) -> np.ndarray:
    """Find for each node the next one that is one level up: it ends where the parentheses around both close."""
    n_nodes = len(level)
    order = np.argsort(level, kind="stable")
    key = level[order].astype(np.int64) * n_nodes + order
    parent = np.full(n_nodes, -1, dtype=np.int64)
    is_below = level[order] > 0
    above = np.searchsorted(key, key[is_below] - n_nodes)
    parent[order[is_below]] = order[above]
    return parent
