"""Find features in FASTA headers by what vsearch, usearch, mothur and QIIME 2 write beside, or instead of, their ids."""

import hashlib
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from aam.errors import name_some
from aam.io.ids.advice import mismatch
from aam.io.ids.rules import without_annotation

logger = logging.getLogger(__name__)


_MOST = 2_000_000
"""Features without a record of their name that are looked for by a rule."""

_PER_BLOCK = 1 << 12

_PARTS = 4

_BETWEEN_PARTS = re.compile(r"[\s|;,]+")

_SUM = re.compile(r"[0-9a-f]{32}|[0-9a-f]{40}")

_SHORTEST_SEQUENCE = 30

Records = Callable[[], Iterator[tuple[str, str]]]
"""Reads the file anew: header and sequence of each record."""


class HeaderRule(NamedTuple):
    """Rule by which a record has a feature's name.

    Attributes
    ----------
    says
        The rule, as the end of "features are found by".
    names
        Names that a record has by the rule, from its header and sequence.
    """

    says: str
    names: Callable[[str, str], tuple[str, ...]]


class NamedRecord(NamedTuple):
    """Record of a FASTA file, with the index in the table of the feature that it is of by a rule."""

    feature: int
    name: str
    sequence: str


def _without_annotation(header: str, _: str) -> tuple[str, ...]:
    return (without_annotation(header.split(maxsplit=1)[0]),)


def _whole(header: str, _: str) -> tuple[str, ...]:
    return (header.strip("\"' "),)


def _part(number: int) -> Callable[[str, str], tuple[str, ...]]:
    def part(header: str, _: str) -> tuple[str, ...]:
        parts = _BETWEEN_PARTS.split(header, maxsplit=number + 1)
        return (parts[number],) if len(parts) > number and not parts[number].isdecimal() else ()  # else a count

    return part


def _sums(_: str, sequence: str) -> tuple[str, ...]:
    texts = [text.encode() for text in dict.fromkeys((sequence, sequence.lower()))]
    kinds = (hashlib.md5, hashlib.sha1)
    return tuple(kind(text, usedforsecurity=False).hexdigest() for kind in kinds for text in texts)


_RULES = (
    HeaderRule("the first word of the header without its annotation", _without_annotation),
    HeaderRule("the whole header", _whole),
    *(HeaderRule(f"part {number + 1} of the header", _part(number)) for number in range(1, _PARTS)),
)

_BY_SUM = HeaderRule("the MD5 or SHA-1 sum of the sequence", _sums)

_BY_SEQUENCE = HeaderRule(
    "their ids, which are sequences themselves (you may leave --sequences out)",
    lambda _, sequence: (sequence, sequence.lower()),
)


def records_by_rule(
    path: Path, records: Records, wanted: Mapping[str, int], is_taken: Callable[[Sequence[str]], np.ndarray]
) -> Iterator[NamedRecord]:
    """Yield the records of features that no header names as such, by the rule that finds most of them; say which it is.

    A rule that finds two records of a feature is not used.

    Parameters
    ----------
    path
        The file, for messages.
    records
        Reads it.
    wanted
        Index in the table of each feature without a record of its name.
    is_taken
        Tells of first words of headers whether they are ids of the table, bool [n].
    """
    if len(wanted) > _MOST:
        return
    forms = _distinct_forms(wanted)
    rule, example = _best_rule(records, forms, is_taken)
    if rule is None:
        return
    n_found = 0
    for header, sequence in _untaken(records, is_taken):
        name = next((forms[form] for form in rule.names(header, sequence) if form in forms), None)
        if name is not None:
            n_found += 1
            yield NamedRecord(wanted[name], name, sequence)
    logger.info("--sequences %s: %d features are found by %s: %s.", path, n_found, rule.says, example)


def _distinct_forms(wanted: Mapping[str, int]) -> dict[str, str]:
    """Return the names without their annotations, and as they are, that only one feature has, with the feature's name."""
    forms: dict[str, str | None] = {}
    for name in wanted:
        for form in {name, name.lower() if _SUM.fullmatch(name.lower()) else without_annotation(name)}:
            forms[form] = None if form in forms else name
    return {form: name for form, name in forms.items() if name is not None}


def _untaken(records: Records, is_taken: Callable[[Sequence[str]], np.ndarray]) -> Iterator[tuple[str, str]]:
    """Yield the records whose first word is no id of the table."""
    remaining = records()
    while block := list(islice(remaining, _PER_BLOCK)):
        has_feature = is_taken([header.split(maxsplit=1)[0] for header, _ in block])
        yield from (record for record, is_other in zip(block, ~has_feature, strict=True) if is_other)


def _best_rule(
    records: Records, forms: Mapping[str, str], is_taken: Callable[[Sequence[str]], np.ndarray]
) -> tuple[HeaderRule | None, str]:
    """Return the rule that finds most features, each once, and a pair that it makes, for a message."""
    rules = list(_RULES)
    if any(_SUM.fullmatch(form) for form in forms):
        rules.append(_BY_SUM)
    if any(len(form) >= _SHORTEST_SEQUENCE for form in forms):
        rules.insert(0, _BY_SEQUENCE)
    found: list[set[str]] = [set() for _ in rules]
    examples: list[str] = ["" for _ in rules]
    repeated: set[int] = set()
    for header, sequence in _untaken(records, is_taken):
        for number, rule in enumerate(rules):
            name = next((forms[form] for form in rule.names(header, sequence) if form in forms), None)
            if name is None:
                continue
            if name in found[number]:
                repeated.add(number)
            found[number].add(name)
            examples[number] = examples[number] or f"{name_some([name])} is {name_some([header])}"
    numbers = [number for number in range(len(rules)) if found[number] and number not in repeated]
    best = max(numbers, key=lambda number: len(found[number]), default=None)
    return (None, "") if best is None else (rules[best], examples[best])


def explain_missing(path: Path, table_ids: Sequence[str], first_words: Iterator[str], are_sequences: bool) -> str:
    """Return sentences on features that a file lacks: what to do, and what it has instead."""
    if are_sequences:
        others = mismatch(table_ids, first_words, "The file")
        return f"The ids of the table are sequences themselves: leave --sequences out. {others}"
    difference = mismatch(table_ids, first_words, "The file", (path, "FASTA"))
    return f"Pass the sequences that were made together with the table. {difference}"
