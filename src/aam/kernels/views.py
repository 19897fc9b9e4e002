"""Samples as numbers that kernels compare: log ratios of ASVs and of clades, touched branches, vectors of a pre-trained model."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from aam.kernels.phylogeny import Phylogeny

PSEUDO_COUNT = 0.5
"""Added to counts, not to shares: a zero of a deep sample says more than a zero of a shallow one."""


@dataclass(frozen=True)
class Samples:
    """What is known of some samples.

    Attributes
    ----------
    counts
        Reads of each known ASV, not rarefied; float64 [S, F].
    vectors
        Of a pre-trained model, float64 [S, D]; None without one.
    """

    counts: np.ndarray
    vectors: np.ndarray | None = None


View = Callable[[Samples], np.ndarray]
"""Turns samples into features, [S, N]."""


def log_ratios(samples: Samples) -> np.ndarray:
    """Centred log ratios (Aitchison 1986): log counts minus their mean over the known ASVs."""
    logs = np.log(samples.counts + PSEUDO_COUNT)
    return logs - logs.mean(axis=1, keepdims=True)


def clade_log_ratios(phylogeny: Phylogeny) -> View:
    """Log counts of each clade minus the mean log of the known ASVs."""
    return partial(_clade_log_ratios, phylogeny)


def _clade_log_ratios(phylogeny: Phylogeny, samples: Samples) -> np.ndarray:
    mean = np.log(samples.counts + PSEUDO_COUNT).mean(axis=1, keepdims=True)
    return np.log(phylogeny.sums(samples.counts)[:, phylogeny.is_clade] + PSEUDO_COUNT) - mean


def touched_branches(phylogeny: Phylogeny) -> View:
    """Root of the length of each branch above an ASV that the sample holds, 0 for the others."""
    return partial(_touched_branches, phylogeny)


def _touched_branches(phylogeny: Phylogeny, samples: Samples) -> np.ndarray:
    return (phylogeny.sums((samples.counts > 0).astype(np.float64)) > 0.5) * np.sqrt(phylogeny.length)


def model_vectors(samples: Samples) -> np.ndarray:
    """Vectors of the pre-trained model."""
    assert samples.vectors is not None
    return samples.vectors


def scaled(view: View, training: Samples, exponent: float) -> View:
    """Centre a view at the training mean, and divide by a power of the training standard deviation.

    An exponent of 1 makes all features alike; 0.5 is half-way between that and the raw ones, so that rare ASVs count, but less
    than common ones.
    """
    features = view(training)
    mean, spread = features.mean(axis=0), (features.std(axis=0) + 1e-9) ** exponent
    return partial(_scaled, view, mean, spread)


def _scaled(view: View, mean: np.ndarray, spread: np.ndarray, samples: Samples) -> np.ndarray:
    return (view(samples) - mean) / spread
