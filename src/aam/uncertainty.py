"""Intervals, sets of classes and calibrated probabilities, from predictions for groups that a model was fitted without."""

import logging
import math
from collections.abc import Iterable, Sequence

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.spatial.distance import cdist

logger = logging.getLogger(__name__)


COLDEST, HOTTEST = 0.25, 20.0
"""Lowest and highest temperature that logits are divided by."""

FARTHEST = 0.99
"""Quantile of the distances of held-out samples to those fitted, beyond which a sample is an outlier."""

INTERVAL, SET, OUTLIER = ("lower", "upper"), "set", "is_outlier"
"""Columns of predictions: ends of an interval, names of the classes in a set, and whether a sample is an outlier."""

SET_SEPARATOR = "|"
"""Between the names of the classes of a set."""

_TOLERANCE = 1e-12  # of sums that are the coverage exactly

_BLOCK = 512  # vectors whose distances are computed at a time

_NEVER = -1e5  # a logit that no temperature brings near to others


def conformal_quantile(scores: np.ndarray, groups: np.ndarray, coverage: float) -> float:
    """Return the score that a new group's sample stays below with probability ``coverage``; inf with too few groups.

    Every group weighs the same, whatever its number of samples, and one more group has an infinite score (hierarchical
    conformal prediction: Lee, Barber & Willett 2023). With scores from fits that left the group out this is the jackknife of
    Barber et al. (2021), by groups; unlike their jackknife+ it assumes that leaving out one group hardly changes the fit.

    Parameters
    ----------
    scores
        Scores of the training samples, larger is worse; [n].
    groups
        Group of each training sample, [n].
    coverage
        Probability, between 0 and 1.

    Examples
    --------
    >>> conformal_quantile(np.arange(1.0, 20.0), np.arange(19), 0.9)
    18.0
    """
    _, number, size = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.argsort(scores, kind="stable")
    mass = np.cumsum(1 / (size[number[order]] * (len(size) + 1)))
    position = np.searchsorted(mass, coverage - _TOLERANCE)
    return float(scores[order[position]]) if position < len(scores) else math.inf


def threshold_of(scores: np.ndarray, groups: np.ndarray, coverage: float) -> float:
    """Return `conformal_quantile`, or the largest score where there are fewer groups than `groups_needed`."""
    threshold = conformal_quantile(scores, groups, coverage)
    return threshold if math.isfinite(threshold) else float(scores.max())


def groups_needed(coverage: float) -> int:
    """Return the least number of groups with which `conformal_quantile` is finite.

    Examples
    --------
    >>> groups_needed(0.9), groups_needed(0.95)
    (9, 19)
    """
    least = coverage - _TOLERANCE
    return math.ceil(least / (1 - least))


def warn_of_few_groups(n_groups: int, coverage: float) -> None:
    """Warn, before anything is trained, of too few groups to train on for a coverage."""
    if n_groups < groups_needed(coverage):
        logger.warning(
            "--coverage %g needs %d groups to train on, and there are %d: intervals and sets will be as wide as the largest error "
            "on a group left out.", coverage, groups_needed(coverage), n_groups,
        )  # fmt: skip


def fit_temperature(logit: np.ndarray, label: np.ndarray, n_classes: int, weight: np.ndarray) -> float:
    """Return the temperature by which to divide held-out logits for the least log loss (Guo et al. 2017).

    Parameters
    ----------
    logit
        Held-out logits, [n, C], or [n, 1] of the second of two classes.
    label
        Class numbers, [n].
    n_classes
        Number of classes.
    weight
        Weight of each sample, [n].
    """
    rows = np.arange(len(label))

    def loss(log_temperature: float) -> float:
        probability = to_probabilities(logit / math.exp(log_temperature), n_classes)
        return float(-np.average(np.log(np.maximum(probability[rows, label], 1e-15)), weights=weight))

    best = minimize_scalar(loss, bounds=(math.log(COLDEST), math.log(HOTTEST)), method="bounded")
    return math.exp(float(best.x))


def to_probabilities(logit: np.ndarray, n_classes: int) -> np.ndarray:
    """Compute probabilities, [n, C], from one logit per class, [n, C], or from that of the second of two classes, [n, 1]."""
    assert logit.shape[1] == (n_classes if n_classes > 2 else 1)
    class_logits = np.hstack([-logit / 2, logit / 2]) if n_classes == 2 else logit
    shifted = np.exp(class_logits - class_logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def logits_of(probability: np.ndarray) -> np.ndarray:
    """Return logits, [n, C], or [n, 1] of two classes: the inverse of `to_probabilities`.

    A class of probability 0 keeps it at any temperature.
    """
    logit = np.log(probability, out=np.full(probability.shape, _NEVER), where=probability > 0)
    return logit if probability.shape[1] > 2 else logit[:, 1:] - logit[:, :1]


def prediction_sets(probability: np.ndarray, threshold: float) -> np.ndarray:
    """Return which classes have a probability of at least 1 − threshold, or are the likeliest; bool [n, C]."""
    chosen = 1 - probability <= threshold
    chosen[np.arange(len(chosen)), probability.argmax(axis=1)] = True
    return chosen


def write_set(classes: Iterable[str]) -> str:
    """Return the text of a set of classes for one cell; a bar or a backslash in a name gets a backslash before it.

    Examples
    --------
    >>> write_set(["CD", "control"])
    'CD|control'
    """
    return SET_SEPARATOR.join(
        name.replace("\\", "\\\\").replace(SET_SEPARATOR, f"\\{SET_SEPARATOR}") for name in classes
    )


def named_sets(chosen: np.ndarray, probability: np.ndarray, classes: Sequence[str]) -> list[str]:
    """Return the text of each sample's set of classes, the likeliest class first.

    Examples
    --------
    >>> named_sets(np.array([[True, False, True]]), np.array([[0.3, 0.1, 0.6]]), ["a", "b", "c"])
    ['c|a']
    """
    likeliest_first = np.argsort(-probability, axis=1, kind="stable")
    return [
        write_set(classes[int(k)] for k in order if row[k]) for order, row in zip(likeliest_first, chosen, strict=True)
    ]


def distance_to_nearest(vectors: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Compute the Euclidean distance of each vector, [S, D], to the nearest of others, [N, D]; float64 [S]."""
    blocks = [vectors[start : start + _BLOCK] for start in range(0, len(vectors), _BLOCK)]
    return np.concatenate([cdist(block, others).min(axis=1) for block in blocks])
