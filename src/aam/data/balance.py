"""Weights by which categories or classes of unequal size count the same."""

import numpy as np

from aam.data.categories import UNKNOWN


def balanced_weights(number: np.ndarray, n_categories: int) -> np.ndarray:
    """Give the weight of each category: ``n / (K · n_k)``, whose mean over the samples is 1; of those without samples, 1.

    Parameters
    ----------
    number
        Category of each training sample, `UNKNOWN` for none, [S].
    n_categories
        K; only those with samples are counted.

    Examples
    --------
    >>> balanced_weights(np.array([0, 0, 0, 1, -1]), 2).round(3).tolist()
    [0.667, 2.0]
    """
    sizes = np.bincount(number[number != UNKNOWN], minlength=n_categories)
    present = sizes > 0
    return np.where(present, sizes.sum() / (np.maximum(present.sum(), 1) * np.maximum(sizes, 1)), 1.0)
