"""Features of samples that kernels compare: log ratios of ASVs and of clades, touched branches, vectors of a pre-trained model."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from aam.ecology.tree import FeatureTree


@dataclass(frozen=True)
class Phylogeny:
    """A tree cut down to the known ASVs.

    Attributes
    ----------
    order
        Known ASVs that are in the tree, in the order of a walk; int64 [P].
    start, stop
        The ASVs below a branch are ``order[start:stop]``; int64 [N].
    length
        Length of each branch, in the tree's units; float64 [N].
    """

    order: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    length: np.ndarray

    @classmethod
    def above(cls, tree: FeatureTree, number: np.ndarray) -> "Phylogeny | None":
        """Return a study's tree, cut down to its known features.

        Parameters
        ----------
        tree
            The tree of the study.
        number
            Number of each feature of the study among the known ASVs, −1 for unknown ones; [F].

        Returns
        -------
        Phylogeny or None
            None if the tree holds none of them.
        """
        features = np.flatnonzero((number >= 0) & (np.asarray(tree.position) >= 0))
        _, first = np.unique(number[features], return_index=True)  # features with one sequence are one ASV
        features = features[first]
        if not len(features):
            return None
        features = features[np.argsort(tree.position[features])]
        branches = tree.branches_above(np.asarray(tree.position[features]))
        return cls(number[features], branches.start, branches.stop, branches.length)

    @property
    def is_clade(self) -> np.ndarray:
        """Whether at least two ASVs, but not all, are below a branch; bool [N]."""
        size = self.stop - self.start
        return (size >= 2) & (size < len(self.order))

    def clade_sums(self, values: np.ndarray) -> np.ndarray:
        """Compute the sum of values of the known ASVs, [S, F], over those of each clade; [S, number of clades]."""
        before = np.zeros((len(values), len(self.order) + 1))
        np.cumsum(values.take(self.order, axis=1), axis=1, out=before[:, 1:])
        is_clade = self.is_clade
        return before.take(self.stop[is_clade], axis=1) - before.take(self.start[is_clade], axis=1)


PSEUDO_COUNT = 0.5
"""Added to counts, not to shares: a zero of a deep sample is more informative than a zero of a shallow one."""


@dataclass(frozen=True)
class Samples:
    """Counts and vectors of some samples.

    Attributes
    ----------
    counts
        Reads of each known ASV, not rarefied; float64 [S, F].
    vectors
        Vectors of a pre-trained model, float64 [S, D]; None without one.
    """

    counts: np.ndarray
    vectors: np.ndarray | None = None


View = Callable[[Samples], np.ndarray]
"""Computes features of samples, [S, N]."""


def log_ratios(samples: Samples) -> np.ndarray:
    """Compute centred log ratios (Aitchison 1986): log counts minus their mean over the known ASVs; [S, F]."""
    logs = np.log(samples.counts + PSEUDO_COUNT)
    return logs - logs.mean(axis=1, keepdims=True)


def clade_log_ratios(phylogeny: Phylogeny) -> View:
    """Return the view of log counts of each clade minus the mean log count of the known ASVs."""
    return partial(_clade_log_ratios, phylogeny)


def _clade_log_ratios(phylogeny: Phylogeny, samples: Samples) -> np.ndarray:
    mean = np.log(samples.counts + PSEUDO_COUNT).mean(axis=1, keepdims=True)
    return np.log(phylogeny.clade_sums(samples.counts) + PSEUDO_COUNT) - mean


def touched_branches(phylogeny: Phylogeny) -> View:
    """Return the view of the square root of the length of each branch above an ASV that the sample holds, 0 for other branches."""
    return partial(_touched_branches, phylogeny)


def _touched_branches(phylogeny: Phylogeny, samples: Samples) -> np.ndarray:
    before = np.zeros(
        (len(phylogeny.order) + 1, len(samples.counts)), dtype=np.int32
    )  # ASVs in rows: three times as fast
    np.cumsum((samples.counts > 0).T[phylogeny.order], axis=0, dtype=np.int32, out=before[1:])
    is_touched = np.ascontiguousarray((before[phylogeny.stop] > before[phylogeny.start]).T)
    return is_touched * np.sqrt(phylogeny.length)


def model_vectors(samples: Samples) -> np.ndarray:
    """Return the vectors of the pre-trained model, [S, D]."""
    assert samples.vectors is not None
    return samples.vectors


def scaled(view: View, training: Samples, exponent: float) -> View:
    """Return a view, centred at the training mean and divided by a power of the training standard deviation.

    With an exponent of 1 all features have the same spread; 0.5 is half-way between that and the raw ones, so that rare ASVs count,
    but less than common ones.
    """
    features = view(training)
    mean, spread = features.mean(axis=0), (features.std(axis=0) + 1e-9) ** exponent
    return partial(_scaled, view, mean, spread)


def _scaled(view: View, mean: np.ndarray, spread: np.ndarray, samples: Samples) -> np.ndarray:
    return (view(samples) - mean) / spread
