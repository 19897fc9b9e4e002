"""What a method may see of one fold: everything about the training samples, and the reads of the held-out ones."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from aam.data.splits import fold_numbers, strata
from aam.data.target import Task

LEAST_SAMPLES_WITH_FEATURE = 3
"""Training samples that a feature must be seen in to be used."""
INNER_FOLDS = 3
"""Grouped folds of the training part in which hyper-parameters are chosen."""


@dataclass(frozen=True)
class Problem:
    """One fold for a baseline; the values of the held-out samples are not in it.

    Attributes
    ----------
    counts, test_counts
        Reads of the features seen in enough training samples, float32 [n, F] and [m, F].
    depths, test_depths
        Reads of each sample in all features, float64 [n] and [m].
    truth
        Values or class numbers of the training samples, [n].
    groups
        Group of each training sample, [n].
    task
        What the truth is.
    n_classes
        Classes of the study; not all of them need be in the training part.
    seed
        Fixes what is drawn.
    distances, test_distances
        UniFrac of the training samples, and of the held-out ones to these, [n, n] and [m, n]; None without a tree.
    """

    counts: np.ndarray
    test_counts: np.ndarray
    depths: np.ndarray
    test_depths: np.ndarray
    truth: np.ndarray
    groups: np.ndarray
    task: Task
    n_classes: int
    seed: int
    distances: np.ndarray | None = None
    test_distances: np.ndarray | None = None

    def inner_folds(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Divide the training samples, whole groups each, into rows to fit and rows to judge; every fit sees two classes."""
        n_folds = min(INNER_FOLDS, len(np.unique(self.groups)))
        number = fold_numbers(self.groups, strata(self.truth), n_folds, self.seed)
        folds = [(np.flatnonzero(number != fold), np.flatnonzero(number == fold)) for fold in range(n_folds)]
        return [(fit, judge) for fit, judge in folds if len(np.unique(self.truth[fit])) > 1 and len(judge)]


@dataclass(frozen=True)
class Cohort:
    """All samples that take part, from which the problem of each fold is cut.

    Attributes
    ----------
    counts
        Reads, samples × features.
    truth, groups
        Value or class number, and group, of each sample, [S].
    task, n_classes
        What the truth is.
    distances
        UniFrac of all samples, [S, S]: a distance depends on its two samples alone; None without a tree.
    """

    counts: csr_array
    truth: np.ndarray
    groups: np.ndarray
    task: Task
    n_classes: int
    distances: np.ndarray | None = None

    def problem(self, train: np.ndarray, test: np.ndarray, seed: int) -> Problem:
        """Cut out one fold, with the features that its training samples show."""
        train_counts, test_counts = self.counts[train], self.counts[test]
        seen = np.asarray((train_counts > 0).sum(axis=0)).ravel()
        kept = np.flatnonzero(seen >= min(LEAST_SAMPLES_WITH_FEATURE, len(train)))
        return Problem(
            counts=train_counts[:, kept].toarray().astype(np.float32),
            test_counts=test_counts[:, kept].toarray().astype(np.float32),
            depths=np.asarray(train_counts.sum(axis=1), dtype=np.float64),
            test_depths=np.asarray(test_counts.sum(axis=1), dtype=np.float64),
            truth=self.truth[train],
            groups=self.groups[train],
            task=self.task,
            n_classes=self.n_classes,
            seed=seed,
            distances=self._distances(train, train),
            test_distances=self._distances(test, train),
        )

    def _distances(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray | None:
        distances = self.distances
        return None if distances is None else distances[np.ix_(rows, columns)]
