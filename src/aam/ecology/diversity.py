"""Alpha diversity of each sample of a batch, from the reads that were drawn."""

import numpy as np

from aam.batch import PackedCounts
from aam.ecology.resources import StudyResources
from aam.ecology.unifrac import shares_below


def faith_pd(packed: PackedCounts, resources: StudyResources) -> np.ndarray:
    """Compute Faith's phylogenetic diversity (Faith 1992).

    As in scikit-bio, the branches between the ASVs' common ancestor and the root count. ASVs that the tree lacks are ignored.

    Returns
    -------
    np.ndarray
        Summed length of the branches above each sample's ASVs, up to the root, in the tree's units; float64 [B].
    """
    share, length = shares_below(packed, resources)
    return (share > 0) @ length


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
