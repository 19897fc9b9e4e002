"""The data of one fold that a method may see, its transformed counts, and the choice of hyper-parameters."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy.sparse import csr_array

from aam.labels.stratified import fold_numbers, strata
from aam.labels.target import Task

LEAST_SAMPLES_WITH_FEATURE = 3
"""Least number of training samples with a feature for it to be used."""

INNER_FOLDS = 3
"""Number of grouped folds of the training part in which hyper-parameters are chosen."""


@dataclass(frozen=True)
class FoldData:
    """The data of one fold for a baseline; the true values of the held-out samples are not in it.

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
        Kind of target.
    n_classes
        Number of classes in the study; the training part may lack some.
    seed
        Seed of all random draws.
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
        """Return inner folds of the training samples, as rows to fit and rows to score.

        Groups stay whole. Folds that would be fitted to a single class, or would score no sample, are left out.
        """
        n_folds = min(INNER_FOLDS, len(np.unique(self.groups)))
        number = fold_numbers(self.groups, strata(self.truth), n_folds, self.seed)
        folds = [(np.flatnonzero(number != fold), np.flatnonzero(number == fold)) for fold in range(n_folds)]
        return [(fit, scored) for fit, scored in folds if len(np.unique(self.truth[fit])) > 1 and len(scored)]


@dataclass(frozen=True)
class StudyData:
    """The data of all samples that take part, from which `FoldData` are cut.

    Attributes
    ----------
    counts
        Reads, samples × features.
    truth, groups
        Value or class number, and group, of each sample, [S].
    task, n_classes
        Kind of target, and number of classes.
    distances
        UniFrac of all samples, [S, S]: a distance depends on its two samples alone; None without a tree.
    """

    counts: csr_array
    truth: np.ndarray
    groups: np.ndarray
    task: Task
    n_classes: int
    distances: np.ndarray | None = None

    def fold(self, train: np.ndarray, test: np.ndarray, seed: int) -> FoldData:
        """Return the data of one fold, with the features that enough of its training samples hold."""
        train_counts, test_counts = self.counts[train], self.counts[test]
        n_holding = np.asarray((train_counts > 0).sum(axis=0)).ravel()
        kept_features = np.flatnonzero(n_holding >= min(LEAST_SAMPLES_WITH_FEATURE, len(train)))
        return FoldData(
            counts=train_counts[:, kept_features].toarray().astype(np.float32),
            test_counts=test_counts[:, kept_features].toarray().astype(np.float32),
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


PSEUDO_COUNT = 0.5
"""Added to counts before the logarithm is taken."""


def shares_of(fold: FoldData) -> tuple[np.ndarray, np.ndarray]:
    """Compute each feature's share of a sample's reads, of the training and of the held-out samples; float32 [n, F] and [m, F]."""
    return _shares(fold.counts, fold.depths), _shares(fold.test_counts, fold.test_depths)


def centred_log_ratios(fold: FoldData) -> tuple[np.ndarray, np.ndarray]:
    """Compute log(reads + 0.5) minus its mean over the sample's features (Aitchison 1982); float64 [n, F] and [m, F]."""
    return _centred_log_ratios(fold.counts), _centred_log_ratios(fold.test_counts)


def _shares(counts: np.ndarray, depths: np.ndarray) -> np.ndarray:
    return (counts / depths[:, None]).astype(np.float32)


def _centred_log_ratios(counts: np.ndarray) -> np.ndarray:
    logs = np.log(counts.astype(np.float64) + PSEUDO_COUNT)
    return logs - logs.mean(axis=1, keepdims=True)


T = TypeVar("T")

_LEAST_PROBABILITY = 1e-3
"""Floor of probabilities: forests may predict 0, and without a floor one such sample decides the choice."""

FitSome = Callable[[T, np.ndarray, np.ndarray], np.ndarray]
"""Fits a candidate to some rows of the training part, and predicts other rows."""


def best_candidate(fold: FoldData, candidates: Sequence[T], predict: FitSome[T]) -> T:
    """Return the candidate with the least loss over all inner folds together; the first of equals."""
    folds = fold.inner_folds()
    if len(candidates) == 1 or not folds:
        return candidates[0]
    all_scored = np.concatenate([scored for _, scored in folds])
    losses = []
    for candidate in candidates:
        predicted = np.concatenate([predict(candidate, fit, scored) for fit, scored in folds])
        losses.append(loss(fold.task, predicted, fold.truth[all_scored]))
    return candidates[int(np.argmin(losses))]


def loss(task: str, prediction: np.ndarray, truth: np.ndarray) -> float:
    """Compute the mean squared error, or the mean over classes of −log of the true class's probability."""
    if task == "regression":
        return float(np.square(prediction - truth).mean())
    cost = -np.log(np.maximum(prediction[np.arange(len(truth)), truth], _LEAST_PROBABILITY))
    return float(np.mean([cost[truth == label].mean() for label in np.unique(truth)]))


def all_classes(probability: np.ndarray, seen_classes: np.ndarray, n_classes: int) -> np.ndarray:
    """Return probabilities of all classes, float64 [m, C], with 0 for those that are not among the ``seen_classes``."""
    whole = np.zeros((len(probability), n_classes))
    whole[:, seen_classes] = probability
    return whole
