"""Bray-Curtis dissimilarity of the samples of a batch."""

import numpy as np

from aam.drawn import PackedCounts
from aam.ecology.pairwise import pairwise
from aam.ecology.resources import StudyResources


def bray_curtis(packed: PackedCounts, resources: StudyResources) -> np.ndarray:
    """Compute Σ|xᵢ − xⱼ| / Σ(xᵢ + xⱼ) of the reads that were drawn, in [0, 1] (Bray & Curtis 1957); float64 [B, B]."""
    _, reads = packed.dense()
    depth = reads.sum(axis=1)
    return pairwise(reads, "cityblock", packed.wanted) / (depth[packed.wanted, None] + depth)
