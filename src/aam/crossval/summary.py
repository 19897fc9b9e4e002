"""Summaries of the predictions of all folds: scores of each method, and paired differences from a reference method."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from aam.metrics.scores import SCORES, Score

DRAWS = 1000
"""Number of bootstrap draws."""

INTERVAL = (2.5, 97.5)
"""Percentiles of the bootstrap draws that are the ends of an interval."""


@dataclass(frozen=True)
class HeldOut:
    """Predictions of every sample while it was held out.

    Attributes
    ----------
    task
        Task of the target.
    truth
        Values or class numbers, [S].
    groups
        Group of each sample, [S].
    folds
        Fold of each sample in each repeat, [R, S].
    predictions
        Values [R, S], or class probabilities [R, S, C], by method.
    """

    task: str
    truth: np.ndarray
    groups: np.ndarray
    folds: np.ndarray
    predictions: Mapping[str, np.ndarray]

    @property
    def scores(self) -> dict[str, Score]:
        """Scores of the task, by name of the metric."""
        return SCORES[self.task]


@dataclass(frozen=True)
class FoldScore:
    """Score of one method in one fold by one metric; ``repeat`` and ``fold`` are numbers from 0."""

    method: str
    repeat: int
    fold: int
    metric: str
    value: float


@dataclass(frozen=True)
class MethodSummary:
    """Summary of one method by one metric.

    Attributes
    ----------
    method, metric
        Names of the method and of the metric.
    mean, sd
        Mean and standard deviation over the folds of all repeats in which the metric is defined.
    pooled, low, high
        Score of all samples together, as the mean over repeats, and its 95 % interval over bootstrap draws of the groups.
    difference, difference_low, difference_high
        Pooled score of the reference method minus that of this method, and its 95 % interval on the same draws; None for the
        reference itself, and without a reference.
    """

    method: str
    metric: str
    mean: float
    sd: float
    pooled: float
    low: float
    high: float
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None


def score_folds(held_out: HeldOut) -> list[FoldScore]:
    """Score every method in every fold of every repeat."""
    return [
        FoldScore(
            method, repeat, int(fold), metric, score.compute(prediction[repeat][is_in_fold], held_out.truth[is_in_fold])
        )
        for method, prediction in held_out.predictions.items()
        for repeat, fold_of_sample in enumerate(held_out.folds)
        for fold in np.unique(fold_of_sample)
        for is_in_fold in [fold_of_sample == fold]
        for metric, score in held_out.scores.items()
    ]


def summarise(held_out: HeldOut, folds: list[FoldScore], reference: str | None, seed: int) -> list[MethodSummary]:
    """Return the summary of each method and metric.

    Parameters
    ----------
    held_out
        Predictions of each sample while it was held out.
    folds
        Scores in each fold (`score_folds`).
    reference
        Method whose differences from the others are computed; None for none.
    seed
        Seed of the bootstrap, which draws whole groups with replacement, the same for all methods and repeats (Efron & Tibshirani
        1993).
    """
    whole = _pooled(held_out, np.arange(len(held_out.truth)))
    drawn = np.stack([_pooled(held_out, indices) for indices in _draws(held_out.groups, seed)])
    methods, metrics = list(held_out.predictions), list(held_out.scores)
    summaries = []
    for m, method in enumerate(methods):
        for k, metric in enumerate(metrics):
            values = np.array([score.value for score in folds if (score.method, score.metric) == (method, metric)])
            values = values[~np.isnan(values)]
            mean, sd = _mean_and_sd(values)
            difference: tuple[float | None, ...] = (None, None, None)
            if reference is not None and method != reference:
                first = methods.index(reference)
                difference = (whole[first, k] - whole[m, k], *_interval(drawn[:, first, k] - drawn[:, m, k]))
            interval = _interval(drawn[:, m, k])
            summaries.append(MethodSummary(method, metric, mean, sd, whole[m, k], *interval, *difference))
    return summaries


def _mean_and_sd(values: np.ndarray) -> tuple[float, float]:
    mean = float(values.mean()) if len(values) else float("nan")
    return mean, float(values.std(ddof=1)) if len(values) > 1 else float("nan")


def _pooled(held_out: HeldOut, indices: np.ndarray) -> np.ndarray:
    """Return the scores of some samples, which may occur more than once, as means over repeats, [methods, metrics]."""
    truth = held_out.truth[indices]
    return np.array(
        [
            [
                np.mean([score.compute(prediction[indices], truth) for prediction in repeats])
                for score in held_out.scores.values()
            ]
            for repeats in held_out.predictions.values()
        ]
    )


def _draws(groups: np.ndarray, seed: int) -> list[np.ndarray]:
    """Return the indices of the samples of each bootstrap draw of groups."""
    stream = np.random.default_rng(seed)
    _, number = np.unique(groups, return_inverse=True)
    members = np.split(np.argsort(number, kind="stable"), np.cumsum(np.bincount(number))[:-1])
    return [
        np.concatenate([members[group] for group in stream.integers(len(members), size=len(members))])
        for _ in range(DRAWS)
    ]


def _interval(values: np.ndarray) -> tuple[float, float]:
    defined = values[~np.isnan(values)]
    if not len(defined):
        return float("nan"), float("nan")
    low, high = np.percentile(defined, INTERVAL)
    return float(low), float(high)
