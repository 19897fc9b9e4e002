"""What each metadata column is good for: a target to learn, or the groups that a split keeps together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from aam.data.target import Task, choose_task, class_names
from aam.errors import MetadataError

FEWEST_VALUES = 4
"""Samples with a value below which nothing can be split into training and validation."""
_SHARE_OF_NUMBERS = 0.5  # of the values, from which a column was probably meant to be numeric
_WORDS = 5
FEWEST_GROUPS = 10
"""Groups below which a column that names no subject is not offered as one."""


@dataclass(frozen=True)
class ColumnSummary:
    """A column in the samples of the table.

    Attributes
    ----------
    name, n_values, n_missing, n_distinct
        What it is called, and how far it is filled.
    task
        How 'aam train' learns it; None if it cannot.
    reason
        Why it cannot.
    low, median, high
        Of a numeric column.
    classes
        How many samples each value of another column has, the most frequent first.
    words
        Up to five words that keep a column of numbers from being numeric, such as "NA".
    """

    name: str
    n_values: int
    n_missing: int
    n_distinct: int
    task: Task | None
    reason: str | None = None
    low: float | None = None
    median: float | None = None
    high: float | None = None
    classes: dict[str, int] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class GroupSummary:
    """A column whose values repeat, as ``--group-column``.

    Attributes
    ----------
    name, n_groups
        What it is called, and how many values it has.
    smallest, median, largest
        Samples in a group.
    names_subject
        Whether its name says that it names subjects.
    """

    name: str
    n_groups: int
    smallest: int
    median: float
    largest: int
    names_subject: bool


def summarise_columns(frame: pd.DataFrame) -> list[ColumnSummary]:
    """Summarise all columns, in their order."""
    return [_summarise(name, column) for name, column in _columns(frame)]


def _columns(frame: pd.DataFrame) -> list[tuple[str, pd.Series]]:
    return [(str(name), column) for name, column in frame.items()]


def _summarise(name: str, column: pd.Series) -> ColumnSummary:
    values = column.dropna()
    counts = Counter(class_names(values))
    facts = (name, len(values), len(column) - len(values), len(counts))
    task, reason = _task(values, len(counts))
    if values.dtype.kind == "f" and len(values):
        return ColumnSummary(*facts, task, reason, float(values.min()), float(values.median()), float(values.max()))
    classes = dict(counts.most_common()) if task else {}
    return ColumnSummary(*facts, task, reason, classes=classes, words=_words_among_numbers(values))


def _words_among_numbers(values: pd.Series) -> list[str]:
    """Give the words in a column whose values are mostly numbers."""
    is_number = pd.Series(pd.to_numeric(values, errors="coerce")).notna()
    if is_number.mean() < _SHARE_OF_NUMBERS:
        return []
    return list(dict.fromkeys(map(str, values[~is_number])))[:_WORDS]


def _task(values: pd.Series, n_distinct: int) -> tuple[Task | None, str | None]:
    if not len(values):
        return None, "no values"
    try:
        task = choose_task(values, "auto")
    except MetadataError:
        return None, "the same value everywhere" if n_distinct == 1 else "nearly all values differ"
    if len(values) < FEWEST_VALUES:
        return None, f"{len(values)} values are too few"
    return task, None


def summarise_groups(frame: pd.DataFrame, subject_words: Sequence[str]) -> list[GroupSummary]:
    """Summarise the columns that may name subjects, those first whose name says so, then by the number of groups."""
    groups = []
    for name, column in _columns(frame):
        values = column.dropna()
        sizes = np.array(list(Counter(class_names(values)).values()))
        names_subject = any(word in name.lower() for word in subject_words)
        is_measured = values.dtype.kind == "f" and not (names_subject and bool((values == values.round()).all()))
        if is_measured or not 1 < len(sizes) <= len(values) / 2 or not (names_subject or len(sizes) >= FEWEST_GROUPS):
            continue
        spread = int(sizes.min()), float(np.median(sizes)), int(sizes.max())
        groups.append(GroupSummary(name, len(sizes), *spread, names_subject))
    return sorted(groups, key=lambda group: (not group.names_subject, -group.n_groups))
