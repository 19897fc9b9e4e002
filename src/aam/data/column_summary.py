"""What each metadata column is good for: a target to learn, or the groups that a split keeps together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from aam.data.cells import class_names, not_numbers, suspects
from aam.data.column_roles import LEAST, doubt_of, rank_of
from aam.data.target import Task, too_large
from aam.data.target_choice import choose_task
from aam.errors import MetadataError
from aam.target_transform import LARGEST

FEWEST_VALUES = 4
"""Samples with a value below which nothing can be split into training and validation."""
_CELLS = 5
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
    doubt
        What it probably is instead of a target, if it can be learned but should hardly be.
    rank
        How likely one wants to learn it, the least number first.
    low, median, high
        Of a numeric column.
    classes
        How many samples each value of another column has, the most frequent first.
    not_numbers
        Up to five cells that keep a column of numbers from being numeric, such as "NA".
    probably_missing
        Up to five classes that probably mean that none is known.
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
    not_numbers: list[str] = field(default_factory=list)
    probably_missing: list[str] = field(default_factory=list)
    doubt: str | None = None
    rank: int = LEAST


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
    wrong = list(not_numbers(values)) if values.dtype.kind != "f" else []
    odd = wrong[:_CELLS] if 0 < len(wrong) <= len(counts) / 2 else []
    task, reason = _task(values, counts, odd)
    doubt = None if task is None else doubt_of(name, counts)
    rank = rank_of(name, counts if task == "classification" else [])
    facts = (name, len(values), len(column) - len(values), len(counts), task, reason)
    if values.dtype.kind == "f" and task is not None:
        return ColumnSummary(
            *facts, float(values.min()), float(values.median()), float(values.max()), doubt=doubt, rank=rank
        )
    missing = [] if odd else list(suspects(values))[:_CELLS]
    classes = dict(counts.most_common()) if task else {}
    return ColumnSummary(*facts, classes=classes, not_numbers=odd, probably_missing=missing, doubt=doubt, rank=rank)


def _task(values: pd.Series, classes: Counter[str], odd: list[str]) -> tuple[Task | None, str | None]:
    if not len(values):
        return None, "no values"
    if len(too_large(values)):
        return None, f"numbers beyond ±{LARGEST:g}"
    try:
        task = choose_task(values, "auto")
    except MetadataError:
        if len(classes) == 1:
            return None, "the same value everywhere"
        return None, "numbers but for some cells" if odd else "nearly all values differ"
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
