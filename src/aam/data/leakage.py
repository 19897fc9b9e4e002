"""Whether a column of the metadata gives the target away."""

import numpy as np
import pandas as pd

from aam.data.cells import class_names

SAME_CORRELATION = 0.9999
"""Numbers that correlate so are one in two units."""


def says_the_same(values: pd.Series, target: pd.Series) -> bool:
    """Whether a column is the target: the same cells, the same numbers in another unit, or one name for each class.

    Parameters
    ----------
    values, target
        Of samples that have both, [S].

    Examples
    --------
    >>> ages = pd.Series([1.0, 2.0, 4.0])
    >>> says_the_same(ages * 365, ages), says_the_same(pd.Series(["a", "b", "b"]), pd.Series(["x", "y", "y"]))
    (True, True)
    >>> says_the_same(pd.Series(["a", "b", "c"]), pd.Series(["x", "y", "y"]))
    False
    """
    if _are_numbers(values) and _are_numbers(target):
        if values.nunique() < 2 or target.nunique() < 2:
            return False
        return bool(abs(np.corrcoef(values, target)[0, 1]) > SAME_CORRELATION)
    cells, classes = class_names(values), class_names(target)
    n_pairs = len(set(zip(cells, classes, strict=True)))
    return cells == classes or (len(set(cells)) == len(set(classes)) == n_pairs < len(cells) and n_pairs > 1)


def explained_share(values: pd.Series, target: pd.Series) -> float:
    """Give the share of a target's variance, or of the mistakes of naming its most frequent class, that a column alone takes away.

    Categories of single samples say nothing of others, and are left out; a column of which they are the most explains nothing.

    Parameters
    ----------
    values, target
        Of samples that have both, [S].

    Examples
    --------
    >>> round(explained_share(pd.Series(["a", "a", "b", "b"]), pd.Series([1.0, 1.0, 3.0, 3.2])), 2)
    1.0
    >>> explained_share(pd.Series(["a", "a", "b", "b"]), pd.Series(["x", "y", "x", "x"]))
    0.0
    """
    if _are_numbers(values):
        is_pair_of_numbers = _are_numbers(target) and values.nunique() > 1 and target.nunique() > 1
        return float(np.corrcoef(values, target)[0, 1] ** 2) if is_pair_of_numbers else 0.0
    _, category, sizes = np.unique(class_names(values), return_inverse=True, return_counts=True)
    recurs = sizes[category] > 1
    if recurs.mean() < 0.5:
        return 0.0
    _, category, sizes = np.unique(category[recurs], return_inverse=True, return_counts=True)
    if _are_numbers(target):
        numbers = target.to_numpy(dtype=np.float64)[recurs]
        means = np.bincount(category, numbers) / sizes
        left, whole = ((numbers - guess) ** 2 for guess in (means[category], numbers.mean()))
        return _share_less(left.sum(), whole.sum())
    classes, number = np.unique(np.array(class_names(target))[recurs], return_inverse=True)
    table = np.bincount(category * len(classes) + number, minlength=len(sizes) * len(classes)).reshape(len(sizes), -1)
    return _share_less(recurs.sum() - table.max(axis=1).sum(), recurs.sum() - table.sum(axis=0).max())


def _share_less(left: float, whole: float) -> float:
    return float(1 - left / whole) if whole > 0 else 0.0


def _are_numbers(values: pd.Series) -> bool:
    return values.dtype.kind == "f"
