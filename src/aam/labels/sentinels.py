"""Numbers that stand for no value, such as -999: they recur, or are known to, far from all other numbers of a column."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pandas as pd

from aam.errors import count_of
from aam.labels.columns import class_names, is_number, missing_values_option

KNOWN = frozenset(sign * float(digit * n) for digit in "9876" for n in range(2, 7) for sign in (1, -1)) | {
    -1.0,
    -9.0,
    -8.0,
}
"""Numbers that programs and people write where nothing was measured."""

LEAST_DISTINCT = 8
"""Least distinct other numbers from which the usual distances of a column are known."""

LEAST_DISTINCT_BESIDE_NINES = 4
"""The same beside numbers of three digits or more that are `KNOWN`, which hardly mean anything else."""

FEW_UP_TO = 10
"""Largest of few whole numbers from 0 on, such as classes and scores, among which -9, -999 and 99 stand for no value."""

LEAST_VALUES = 5
"""Least number of samples with another number."""


@np.errstate(over="ignore", invalid="ignore")  # numbers that no column should hold are refused elsewhere
def find_sentinels(numbers: np.ndarray) -> dict[float, int]:
    """Return the numbers that probably stand for no value, with how often each occurs.

    A number is one if it lies beyond all others, by more than twice the largest step between them, and far for their range: by
    a quarter of it for a number that is `KNOWN`, or 0, and recurs; by all of it for one of three digits that occurs once; by
    four times of it for any other that occurs three times. A negative one that is known also is one if no other number is negative
    and it occurs at least three times, and twice as often as any other. Beside whole numbers from 0 to 10, those that are known
    and below -1 are, and those that are larger than these by more than twice their range.

    Parameters
    ----------
    numbers
        Cells of a column, none missing, [S].

    Examples
    --------
    >>> ages = np.arange(20.0, 80.0, 4.0)
    >>> find_sentinels(np.append(ages, [-999, -999, 9999])), find_sentinels(np.append(ages, [0, 0]))
    ({-999.0: 2, 9999.0: 1}, {0.0: 2})
    >>> find_sentinels(ages)
    {}
    """
    distinct, counts = np.unique(numbers, return_counts=True)
    found: dict[float, int] = {}
    first, last = 0, len(distinct)  # of those that are left
    while last - first > 1:
        low = _is_sentinel(distinct[first:last], counts[first:last])
        high = _is_sentinel(-distinct[first:last][::-1], counts[first:last][::-1], sign=-1.0)
        if not (low or high):
            return found
        number = first if low else last - 1
        found[float(distinct[number])] = int(counts[number])
        first, last = first + low, last - (high and not low)
    return found


def _is_sentinel(distinct: np.ndarray, counts: np.ndarray, sign: float = 1.0) -> bool:
    """Return whether the least of sorted distinct numbers stands for no value; ``sign`` makes them those of the column."""
    value, count = sign * float(distinct[0]), int(counts[0])
    others, other_counts = _others(distinct, counts, sign)
    is_known, is_long = value in KNOWN, value in KNOWN and abs(value) > 100
    if is_known and other_counts.sum() >= LEAST_VALUES and _is_beside_scores(value, sign * others):
        return True
    if other_counts.sum() < LEAST_VALUES or len(others) < (LEAST_DISTINCT_BESIDE_NINES if is_long else LEAST_DISTINCT):
        return False
    distance, extent = others[0] - distinct[0], others[-1] - others[0]
    is_far = distance > 2 * np.diff(others).max()
    if is_known and value < 0 and sign > 0 and others[0] >= 0 and count >= max(3, 2 * other_counts.max()):
        return True
    if is_long and distance > extent:
        return is_far
    if is_known or value == 0:
        return is_far and count > 1 and distance > extent / 4
    return is_far and count > 2 and distance > 4 * extent


def _are_scores(numbers: np.ndarray) -> bool:
    return len(numbers) > 1 and bool((numbers % 1 == 0).all() and numbers.min() >= 0 and numbers.max() <= FEW_UP_TO)


def _is_beside_scores(value: float, scores: np.ndarray) -> bool:
    return _are_scores(scores) and bool(value < -1 or value - scores.max() > 2 * np.ptp(scores))


def sentinel_class_remarks(flag: str, values: pd.Series) -> Iterator[str]:
    """Yield a remark on classes such as -999 beside others that are words, or numbers from 0 to 10.

    Parameters
    ----------
    flag
        Option that names the column.
    values
        Cells of the samples.
    """
    counts = Counter(class_names(values.dropna()))
    numbers = {name: float(name) for name in counts if is_number(name)}
    names = [name for name, number in numbers.items() if number in KNOWN and (number < 0 or number >= 99)]
    others = np.array([number for name, number in numbers.items() if name not in names])
    if len(others):
        names = [name for name in names if _is_beside_scores(numbers[name], others)]
    if names and len(counts) > len(names) + 1:
        cells = ", ".join(f"{name} in {count_of(counts[name], 'sample')}" for name in names)
        yield (
            f"{flag} {values.name}: {cells}, {'a class' if len(names) == 1 else 'classes'} unlike the others. If no value is known "
            f"there, pass {missing_values_option(names)}."
        )


def _others(distinct: np.ndarray, counts: np.ndarray, sign: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers but for the least, and but for those at the other end that are known and long: they may be another."""
    last = len(distinct)
    while last > 2 and sign * float(distinct[last - 1]) in KNOWN and abs(distinct[last - 1]) > 100:
        last -= 1
    first = 1
    while last - first > 2 and sign * float(distinct[first]) in KNOWN and abs(distinct[first]) > 100:
        first += 1
    return distinct[first:last], counts[first:last]


def sentinel_remarks(flag: str, values: pd.Series, option: str | None = None) -> Iterator[str]:
    """Yield a remark on numbers of a column that probably stand for no value.

    Parameters
    ----------
    flag
        Option that names the column.
    values
        Cells of the samples.
    option
        What to do about them; None for ``--missing-values``.
    """
    present = values.dropna()
    if present.dtype.kind != "f":
        return
    numbers = present.to_numpy(dtype=np.float64)
    found = find_sentinels(numbers[np.isfinite(numbers)])
    if not found:
        return
    others = numbers[~np.isin(numbers, list(found))]
    names = [f"{value:.12g}" for value in found]
    cells = ", ".join(f"{name} in {count_of(n, 'sample')}" for name, n in zip(names, found.values(), strict=True))
    begin = "If it means" if len(names) == 1 else "If they mean"
    yield (
        f"{flag} {values.name}: {cells}, far from all others ({others.min():g} to {others.max():g}). {begin} that none "
        f"is known, {option or f'pass {missing_values_option(names)}'}."
    )
