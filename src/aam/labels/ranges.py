"""Numbers of new samples that are in another unit than those of training, by their ranges."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from aam.errors import count_of

FEW_VALUES = 8
"""Distinct numbers up to which they must lie further outside to be in another unit than to be of other samples."""

TINY, FAR_SMALLER, SMALLER = 20, 5, 2
"""Parts of the centre of training that all numbers stay below: if they are few, if not, and if many have a far smaller spread."""

FEWEST_VALUES, MANY_VALUES = 5, 20
"""Least distinct numbers to be compared with the centre, and least to compare their spread."""


@dataclass(frozen=True)
class TrainingRange:
    """Range of a column's numbers over the training samples.

    Attributes
    ----------
    low, high
        Smallest and largest number.
    centre
        Mean or median.
    """

    low: float
    high: float
    centre: float


def is_of_another_unit(numbers: np.ndarray, training: TrainingRange) -> bool:
    """Return whether numbers are so far from those of training that their unit is probably another.

    Their median lies outside the range of training, by half of that range if there are few numbers; or the range of training is
    of numbers from 0, and all new ones are below a fifth of its centre, or a twentieth if they are few.

    Parameters
    ----------
    numbers
        Numbers of new samples, none missing, [S].
    training
        Range of the training samples.

    Examples
    --------
    >>> days = TrainingRange(0.0, 700.0, 320.0)
    >>> is_of_another_unit(np.linspace(0, 1.9, 20), days), is_of_another_unit(np.linspace(10, 500, 20), days)
    (True, False)
    >>> is_of_another_unit(np.linspace(0, 690, 20), TrainingRange(0.0, 1.9, 0.9))
    True
    """
    n_distinct = len(np.unique(numbers))
    if not n_distinct:
        return False
    extent = training.high - training.low
    margin = 0.0 if n_distinct > FEW_VALUES else extent / 2
    median = float(np.median(numbers))
    if median > training.high + margin or median < training.low - margin:
        return True
    if training.low < 0 or n_distinct < FEWEST_VALUES or numbers.min() < 0:
        return False
    if numbers.max() < training.centre / (TINY if n_distinct <= FEW_VALUES else FAR_SMALLER):
        return True
    is_narrow = np.ptp(numbers) < extent / FAR_SMALLER and numbers.mean() < training.centre / FAR_SMALLER
    return bool(n_distinct >= MANY_VALUES and is_narrow and numbers.max() < training.centre / SMALLER)


def range_remarks(column: str, numbers: np.ndarray, training: TrainingRange) -> Iterator[str]:
    """Yield a remark on numbers that are probably in another unit than those of training; NaN where there is none."""
    present = numbers[np.isfinite(numbers)]
    if is_of_another_unit(present, training):
        yield (
            f"{column} is {present.min():g} to {present.max():g} in {count_of(len(present), 'sample')}, and was {training.low:g} "
            f"to {training.high:g} in training: is it in the same unit? Give it in that of training."
        )
