"""Distances between the samples of a batch, and their diversity, without a tree; and distances computed elsewhere."""

import numpy as np
from scipy.spatial.distance import cdist, pdist, squareform

from aam.batch import PackedCounts
from aam.ecology.resources import StudyResources


def pairwise(rows: np.ndarray, metric: str, wanted: np.ndarray | slice) -> np.ndarray:
    """Compute one of scipy's distances between wanted rows and all rows, each pair once if all are wanted; float64 [wanted, B]."""
    if isinstance(wanted, slice):
        return squareform(pdist(rows, metric))  # type: ignore[arg-type]
    return cdist(rows[wanted], rows, metric)  # type: ignore[arg-type]


def bray_curtis(packed: PackedCounts, resources: StudyResources) -> np.ndarray:
    """Compute Σ|xᵢ − xⱼ| / Σ(xᵢ + xⱼ) of the reads that were drawn, in [0, 1] (Bray & Curtis 1957); float64 [B, B]."""
    _, reads = packed.dense()
    depth = reads.sum(axis=1)
    return pairwise(reads, "cityblock", packed.wanted) / (depth[packed.wanted, None] + depth)


def jaccard(packed: PackedCounts, resources: StudyResources) -> np.ndarray:
    """Compute the fraction of the ASVs of two samples that only one of them holds, in [0, 1] (Jaccard 1912); float64 [B, B]."""
    _, reads = packed.dense()
    presence = (reads > 0).astype(np.float64)
    wanted, richness = packed.wanted, presence.sum(axis=1)
    shared = presence[wanted] @ presence.T
    return 1.0 - shared / (richness[wanted, None] + richness - shared)


def aitchison(packed: PackedCounts, resources: StudyResources) -> np.ndarray:
    """Compute the Euclidean distance of centred log-ratios (Aitchison 1982) with a pseudo-count of 1; float64 [B, B], unbounded.

    1 is added to the reads of every feature of the study, also to those that no sample of the batch holds, so that a distance
    does not depend on the batch. These features need no computation: with x = ln(reads + 1), which is 0 for them, and F features,
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


def given_matrix(packed: PackedCounts, resources: StudyResources) -> np.ndarray:
    """Return the distances of the samples of a batch from the user's matrix, whatever reads were drawn; float64 [B, B]."""
    matrix = resources.matrix
    assert matrix is not None, "there is no matrix of distances"
    matrix_rows = matrix.rows[packed.samples]
    return np.asarray(matrix.values[matrix_rows[packed.wanted]][:, matrix_rows], dtype=np.float64)


def observed_asvs(packed: PackedCounts, resources: StudyResources) -> np.ndarray:
    """Count the ASVs of each sample.

    Returns
    -------
    np.ndarray
        Number of ASVs, float64 [B].
    """
    return np.diff(packed.sample_offsets).astype(np.float64)


def shannon(packed: PackedCounts, resources: StudyResources) -> np.ndarray:
    """Compute Shannon's entropy of each sample's ASVs, −Σ p·ln p (Shannon 1948).

    Returns
    -------
    np.ndarray
        Entropy in nats (natural logarithm), float64 [B].
    """
    sample, counts = packed.sample_of_pair, packed.counts.astype(np.float64)
    depth = np.bincount(sample, weights=counts, minlength=packed.n_samples)
    share = counts / depth[sample]
    return -np.bincount(sample, weights=share * np.log(share), minlength=packed.n_samples)
