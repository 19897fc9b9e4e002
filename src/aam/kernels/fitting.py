"""Fit a kernel head to some samples of a study; nothing of the others is seen."""

import logging

import numpy as np

from aam.data.equal_depth import at_depth
from aam.data.study import Study
from aam.data.target import TargetState
from aam.kernels.boosting import boosted_trees
from aam.kernels.ensemble import Calibration, Ensemble, Member
from aam.kernels.fitted import Fitted
from aam.kernels.forest import random_forest
from aam.kernels.gram import MeanKernel
from aam.kernels.head import KernelHead, Resources
from aam.kernels.known_asvs import KnownASVs, sample_counts
from aam.kernels.logistic import class_weights, fit_logistic
from aam.kernels.machine import KernelMachine
from aam.kernels.members import BOOSTED, FEATURES, FOREST, member_kernels
from aam.kernels.phylogeny import Phylogeny
from aam.kernels.ridge import fit_ridge
from aam.kernels.trees import Trees, fit_trees
from aam.kernels.views import Samples
from aam.uncertainty import FARTHEST, fit_temperature, threshold_of, to_probabilities, warn_of_few_groups

logger = logging.getLogger(__name__)

TOLERANCE = 0.1
"""A member whose loss is this share above the least keeps exp(−1) of its weight."""


def fit_kernel_head(
    study: Study, rows: np.ndarray, target: TargetState, truth: np.ndarray, groups: np.ndarray, resources: Resources
) -> KernelHead:
    """Fit a head to the samples ``rows``.

    Parameters
    ----------
    study
        All samples; nothing of those that are not in ``rows`` is used.
    rows
        Training samples.
    target
        What is predicted.
    truth, groups
        Value or class number, and subject, of each sample of the study, [S].
    resources
        What else may be used.

    Raises
    ------
    TableError
        No ASV is seen in enough training samples.
    """
    vectors = None if resources.vectors is None else resources.vectors(study.select_samples(rows))
    study = at_depth(study, resources.equal_depth)
    known = KnownASVs.of_training(study, rows)
    number = known.find(study)
    phylogeny = None if resources.tree is None else Phylogeny.above(resources.tree, number)
    training = Samples(sample_counts(study.select_samples(rows), number, len(known)).toarray(), vectors)
    fitted = fit_ensemble(training, phylogeny, target, truth[rows], groups[rows], resources.coverage)
    return KernelHead(
        **vars(fitted),
        known=known,
        phylogeny=phylogeny,
        vectors=resources.vectors,
        equal_depth=resources.equal_depth,
    )


def fit_ensemble(
    training: Samples,
    phylogeny: Phylogeny | None,
    target: TargetState,
    truth: np.ndarray,
    groups: np.ndarray,
    coverage: float,
) -> Ensemble:
    """Fit all members that the samples and the tree allow.

    Parameters
    ----------
    training
        The samples.
    phylogeny
        Branches above their ASVs; None leaves out UniFrac and clades.
    target
        What is predicted.
    truth, groups
        Value or class number, and subject, of each, [n].
    coverage
        Of intervals and sets.
    """
    kernels = member_kernels(training, phylogeny)
    subject = _groups(groups)
    warn_of_few_groups(int(subject.max()) + 1, coverage)
    machines, fitted = _fit_members(kernels, training, target, truth, subject)
    weights = member_weights([one.loss for one in fitted])
    members = tuple(
        Member(name, one.penalty, one.loss, float(weight), machine)
        for (name, machine), one, weight in zip(machines.items(), fitted, weights, strict=True)
    )
    held_out = np.tensordot(weights, np.stack([one.held_out for one in fitted]), axes=1)
    farthest = _farthest(kernels[FEATURES], training, subject)
    calibration = _calibrate(held_out, target, truth, subject, coverage, farthest)
    return Ensemble(target, training, members, calibration)


def member_weights(losses: list[float]) -> np.ndarray:
    """Weigh members by exp(−(loss / least loss − 1) / `TOLERANCE`); the sum is 1.

    Examples
    --------
    >>> member_weights([0.5, 0.5]).tolist()
    [0.5, 0.5]
    """
    weights = np.exp(-(np.array(losses) / max(min(losses), 1e-12) - 1) / TOLERANCE)
    return weights / weights.sum()


def _groups(groups: np.ndarray) -> np.ndarray:
    """Number the groups; a single one says nothing about others, so that then each sample is left out alone."""
    names, number = np.unique(groups, return_inverse=True)
    if len(names) > 1:
        return number
    logger.warning("All training samples are of one group: each sample is left out alone, and errors look too small.")
    return np.arange(len(groups))


def _fit_members(
    kernels: dict[str, MeanKernel], training: Samples, target: TargetState, truth: np.ndarray, subject: np.ndarray
) -> tuple[dict[str, KernelMachine | Trees], list[Fitted]]:
    rows = [np.flatnonzero(subject == group) for group in range(subject.max() + 1)]
    grams = {name: kernel.against_training(training) for name, kernel in kernels.items()}
    if target.task == "regression":
        label, n_classes = truth - truth.mean(), None
        fitted = {name: fit_ridge(gram, label, rows) for name, gram in grams.items()}
    else:
        classes, label = np.unique(truth, return_inverse=True)
        n_classes = len(classes)
        fitted = {name: fit_logistic(gram, label, n_classes, rows) for name, gram in grams.items()}
    machines: dict[str, KernelMachine | Trees] = {}
    for name, one in fitted.items():
        assert one.dual is not None
        machines[name] = KernelMachine(kernels[name], one.dual)
    of_trees = {FOREST: random_forest} | ({BOOSTED: boosted_trees} if n_classes is None else {})
    for name, fit in of_trees.items():
        machines[name], fitted[name] = fit_trees(fit, training, label, n_classes, subject)
    return machines, list(fitted.values())


def _farthest(kernel: MeanKernel, training: Samples, subject: np.ndarray) -> float:
    """Give the distance to another group's nearest sample that nearly all training samples keep below."""
    distances = np.where(subject[:, None] == subject, np.inf, kernel.distances(training))
    return float(np.quantile(distances.min(axis=1), FARTHEST))


def _calibrate(
    held_out: np.ndarray,
    target: TargetState,
    truth: np.ndarray,
    subject: np.ndarray,
    coverage: float,
    farthest: float,
) -> Calibration:
    if target.task == "regression":
        centre = float(truth.mean())
        scores = np.abs(truth - centre - held_out[:, 0])
        return Calibration(centre, 1.0, (), coverage, threshold_of(scores, subject, coverage), farthest)
    classes, label = np.unique(truth, return_inverse=True)
    temperature = fit_temperature(held_out, label, len(classes), class_weights(label, len(classes)))
    probability = to_probabilities(held_out / temperature, len(classes))
    scores = 1 - probability[np.arange(len(label)), label]
    threshold = threshold_of(scores, subject, coverage)
    return Calibration(0.0, temperature, tuple(classes.tolist()), coverage, threshold, farthest)
