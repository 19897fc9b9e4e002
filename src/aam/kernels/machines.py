"""Kernel machines: ridge and one-vs-rest logistic regression, with penalties chosen by leaving out one group at a time."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from aam.kernels.features import Samples
from aam.kernels.gram import MeanKernel
from aam.labels.class_sizes import FEW


@dataclass(frozen=True)
class KernelMachine:
    """The function ``f(x) = Σ K(x, xᵢ) αᵢ``.

    Attributes
    ----------
    kernel
        Kernel between samples and the training samples.
    dual
        Coefficients α, [n, K].
    """

    kernel: MeanKernel
    dual: np.ndarray

    def outputs(self, samples: Samples) -> np.ndarray:
        """Compute centred values [m, 1], or logits: [m, C], or [m, 1] of the second of two classes."""
        return self.kernel.against_training(samples) @ self.dual


@dataclass(frozen=True)
class FittedMachine:
    """One machine at its best penalty.

    Attributes
    ----------
    penalty
        The penalty chosen; None for a machine without one.
    loss
        Loss on groups left out: squared error over variance, or log loss with classes of equal weight.
    held_out
        Outputs for each training sample by a machine that was fitted without its group, [n, K].
    dual
        Coefficients of the training samples, [n, K]; None for trees.
    """

    penalty: float | None
    loss: float
    held_out: np.ndarray
    dual: np.ndarray | None = None


RIDGE_PENALTIES = tuple(10.0 ** np.arange(1.5, -3.1, -0.5))
"""Penalties λ that ridge regression tries."""


def fit_ridge(kernel: np.ndarray, target: np.ndarray, groups: list[np.ndarray]) -> FittedMachine:
    """Fit ``f = K α`` with the penalty whose leave-one-group-out error is least.

    With one eigendecomposition of ``K [n, n]`` the dual ``α = (K + λ)⁻¹ y`` of every penalty λ costs O(n²). The residuals of a
    group g that is left out are ``(M_gg)⁻¹ α_g`` with ``M = (K + λ)⁻¹``: exactly those of a fit without it.

    Parameters
    ----------
    kernel
        Kernel between the training samples, with a constant for the intercept; [n, n].
    target
        Centred values, [n].
    groups
        Rows of each group.

    Returns
    -------
    FittedMachine
        The machine with the best penalty.
    """
    values, vectors = np.linalg.eigh(kernel)
    rotated, best = vectors.T @ target, None
    for penalty in RIDGE_PENALTIES:
        inverse = 1 / (np.maximum(values, 0) + penalty)
        dual = vectors @ (inverse * rotated)
        residual = np.empty_like(target)
        for rows in groups:
            residual[rows] = np.linalg.solve((vectors[rows] * inverse) @ vectors[rows].T, dual[rows])
        loss = float(np.mean(residual**2) / target.var())
        if best is None or loss < best.loss:
            best = FittedMachine(float(penalty), loss, (target - residual)[:, None], dual[:, None])
    assert best is not None
    return best


LOGISTIC_PENALTIES = tuple(10.0 ** np.arange(1.5, -4.1, -0.5))
"""Penalties λ that logistic regression tries, in this order."""

WORSE_PENALTIES = 3
"""Number of penalties in a row without a better loss, after which weaker ones are not tried."""

_LEAST_GAIN, _NEWTON_STEPS, _SMALL_STEP = 1e-4, 10, 0.02


@dataclass(frozen=True)
class _Machine:
    """One class against the rest: logits, dual, working response, and the inverse of its covariance."""

    logit: np.ndarray
    dual: np.ndarray
    response: np.ndarray
    inverse: np.ndarray


def fit_logistic(kernel: np.ndarray, label: np.ndarray, n_classes: int, groups: list[np.ndarray]) -> FittedMachine:
    """Fit one machine per class (one for two classes), with the penalty whose leave-one-group-out log loss is least.

    A group is left out by one Newton step from the whole fit: with weights ``w``, working response ``z`` and
    ``M = (K + λ / w)⁻¹`` its logits are ``z_g − (M_gg)⁻¹ (M z)_g``.

    Parameters
    ----------
    kernel
        Kernel between the training samples, with a constant for the intercept; [n, n].
    label
        Class numbers, [n]; every one from 0 to ``n_classes − 1`` occurs.
    n_classes
        Number of classes, C.
    groups
        Rows of each group.

    Returns
    -------
    FittedMachine
        The machines with the best penalty; K is C, or 1 for two classes.
    """
    weight = class_weights(label, n_classes, thin_classes(label, n_classes, _numbers(groups)))
    is_class = is_of_class(label, n_classes)
    starts = [np.zeros(len(label))] * is_class.shape[1]
    best, n_worse = None, 0
    for penalty in LOGISTIC_PENALTIES:  # each fit starts from the one before
        machines = [
            _fit_machine(kernel, column, weight, penalty, start)
            for column, start in zip(is_class.T.astype(float), starts, strict=True)
        ]
        starts = [machine.logit for machine in machines]
        held_out = np.stack([_leave_out(machine, groups) for machine in machines], axis=1)
        loss = log_loss(held_out, is_class, weight)
        if best is None or loss < best.loss - _LEAST_GAIN:
            best = FittedMachine(
                float(penalty), loss, held_out, np.stack([machine.dual for machine in machines], axis=1)
            )
            n_worse = 0
        elif (n_worse := n_worse + 1) >= WORSE_PENALTIES:
            break
    assert best is not None
    return best


def thin_classes(label: np.ndarray, n_classes: int, subject: np.ndarray) -> np.ndarray:
    """Return which classes have too few samples to be learned, or all of one subject, so that none was ever predicted; bool [C].

    Parameters
    ----------
    label, subject
        Class number and subject's number of each sample, [n].
    n_classes
        Number of classes, C.

    Examples
    --------
    >>> thin_classes(np.array([0, 0, 0, 1, 2, 2, 2]), 3, np.array([0, 1, 2, 3, 4, 4, 4])).tolist()
    [False, True, True]
    """
    n_subjects = np.bincount(np.unique(np.stack([label, subject]), axis=1)[0], minlength=n_classes)
    return (np.bincount(label, minlength=n_classes) <= FEW) | (n_subjects < 2)


def class_weights(label: np.ndarray, n_classes: int, is_thin: np.ndarray | None = None) -> np.ndarray:
    """Compute weights of samples with which all classes weigh the same, [n].

    A thin class weighs as much as its samples do, 1 each: the weight of a whole class on one sample would give it samples of
    others. Where all classes are thin, none is.

    Parameters
    ----------
    label
        Class numbers, [n].
    n_classes
        Number of classes, C.
    is_thin
        Classes that are `thin_classes`, bool [C]; None for none.

    Examples
    --------
    >>> label = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 2])
    >>> class_weights(label, 3, np.array([False, False, True])).round(2)[[0, 6, 9]].tolist()
    [0.75, 1.5, 1.0]
    """
    size = np.bincount(label, minlength=n_classes)
    if is_thin is None or not is_thin.any() or is_thin.all():
        return len(label) / (size[label] * n_classes)
    n_others = size[~is_thin].sum()
    weight = n_others / (np.maximum(size, 1) * (~is_thin).sum())
    return np.where(is_thin, 1.0, weight)[label]


def is_of_class(label: np.ndarray, n_classes: int) -> np.ndarray:
    """Return whether each sample is of each class, bool [n, C]; of two classes for the second only, [n, 1]."""
    return label[:, None] == (np.arange(n_classes) if n_classes > 2 else np.array([1]))


def log_loss(logit: np.ndarray, is_class: np.ndarray, weight: np.ndarray) -> float:
    """Compute the weighted log loss, averaged over machines; logits are clipped to ±15."""
    margin = np.where(is_class, 1, -1) * np.clip(logit, -15, 15)
    return float(np.average(np.logaddexp(0, -margin).mean(axis=1), weights=weight))


def _numbers(groups: list[np.ndarray]) -> np.ndarray:
    """Return the number of each sample's group from the rows of each group, [n]."""
    number = np.empty(sum(map(len, groups)), dtype=np.int64)
    for group, rows in enumerate(groups):
        number[rows] = group
    return number


def _fit_machine(
    kernel: np.ndarray, is_class: np.ndarray, weight: np.ndarray, penalty: float, start: np.ndarray
) -> _Machine:
    """Take Newton steps until the logits hardly change."""
    logit, n_steps = start, 0
    while True:
        probability = 1 / (1 + np.exp(-np.clip(logit, -30, 30)))
        curvature = np.maximum(weight * probability * (1 - probability), 1e-5)
        response = logit + weight * (is_class - probability) / curvature
        factor = cho_factor(kernel + np.diag(penalty / curvature))
        dual = cho_solve(factor, response)
        earlier, logit, n_steps = logit, kernel @ dual, n_steps + 1
        if np.abs(logit - earlier).max() < _SMALL_STEP or n_steps == _NEWTON_STEPS:
            return _Machine(logit, dual, response, cho_solve(factor, np.eye(len(kernel))))


def _leave_out(machine: _Machine, groups: list[np.ndarray]) -> np.ndarray:
    held_out = np.empty_like(machine.dual)
    for rows in groups:
        block = machine.inverse[np.ix_(rows, rows)]
        held_out[rows] = machine.response[rows] - np.linalg.solve(block, machine.dual[rows])
    return held_out
