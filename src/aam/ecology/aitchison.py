"""Aitchison and robust Aitchison distance of the samples of a batch."""

import numpy as np

from aam.drawn import PackedCounts
from aam.ecology.pairwise import pairwise
from aam.ecology.resources import StudyResources


def aitchison(packed: PackedCounts, resources: StudyResources) -> np.ndarray:
    """Compute the Euclidean distance of centred log-ratios (Aitchison 1982) with a pseudo-count of 1; float64 [B, B], unbounded.

    1 is added to the reads of every feature of the study, also to those that no sample of the batch holds, so that a distance
    does not depend on the batch. Those cost nothing: with x = ln(reads + 1), which is 0 for them, and F features,
    d² = Σ(xᵢ − xⱼ)² − (Σ(xᵢ − xⱼ))² / F.
    """
    _, reads = packed.dense()
    logarithm = np.log1p(reads)
    total = logarithm.sum(axis=1)
    wanted = packed.wanted
    difference = total[wanted, None] - total
    squared = pairwise(logarithm, "sqeuclidean", wanted) - np.square(difference) / resources.n_features
    return np.sqrt(np.clip(squared, 0.0, None))


def robust_aitchison(packed: PackedCounts, resources: StudyResources) -> np.ndarray:
    """Compute the Euclidean distance of robust centred log-ratios (Martino et al. 2019); float64 [B, B], unbounded.

    The logarithms of a sample's reads are centred by their mean over the ASVs that it holds. ASVs that it does not hold are missing
    values; Martino et al. fill them in by completing the matrix of all samples, which one batch does not have. We set them to 0,
    which is the sample's own mean, as vegan's ``decostand(method = "rclr", impute = FALSE)`` does.
    """
    _, reads = packed.dense()
    is_present = reads > 0
    logarithm = np.log(reads, out=np.zeros_like(reads), where=is_present)
    mean = logarithm.sum(axis=1, keepdims=True) / is_present.sum(axis=1, keepdims=True)
    return pairwise(np.where(is_present, logarithm - mean, 0.0), "euclidean", packed.wanted)
