"""Say which ids two files have, by which rule those of one are those of the other, and with which command to write them alike."""

import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Literal

from aam.errors import name_some
from aam.io.ids.rules import Rule, likely_rule

Place = Literal["first column", "FASTA"]
"""Where a file of text has its ids, if awk is to write them anew."""

_SHOWN = 3

_MOST = 1_000_000
"""Ids of a file that are compared; a rule shows on fewer."""

_BINARY = (".gz", ".qza", ".qzv", ".zip", ".biom", ".h5", ".hdf5", ".npy")

_AWK = {
    "first column": "awk -F'\\t' -v OFS='\\t' 'NR > 1 && !/^#/ {{id = $1; {edit}; $1 = id}} 1' {old} > {new}",
    "FASTA": "awk '/^>/ {{split(substr($0, 2), word, /[ \\t]/); id = word[1]; {edit}; $0 = \">\" id}} 1' {old} > {new}",
}

_AT_THE_END = re.compile(r"(?<!\d)\d{1,9}$")  # more digits are no number to some versions of awk

_SEPARATORS = re.compile(r"[-._ /:]+")

_LONGEST_LIST = 2500  # letters of a command that lists all ids, where no shorter one does it

_HEAD = 1 << 16  # bytes of a file that are looked at

_DIVIDERS = ",;|~"

_Edit = tuple[str, Callable[[str], str]]


def mismatch(table_ids: Iterable[str], found: Iterable[str], where: str, file: tuple[Path, Place] | None = None) -> str:
    """Return sentences on ids of the table that another file lacks: what it has instead, the likely rule, and what to do about it.

    Parameters
    ----------
    table_ids
        Ids of the table.
    found
        Ids of the file.
    where
        The file, as the subject of a sentence.
    file
        Its path, and where it has the ids, if they can be written anew; None for no command.

    Examples
    --------
    >>> mismatch(["S1", "S2"], ["S001", "S002"], "The tree")
    "The tree has 'S001', 'S002'. 2 of the 2 differ in zeros in front of numbers: 'S1' is 'S001' there."
    """
    ids, others = list(islice(table_ids, _MOST)), list(islice(found, _MOST))
    in_table, in_file = set(ids), set(others)
    absent = [name for name in ids if name not in in_file]
    unknown = [other for other in others if other not in in_table]
    if not unknown:
        return f"{where} has no ids beside those of the table."
    rule = likely_rule(absent, unknown)
    if rule is None:
        return f"{where} has {name_some(unknown, _SHOWN)}."
    named = [other for _, other in rule.pairs]
    first = named[:_SHOWN]
    shown = [*first, *(other for other in unknown if other not in first)]
    (name, other), n = rule.pairs[0], len(rule.pairs)
    text = (
        f"{where} has {name_some(shown, _SHOWN)}. {n:,} of the {len(absent):,} differ{'s' if n == 1 else ''} in {rule.says}: "
        f"{name_some([name])} is {name_some([other])} there."
    )
    command = None if file is None else rewriting(rule, in_table & in_file, *file)
    return text if command is None else f"{text} To write the ids as the table has them: `{command}`"


def rewriting(rule: Rule, same: Iterable[str], path: Path, place: Place) -> str | None:
    """Return the command line that writes the ids of a file as the table has them, and leaves those that are the same.

    None if there is none that does it for all pairs.
    """
    if path.suffix.lower() in _BINARY or (place == "first column" and not _has_plain_cells(path)):
        return None
    pairs = [*rule.pairs, *((name, name) for name in same)]
    if not all(other.isascii() for _, other in pairs):
        return None  # some versions of awk count and change bytes
    edit = next((edit for edit, function in _edits(rule) if all(function(b) == a for a, b in pairs)), _listed(rule))
    if edit is None:
        return None
    new = path.with_name(f"{path.stem}_renamed{path.suffix}")
    return _AWK[place].format(edit=edit, old=shlex.quote(str(path)), new=shlex.quote(str(new)))


def _has_plain_cells(path: Path) -> bool:
    """Return whether a file has tabs between its columns and no quotes around the first, as the command takes for granted."""
    try:
        with path.open("rb") as file:
            lines = file.read(_HEAD).splitlines()[:2]
    except OSError:
        return True
    return not lines or (any(b"\t" in line for line in lines) and not any(line.startswith(b'"') for line in lines))


