"""How sure a model may be, from what its members said of groups that they were fitted without."""

import logging
import math
from collections.abc import Iterable, Sequence

import numpy as np
from scipy.optimize import minimize_scalar

logger = logging.getLogger(__name__)


COLDEST, HOTTEST = 0.25, 20.0

FARTHEST = 0.99
"""Share of the samples left out that are nearer to those fitted than a sample that is unlike them."""

INTERVAL, SET, OUTLIER = ("lower", "upper"), "set", "is_outlier"
"""Columns of predictions: ends of an interval, names of the classes that may be, and whether a sample is far from training's."""

SET_SEPARATOR = "|"

_TOLERANCE = 1e-12  # of sums that are the coverage exactly

_NEVER = -1e5  # a logit that no temperature brings near to others


def conformal_quantile(scores: np.ndarray, groups: np.ndarray, coverage: float) -> float:
    """Give the score that a new group's sample stays below with probability ``coverage``; inf with too few groups.

    Every group weighs the same, whatever its number of samples, and one more group has an infinite score (hierarchical
    conformal prediction: Lee, Barber & Willett 2023). With scores from fits that left the group out this is the jackknife of
    Barber et al. (2021), by groups; unlike their jackknife+ it assumes that leaving out one group hardly changes the fit.

    Parameters
    ----------
    scores
        Of the training samples, larger is worse; [n].
    groups
        Group of each.
    coverage
        Between 0 and 1.

    Examples
    --------
    >>> conformal_quantile(np.arange(1.0, 20.0), np.arange(19), 0.9)
    18.0
    """
    _, number, size = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.argsort(scores, kind="stable")
    mass = np.cumsum(1 / (size[number[order]] * (len(size) + 1)))
    place = np.searchsorted(mass, coverage - _TOLERANCE)
    return float(scores[order[place]]) if place < len(scores) else math.inf


def threshold_of(scores: np.ndarray, groups: np.ndarray, coverage: float) -> float:
    """Give `conformal_quantile`, or the largest score where there are fewer groups than `groups_needed`."""
    threshold = conformal_quantile(scores, groups, coverage)
    return threshold if math.isfinite(threshold) else float(scores.max())


def groups_needed(coverage: float) -> int:
    """Give the number of groups from which on `conformal_quantile` is finite.

    Examples
    --------
    >>> groups_needed(0.9), groups_needed(0.95)
    (9, 19)
    """
    least = coverage - _TOLERANCE
    return math.ceil(least / (1 - least))


def warn_of_few_groups(n_groups: int, coverage: float) -> None:
    """Say, before anything is trained, that there are too few groups to train on for a coverage."""
    if n_groups < groups_needed(coverage):
        logger.warning(
            "--coverage %g needs %d groups to train on, and there are %d: intervals and sets will be as wide as the largest error "
            "on a group left out.", coverage, groups_needed(coverage), n_groups,
        )  # fmt: skip


def fit_temperature(logit: np.ndarray, label: np.ndarray, n_classes: int, weight: np.ndarray) -> float:
    """Find what held-out logits must be divided by for the least log loss (Guo et al. 2017)."""
    rows = np.arange(len(label))

    def loss(log_temperature: float) -> float:
        probability = to_probabilities(logit / math.exp(log_temperature), n_classes)
        return float(-np.average(np.log(np.maximum(probability[rows, label], 1e-15)), weights=weight))

    best = minimize_scalar(loss, bounds=(math.log(COLDEST), math.log(HOTTEST)), method="bounded")
    return math.exp(float(best.x))


def to_probabilities(logit: np.ndarray, n_classes: int) -> np.ndarray:
    """Turn one logit per class, or that of the second of two classes, into probabilities, [n, C]."""
    assert logit.shape[1] == (n_classes if n_classes > 2 else 1)
    both = np.hstack([-logit / 2, logit / 2]) if n_classes == 2 else logit
    shifted = np.exp(both - both.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def logits_of(probability: np.ndarray) -> np.ndarray:
    """Undo `to_probabilities`, [n, C], or [n, 1] of two classes; a class that cannot be keeps probability 0 at any temperature."""
    logit = np.log(probability, out=np.full(probability.shape, _NEVER), where=probability > 0)
    return logit if probability.shape[1] > 2 else logit[:, 1:] - logit[:, :1]


def prediction_sets(probability: np.ndarray, threshold: float) -> np.ndarray:
    """Choose the classes whose probability is at least 1 − threshold, and always the likeliest; bool [n, C]."""
    chosen = 1 - probability <= threshold
    chosen[np.arange(len(chosen)), probability.argmax(axis=1)] = True
    return chosen


def write_set(classes: Iterable[str]) -> str:
    """Write a set of classes in one cell; a bar or a backslash in a name gets a backslash before it.

    Examples
    --------
    >>> write_set(["CD", "control"])
    'CD|control'
    """
    return SET_SEPARATOR.join(
        name.replace("\\", "\\\\").replace(SET_SEPARATOR, f"\\{SET_SEPARATOR}") for name in classes
    )


def named_sets(chosen: np.ndarray, probability: np.ndarray, classes: Sequence[str]) -> list[str]:
    """Write sets of classes down by their names, the likeliest first.

    Examples
    --------
    >>> named_sets(np.array([[True, False, True]]), np.array([[0.3, 0.1, 0.6]]), ["a", "b", "c"])
    ['c|a']
    """
    likeliest_first = np.argsort(-probability, axis=1, kind="stable")
    return [
        write_set(classes[int(k)] for k in order if row[k]) for order, row in zip(likeliest_first, chosen, strict=True)
    ]
