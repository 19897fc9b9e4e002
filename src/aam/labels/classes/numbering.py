"""Classes that are numbered from 1 in one file and from 0 in another: each number then means another class."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from aam.errors import count_of

MOST_NUMBERS, LARGEST = 5, 10
"""Most distinct numbers of a column of numbers, and the largest, that may be classes."""

_NUMBERED = re.compile(r"(.*?)(\d{1,3})(?:\.0)?", re.ASCII | re.DOTALL)


def numbering_remarks(column: str, names: Sequence[str], known: Sequence[str]) -> Iterator[str]:
    """Yield a remark on classes of new samples that fit those of training only if they are counted from another number.

    Parameters
    ----------
    column
        Name of the column, for the remark.
    names
        Class of each new sample that has one.
    known
        Classes of training.

    Examples
    --------
    >>> list(numbering_remarks("stage", ["1", "2", "3"], ["0", "1", "2"]))[0].split(":")[0]
    'stage is 1 to 3 in 3 samples, and was 0 to 2 in training'
    >>> list(numbering_remarks("stage", ["1", "2"], ["0", "1", "2"]))
    []
    """
    prefix, numbers = _numbers(known)
    new_prefix, new_numbers = _numbers(names)
    if prefix is not None and prefix == new_prefix:
        yield from _remarks(column, new_numbers, sorted(set(numbers)), f"{prefix} ".lstrip() if prefix else "")


def whole_number_remarks(column: str, numbers: np.ndarray, low: float, high: float) -> Iterator[str]:
    """Yield the same remark on a few whole numbers that are learned as numbers; NaN where there is none.

    Parameters
    ----------
    column
        Name of the column, for the remark.
    numbers
        Numbers of new samples.
    low, high
        Smallest and largest number of training.
    """
    present = numbers[np.isfinite(numbers)]
    are_whole = bool((present % 1 == 0).all()) and low % 1 == high % 1 == 0
    n_distinct = len(np.unique(present))
    if (
        are_whole
        and 2 <= n_distinct <= MOST_NUMBERS
        and n_distinct == high - low + 1
        and max(high, present.max()) <= LARGEST
    ):
        yield from _remarks(column, present.astype(int).tolist(), list(range(int(low), int(high) + 1)), "")


def _numbers(names: Sequence[str]) -> tuple[str | None, list[int]]:
    """Return what stands before the numbers of classes, and the numbers; None if they are not all numbered alike."""
    matches = [_NUMBERED.fullmatch(name.strip()) for name in names]
    prefixes = {" ".join(match[1].casefold().split()) for match in matches if match is not None}
    if len(prefixes) != 1 or None in matches:
        return None, []
    return prefixes.pop(), [int(match[2]) for match in matches if match is not None]


def _remarks(column: str, new: Sequence[int], known: Sequence[int], prefix: str) -> Iterator[str]:
    """Yield the remark if the new numbers are among the known ones only when all are one more or one less."""
    counts = Counter(new)
    first, last = min(counts), max(counts)
    step = 1 if last > known[-1] else -1
    is_counted = known == list(range(known[0], known[-1] + 1)) and len(known) > 1
    are_counted_otherwise = {number - step for number in counts} <= set(known) and not set(counts) <= set(known)
    if not is_counted or not are_counted_otherwise or min(first, known[0]) > 1 or len(counts) < 2:
        return
    n_shared = sum(n for number, n in counts.items() if number in known)
    yield (
        f"{column} is {prefix}{first} to {last} in {count_of(len(new), 'sample')}, and was {prefix}{known[0]} to {known[-1]} in "
        f"training: if the same classes are counted from another number here, {count_of(n_shared, 'sample')} would be taken for "
        "another class. Number them as in training."
    )
