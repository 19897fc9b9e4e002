"""The choice of a task by the cells of a column, and of what cells that are no numbers are."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping

import pandas as pd

from aam.errors import MetadataError, name_some
from aam.labels.columns import (
    class_names,
    describe,
    missing_values_option,
    misspelt_numbers,
    not_numbers,
    probable_missing_values,
    warn_of_probable_missing_values,
)
from aam.labels.number_cells import (
    date_number_remarks,
    described,
    hold_one_number,
    how_to_write,
    numbers_by_kind,
)
from aam.labels.sentinels import sentinel_class_remarks, sentinel_remarks
from aam.labels.spellings import look_alike_remarks
from aam.labels.target import Task

logger = logging.getLogger(__name__)


def choose_task(values: pd.Series, task: str) -> Task:
    """Return the task for a column, and refuse a column that cannot be learned.

    Parameters
    ----------
    values
        Values of the samples, none missing.
    task
        The value of ``--task``.

    Raises
    ------
    MetadataError
        The column holds no values, one value only, or text where numbers are needed.
    """
    column, is_numeric = values.name, values.dtype.kind == "f"
    chosen: Task = "regression" if task == "regression" or (task == "auto" and is_numeric) else "classification"
    chosen = "ordinal" if task == "ordinal" else chosen
    distinct = list(dict.fromkeys(class_names(values)))
    if task == "regression":
        require_numbers(values, "regression needs numbers", _alternative(values, distinct))
    if len(distinct) < 2:
        raise MetadataError(
            f"--metadata-column {column} has the same value, {name_some(distinct)}, in all {len(values):,} samples: "
            "there is nothing to learn. Choose another column."
        )
    if task == "auto":
        _check_choice(values, distinct)
    if chosen != "regression" and not _are_few(distinct, values):
        hint = ", or pass --task regression" if is_numeric else ""
        hint = ", or write the number alone in each cell to learn it" if hold_one_number(distinct) else hint
        raise MetadataError(
            f"--metadata-column {column} has {len(distinct):,} different values in {len(values):,} samples, such as "
            f"{name_some(distinct, limit=3)}: too many for classes. Choose another column{hint}."
        )
    warn_of_probable_missing_values("--metadata-column", values)
    for remark in cell_remarks(values, chosen):
        logger.warning("%s", remark)
    return chosen


def cell_remarks(values: pd.Series, task: Task) -> Iterator[str]:
    """Yield what is odd about the cells of a column that is learned: sentinels, dates as numbers, classes that look alike."""
    if task == "regression":
        yield from sentinel_remarks("--metadata-column", values)
        yield from date_number_remarks("--metadata-column", values)
    else:
        yield from look_alike_remarks("--metadata-column", values)
        yield from sentinel_class_remarks("--metadata-column", values)


def require_numbers(values: pd.Series, why: str, otherwise: str) -> None:
    """Refuse a column that is not numeric.

    Parameters
    ----------
    values
        Values of the samples, none missing.
    why
        Reason why the column must be numeric, for the message.
    otherwise
        What the user could pass instead, for the message.

    Raises
    ------
    MetadataError
        The column is not numeric.
    """
    if values.dtype.kind == "f":
        return
    non_numeric = not_numbers(values)
    if not non_numeric:
        raise MetadataError(
            f"--metadata-column {values.name} holds numbers, but #q2:types in --metadata says categorical, and {why}. Say "
            f"numeric there, or pass {otherwise}."
        )
    has_numbers = sum(non_numeric.values()) < len(values)
    has_numbers = has_numbers or bool(numbers_by_kind(values))
    hint = f"{how_to_write(values, non_numeric)}, or pass" if has_numbers else "Pass"
    raise MetadataError(
        f"--metadata-column {values.name} is not numeric: it holds {describe(non_numeric)}, and {why}. {hint} {otherwise}."
    )


def _are_few(distinct: list[str], values: pd.Series) -> bool:
    """Return whether values recur often enough to be classes."""
    return len(distinct) <= len(values) / 2


def _alternative(values: pd.Series, distinct: list[str]) -> str:
    """Return what to pass where a column is not numeric."""
    return "--task classification if its values are classes" if _are_few(distinct, values) else "another column"


def _check_choice(values: pd.Series, distinct: list[str]) -> None:
    """Refuse to classify a column of numbers because of a few cells that are not numbers; log how to classify numbers."""
    non_numeric = not_numbers(values)
    misspelt = misspelt_numbers(values)
    if misspelt and len(misspelt) == len(non_numeric):
        raise MetadataError(
            f"--metadata-column {values.name} holds numbers that are not written as QIIME 2 and aam read them: "
            f"{describe(misspelt)}. Write them like 1234.5, or pass {_alternative(values, distinct)}."
        )
    kinds = numbers_by_kind(values) if non_numeric else {}
    n_held = sum(sum(cells.values()) for cells in kinds.values())
    if n_held > len(values) / 2 and not _are_few(distinct, values):
        raise MetadataError(
            f"--metadata-column {values.name} holds {described(kinds)}, which are not read as numbers. "
            f"{how_to_write(values, non_numeric)}, or pass {_alternative(values, distinct)}."
        )
    n_non_numeric = sum(non_numeric.values())
    is_probably_numeric = 0 < n_non_numeric < len(values) and (
        non_numeric == probable_missing_values(values)
        or (not _are_few(distinct, values) and n_non_numeric < len(values) / 2)
    )
    if is_probably_numeric:
        raise MetadataError(
            f"--metadata-column {values.name} holds numbers but for {describe(non_numeric)}. "
            f"{how_to_write(values, non_numeric)}, or pass {_alternative(values, distinct)}."
        )
    for remark in numbers_among_classes(values):
        logger.warning("%s", remark)
    for question in few_whole_numbers(values):
        logger.info("%s", question)


def numbers_among_classes(values: pd.Series) -> Iterator[str]:
    """Yield a remark on a column that is classified, though its cells hold numbers with a unit, dates, or numbers and words."""
    if values.dtype.kind == "f":
        return
    kinds, words = numbers_by_kind(values), not_numbers(values)
    if kinds:
        yield (
            f"--metadata-column {values.name} is classified, because it holds {described(kinds)}. To learn numbers, "
            f"{_lower(how_to_write(values, words))}; if each of them is a class, pass --task classification."
        )
    elif words and (sum(words.values()) < len(values) / 2 or _are_beside_measurements(values, words)):
        yield (
            f"--metadata-column {values.name} is classified, because it holds {describe(words)} beside numbers. To learn numbers, "
            f"correct these cells, or leave them out by {missing_values_option(words)}."
        )


def _are_beside_measurements(values: pd.Series, words: Mapping[str, int]) -> bool:
    """Return whether few words stand beside many numbers most of which occur once, as those of classes do not."""
    counts = Counter(name for name in class_names(values) if name not in words)
    n_once = sum(n == 1 for n in counts.values())
    return len(counts) >= LEAST_MEASUREMENTS and len(words) <= len(counts) / 4 and n_once > len(counts) / 2


LEAST_MEASUREMENTS = 10
"""Least distinct numbers beside words from which on they are measured."""

MOST_CLASSES, LARGEST_CLASS = 5, 10
"""Most distinct whole numbers, and the largest, that may stand for classes."""


def few_whole_numbers(values: pd.Series) -> Iterator[str]:
    """Yield the question whether a numeric column of few whole numbers, such as 1, 2 and 3, holds classes."""
    if values.dtype.kind != "f":
        return
    distinct = sorted(values.unique().tolist())
    are_few = len(distinct) == 2 or (
        2 < len(distinct) <= min(MOST_CLASSES, len(values) / 2) and distinct[0] >= 0 and distinct[-1] <= LARGEST_CLASS
    )
    if are_few and all(value % 1 == 0 for value in distinct):
        *names, last = (f"{value:.12g}" for value in distinct)
        count = {2: "two", 3: "three", 4: "four", 5: "five"}[len(distinct)]
        yield (
            f"--metadata-column {values.name} holds {count} numbers, {', '.join(names)} and {last}, and is regressed. If they "
            "stand for classes, pass --task classification."
        )


def _lower(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]