def _edits(rule: Rule) -> Iterator[_Edit]:
    """Yield statements of awk on the variable id that may turn one id into the other, each with what it does as a function."""
    name, other = rule.pairs[0]
    yield "id = tolower(id)", str.lower
    yield "id = toupper(id)", str.upper
    yield r'gsub(/^[ "]+|[ "]+$/, "", id)', lambda text: re.sub(r'^[ "]+|[ "]+$', "", text)
    yield r'gsub(/^[ "\047]+|[ "\047]+$/, "", id)', lambda text: re.sub(r"^[ \"']+|[ \"']+$", "", text)
    yield r'sub(/[;|].*/, "", id)', lambda text: re.sub(r"[;|].*", "", text)
    for sign in "_.-":
        yield f'gsub(/[-._ \\/:]+/, "{sign}", id)', lambda text, sign=sign: re.sub(r"[-._ /:]+", sign, text)
    yield from _joined(name)
    yield r'gsub(/[^A-Za-z0-9._]/, ".", id); sub(/^[0-9]/, "X&", id)', _as_of_r
    yield 'sub(/^X/, "", id)', lambda text: text.removeprefix("X")
    yield r'while (match(id, /(^|[^0-9])0+[0-9]/)) sub(/0/, "", id)', lambda text: re.sub(r"(?<!\d)0+(?=\d)", "", text)
    width = len(match[0]) if (match := _AT_THE_END.search(name)) else 0
    if width:
        padded = f'if (match(id, /[0-9]+$/)) id = substr(id, 1, RSTART - 1) sprintf("%0{width}d", substr(id, RSTART))'
        yield padded, lambda text: _AT_THE_END.sub(lambda match: match[0].lstrip("0").zfill(width), text)
    yield r'sub(/_S[0-9]+_L[0-9]+.*/, "", id)', lambda text: re.sub(r"_S[0-9]+_L[0-9]+.*", "", text)
    yield from _cuts(name, other)


def _joined(name: str) -> Iterator[_Edit]:
    """Yield the statement that puts the separators of an id of the table, which may differ, in the place of others, in order."""
    signs = _SEPARATORS.findall(name)
    if len(set(signs)) < 2:
        return

    def function(text: str) -> str:
        parts = _SEPARATORS.split(text)
        return parts[0] + "".join(f"{sign}{part}" for sign, part in zip([*signs, ""], parts[1:], strict=False))

    joined = " ".join(f'"{_quoted(sign)}" part[{number}]' for number, sign in enumerate(signs, start=2))
    n = len(signs) + 1
    yield f"if (split(id, part, /[-._ \\/:]+/) == {n}) id = part[1] {joined}", function


def _listed(rule: Rule) -> str | None:
    """Return the statement that lists all pairs, for what no rule gives back, such as the number in '_S12'; None if too long."""
    names = [name for pair in rule.pairs for name in reversed(pair)]
    divider = next((sign for sign in _DIVIDERS if not any(sign in name for name in names)), None)
    if divider is None or any(not name.isascii() or len(name.split()) != 1 for name in names):
        return None
    statement = (
        f'if (!n) {{n = split("{_quoted(divider.join(names))}", pair, "{divider}"); for (k = 1; k < n; k += 2) '
        "name[pair[k]] = pair[k + 1]}; if (id in name) id = name[id]"
    )
    return statement if len(statement) <= _LONGEST_LIST else None


def _cuts(name: str, other: str) -> Iterator[_Edit]:
    """Yield statements that take away, or add, what stands before or behind an id."""
    if name.startswith(other):
        suffix = name[len(other) :]
        yield f'id = id "{_quoted(suffix)}"', lambda text: text + suffix
    if name.endswith(other):
        prefix = name[: -len(other)]
        yield f'id = "{_quoted(prefix)}" id', lambda text: prefix + text
    if other.startswith(name):
        n_cut = len(other) - len(name)
        sign = re.escape(other[len(name)])
        yield f"id = substr(id, 1, length(id) - {n_cut})", lambda text: text[:-n_cut]
        if not other[len(name)].isalnum():
            yield f'sub(/[{sign}].*/, "", id)', lambda text: re.sub(f"[{sign}].*", "", text)
            yield f'sub(/[{sign}][^{sign}]*$/, "", id)', lambda text: re.sub(f"[{sign}][^{sign}]*$", "", text)
    if other.endswith(name):
        n_cut = len(other) - len(name)
        sign = re.escape(other[-len(name) - 1])
        yield f"id = substr(id, {n_cut + 1})", lambda text: text[n_cut:]
        if not other[-len(name) - 1].isalnum():
            yield f'sub(/.*[{sign}]/, "", id)', lambda text: re.sub(f".*[{sign}]", "", text)
            yield f'sub(/^[^{sign}]*[{sign}]/, "", id)', lambda text: re.sub(f"^[^{sign}]*[{sign}]", "", text)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("'", "'\\''")


def _as_of_r(name: str) -> str:
    return re.sub(r"^([0-9])", r"X\1", re.sub(r"[^A-Za-z0-9._]", ".", name))
