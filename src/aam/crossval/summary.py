"""From the predictions of all folds to one line per method: scores, and the paired difference from the first method."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from aam.metrics.scores import SCORES, Score

DRAWS = 1000

INTERVAL = (2.5, 97.5)
"""Percentiles."""


@dataclass(frozen=True)
class HeldOut:
    """Predictions of every sample while it was held out.

    Attributes
    ----------
    task
        What is predicted.
    truth
        Values or class numbers, [S].
    groups
        Group of each sample, [S].
    folds
        Fold of each sample in each repeat, [R, S].
    predictions
        By method, values [R, S] or class probabilities [R, S, C].
    """

    task: str
    truth: np.ndarray
    groups: np.ndarray
    folds: np.ndarray
    predictions: Mapping[str, np.ndarray]

    @property
    def scores(self) -> dict[str, Score]:
        """What the task is judged by."""
        return SCORES[self.task]


@dataclass(frozen=True)
class FoldScore:
    """How good one method was in one fold."""

    method: str
    repeat: int
    fold: int
    metric: str
    value: float


@dataclass(frozen=True)
class MethodSummary:
    """How good one method is by one metric.

    Attributes
    ----------
    method, metric
        Which.
    mean, sd
        Over the folds of all repeats where the metric is defined.
    pooled, low, high
        Of all samples together, the mean over repeats, and its 95 % interval over draws of the groups.
    difference, difference_low, difference_high
        The first method's pooled figure minus this one's, on the same draws; None for the first itself, and where it is not aam.
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
        FoldScore(method, repeat, int(fold), metric, score.compute(prediction[repeat][rows], held_out.truth[rows]))
        for method, prediction in held_out.predictions.items()
        for repeat, number in enumerate(held_out.folds)
        for fold in np.unique(number)
        for rows in [number == fold]
        for metric, score in held_out.scores.items()
    ]


def summarise(held_out: HeldOut, folds: list[FoldScore], reference: str | None, seed: int) -> list[MethodSummary]:
    """Return the line of each method and metric.

    Parameters
    ----------
    held_out
        The predictions.
    folds
        What `score_folds` made of them.
    reference
        Method whose differences from the others are of interest; None for none.
    seed
        Fixes the draws of groups: whole groups with replacement, the same for all methods and repeats (Efron & Tibshirani 1993).
    """
    whole = _pooled(held_out, np.arange(len(held_out.truth)))
    drawn = np.stack([_pooled(held_out, rows) for rows in _draws(held_out.groups, seed)])
    methods, metrics = list(held_out.predictions), list(held_out.scores)
    lines = []
    for m, method in enumerate(methods):
        for k, metric in enumerate(metrics):
            values = np.array([one.value for one in folds if (one.method, one.metric) == (method, metric)])
            values = values[~np.isnan(values)]
            mean, sd = _mean_and_sd(values)
            difference: tuple[float | None, ...] = (None, None, None)
            if reference is not None and method != reference:
                first = methods.index(reference)
                difference = (whole[first, k] - whole[m, k], *_interval(drawn[:, first, k] - drawn[:, m, k]))
            lines.append(MethodSummary(method, metric, mean, sd, whole[m, k], *_interval(drawn[:, m, k]), *difference))
    return lines


def _mean_and_sd(values: np.ndarray) -> tuple[float, float]:
    mean = float(values.mean()) if len(values) else float("nan")
    return mean, float(values.std(ddof=1)) if len(values) > 1 else float("nan")


def _pooled(held_out: HeldOut, rows: np.ndarray) -> np.ndarray:
    """Score some samples, which may occur more than once; the mean over repeats, [methods, metrics]."""
    truth = held_out.truth[rows]
    return np.array(
        [
            [np.mean([score.compute(one[rows], truth) for one in prediction]) for score in held_out.scores.values()]
            for prediction in held_out.predictions.values()
        ]
    )


def _draws(groups: np.ndarray, seed: int) -> list[np.ndarray]:
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
