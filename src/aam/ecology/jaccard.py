"""Jaccard distance of the samples of a batch."""

import numpy as np

from aam.drawn import PackedCounts
from aam.ecology.resources import StudyResources


def jaccard(packed: PackedCounts, resources: StudyResources) -> np.ndarray:
    """Compute the share of the ASVs of two samples that only one of them holds, in [0, 1] (Jaccard 1912); float64 [B, B]."""
    _, reads = packed.dense()
    presence = (reads > 0).astype(np.float64)
    wanted, own = packed.wanted, presence.sum(axis=1)
    shared = presence[wanted] @ presence.T
    return 1.0 - shared / (own[wanted, None] + own - shared)
