"""The reads that were drawn from the samples of a batch: what targets are computed from."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Mixture:
    """Which samples of a batch were mixed, and how.

    Attributes
    ----------
    partners
        Place in the batch of each sample's partner, int64 [B].
    weights
        Share of each mixture's reads that are the sample's own, float64 [B].
    """

    partners: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True)
class PackedCounts:
    """The reads that were drawn from the samples of a batch, before the token limit.

    Attributes
    ----------
    samples
        Rows of the study, [B].
    features, counts
        ASVs of each sample and their reads, packed: [T].
    sample_offsets
        Where each sample begins, [B + 1].
    mixture
        Which samples these reads were mixed with; None for samples as they are.
    wanted
        Places of the samples that a rank needs targets of, increasing. A distance between samples computes only these rows; what
        is computed of every sample is cut to them by whoever asked.
    """

    samples: np.ndarray
    features: np.ndarray
    counts: np.ndarray
    sample_offsets: np.ndarray
    mixture: Mixture | None = None
    wanted: np.ndarray | slice = field(default_factory=lambda: slice(None))

    @property
    def n_samples(self) -> int:
        """B."""
        return len(self.sample_offsets) - 1

    @property
    def sample_of_pair(self) -> np.ndarray:
        """Which sample each packed pair belongs to, int64 [T]."""
        return np.repeat(np.arange(self.n_samples), np.diff(self.sample_offsets))

    def dense(self) -> tuple[np.ndarray, np.ndarray]:
        """Give the features that any sample holds, increasing, [U], and the reads of each in each sample, float64 [B, U]."""
        features, column = np.unique(self.features, return_inverse=True)
        reads = np.zeros((self.n_samples, len(features)))
        reads[self.sample_of_pair, column] = self.counts
        return features, reads


BatchTarget = Callable[[PackedCounts], np.ndarray]
"""Computes what an objective compares with, from the reads that were drawn; the first axis is B, or the samples that are wanted."""

AsvTarget = Callable[[np.ndarray], np.ndarray]
"""Computes what an objective compares with for the distinct ASVs of a batch, from their rows in the study, [U]; first axis U."""
