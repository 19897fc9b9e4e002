"""Choose hyper-parameters by the loss in grouped folds of the training part."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from aam.baselines.problem import Problem

T = TypeVar("T")

_LEAST_PROBABILITY = 1e-3
"""Forests say never; without a floor one such sample decides the choice."""

FitSome = Callable[[T, np.ndarray, np.ndarray], np.ndarray]
"""Fits a candidate to some rows of the training part and predicts others."""


def best_candidate(problem: Problem, candidates: Sequence[T], predict: FitSome[T]) -> T:
    """Give the candidate whose predictions lose least, over all inner folds together; the first of equals."""
    folds = problem.inner_folds()
    if len(candidates) == 1 or not folds:
        return candidates[0]
    judged = np.concatenate([judge for _, judge in folds])
    losses = []
    for candidate in candidates:
        predicted = np.concatenate([predict(candidate, fit, judge) for fit, judge in folds])
        losses.append(loss(problem.task, predicted, problem.truth[judged]))
    return candidates[int(np.argmin(losses))]


def loss(task: str, prediction: np.ndarray, truth: np.ndarray) -> float:
    """Mean squared error, or the mean over classes of −log of the probability of the true class."""
    if task == "regression":
        return float(np.square(prediction - truth).mean())
    cost = -np.log(np.maximum(prediction[np.arange(len(truth)), truth], _LEAST_PROBABILITY))
    return float(np.mean([cost[truth == label].mean() for label in np.unique(truth)]))


def all_classes(probability: np.ndarray, known: np.ndarray, n_classes: int) -> np.ndarray:
    """Give classes that a fit never saw probability 0, float64 [m, C]."""
    whole = np.zeros((len(probability), n_classes))
    whole[:, known] = probability
    return whole
