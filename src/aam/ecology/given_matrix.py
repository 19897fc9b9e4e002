"""Distances between samples that were computed elsewhere."""

import numpy as np

from aam.drawn import PackedCounts
from aam.ecology.resources import StudyResources


def given_matrix(packed: PackedCounts, resources: StudyResources) -> np.ndarray:
    """Look up the distances of the samples of a batch in the user's matrix, whatever reads were drawn; float64 [B, B]."""
    matrix = resources.matrix
    assert matrix is not None, "there is no matrix of distances"
    chosen = matrix.rows[packed.samples]
    return np.asarray(matrix.values[chosen[packed.wanted]][:, chosen], dtype=np.float64)
