"""Kernels between samples: linear, radial and UniFrac, each centred and scaled by the training samples, and their mean."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from aam.kernels.features import Samples, View

Similarity = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Computes the similarity of features [m, N] to others [n, N]; [m, n]."""


def linear(features: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Compute inner products, [m, n]."""
    return features @ others.T


def squared_distances(features: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Compute squared Euclidean distances, at least 0; [m, n]."""
    squares, other_squares = np.square(features).sum(axis=1), np.square(others).sum(axis=1)
    return np.maximum(squares[:, None] + other_squares[None] - 2 * features @ others.T, 0)


def radial(training: np.ndarray) -> Similarity:
    """Return the similarity exp(−squared distance / its median over pairs of training samples)."""
    pairs = squared_distances(training, training)[np.triu_indices(len(training), 1)]
    width = max(float(np.median(pairs)), 1e-12) if len(pairs) else 1.0
    return partial(_radial, width)


def _radial(width: float, features: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.exp(-squared_distances(features, others) / width)


def shared_branches(features: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Compute 1 − unweighted UniFrac, [m, n], from square roots of the lengths of touched branches.

    This is the Tanimoto similarity, and so positive semi-definite (Gower 1971); a sample without a branch has similarity 0 to all.
    """
    shared = features @ others.T
    length, other_length = np.square(features).sum(axis=1), np.square(others).sum(axis=1)
    return shared / np.maximum(length[:, None] + other_length[None] - shared, 1e-12)


@dataclass(frozen=True)
class Term:
    """One kernel on one view.

    Attributes
    ----------
    view, similarity
        Features of samples, and the similarity of features.
    training
        The training samples' features, [n, N].
    mean, grand_mean
        Mean similarity of each training sample to all training samples, [n], and of all pairs.
    size
        Mean similarity of a training sample to itself, after centring.
    """

    view: View
    similarity: Similarity
    training: np.ndarray
    mean: np.ndarray
    grand_mean: float
    size: float

    @classmethod
    def fit(cls, view: View, similarity: Similarity, training: Samples) -> "Term":
        """Return a kernel, centred and scaled by the training samples."""
        features = view(training)
        kernel = similarity(features, features)
        mean = kernel.mean(axis=1)
        size = float((np.diag(kernel) - 2 * mean + mean.mean()).mean())
        return cls(view, similarity, features, mean, float(mean.mean()), max(size, 1e-12))

    def against_training(self, samples: Samples) -> np.ndarray:
        """Compute the centred and scaled similarity of samples to the training samples, [m, n]."""
        kernel = self.similarity(self.view(samples), self.training)
        return (kernel - kernel.mean(axis=1, keepdims=True) - self.mean + self.grand_mean) / self.size

    def distances(self, samples: Samples) -> np.ndarray:
        """Compute squared distances to the training samples in the kernel's space, in units of its scale; [m, n]."""
        features = self.view(samples)
        self_similarity = _self_similarity(self.similarity, features)
        training = _self_similarity(self.similarity, self.training)
        kernel = self.similarity(features, self.training)
        return np.maximum(self_similarity[:, None] + training - 2 * kernel, 0) / self.size


def _self_similarity(similarity: Similarity, features: np.ndarray) -> np.ndarray:
    return np.array([similarity(row[None], row[None])[0, 0] for row in features])


@dataclass(frozen=True)
class MeanKernel:
    """The mean of some kernels, plus 1 for an intercept."""

    terms: Sequence[Term]

    def against_training(self, samples: Samples) -> np.ndarray:
        """Compute the similarity of samples to the training samples, [m, n]."""
        return np.mean([term.against_training(samples) for term in self.terms], axis=0) + 1.0

    def distances(self, samples: Samples) -> np.ndarray:
        """Compute distances to the training samples, [m, n]; a training sample's distance to itself is 0 but for rounding."""
        return np.sqrt(np.mean([term.distances(samples) for term in self.terms], axis=0))
