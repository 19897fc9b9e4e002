"""Distances of the samples that are wanted to all samples of a batch."""

import numpy as np
from scipy.spatial.distance import cdist, pdist, squareform


def pairwise(rows: np.ndarray, metric: str, wanted: np.ndarray | slice) -> np.ndarray:
    """Compare rows with all rows by one of scipy's distances, each pair once where all are wanted; float64 [wanted, B]."""
    if isinstance(wanted, slice):
        return squareform(pdist(rows, metric))  # type: ignore[arg-type]
    return cdist(rows[wanted], rows, metric)  # type: ignore[arg-type]
