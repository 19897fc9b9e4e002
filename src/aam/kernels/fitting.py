"""Fitting of a kernel head: its members by name, their weights and their calibration."""

import logging

import numpy as np

from aam.data.rarefaction import rarefy_once
from aam.data.study import Study
from aam.kernels.features import (
    Phylogeny,
    Samples,
    View,
    clade_log_ratios,
    log_ratios,
    model_vectors,
    scaled,
    touched_branches,
)
from aam.kernels.gram import MeanKernel, Similarity, Term, linear, radial, shared_branches
from aam.kernels.head import KernelCalibration, KernelEnsemble, KernelHead, KernelInputs, KernelMember
from aam.kernels.known_asvs import KnownASVs, sample_counts
from aam.kernels.machines import FittedMachine, KernelMachine, class_weights, fit_logistic, fit_ridge, thin_classes
from aam.kernels.trees import Trees, boosted_trees, fit_trees, random_forest
from aam.labels.target import TargetState
from aam.uncertainty import FARTHEST, fit_temperature, threshold_of, to_probabilities

logger = logging.getLogger(__name__)


FEATURES, CLADES, DEEP, FOREST, BOOSTED = "features", "clades", "deep", "forest", "boosted"

MEANINGS = {
    FEATURES: "ASVs: log ratios (linear and radial), and UniFrac where there is a tree",
    CLADES: "log ratios of all clades of the tree",
    FOREST: "random forest on shares",
    BOOSTED: "gradient-boosted trees on shares",
    DEEP: "sample vectors of the pre-trained model (linear and radial)",
}
"""Description of each member, by its name."""

TREE_MEMBERS: tuple[str, ...] = (FOREST, BOOSTED)
"""Names of the members that are trees."""


def member_kernels(training: Samples, phylogeny: Phylogeny | None) -> dict[str, MeanKernel]:
    """Return the kernels, fitted without labels, of all members that the training samples allow, by name of the member."""
    parts: dict[str, list[tuple[View, Similarity]]] = {
        FEATURES: [
            (scaled(log_ratios, training, 0.5), linear),
            (log_ratios, radial(log_ratios(training))),
        ]
    }
    if phylogeny is not None:
        parts[FEATURES].append((touched_branches(phylogeny), shared_branches))
        if phylogeny.is_clade.any():
            parts[CLADES] = [(scaled(clade_log_ratios(phylogeny), training, 0.5), linear)]
    if training.vectors is not None:
        vectors = scaled(model_vectors, training, 1.0)
        parts[DEEP] = [(vectors, linear), (vectors, radial(vectors(training)))]
    return {
        name: MeanKernel([Term.fit(view, similarity, training) for view, similarity in terms])
        for name, terms in parts.items()
    }


TOLERANCE = 0.1
"""A member whose loss exceeds the least by this fraction has exp(−1) of the weight of the best."""


def fit_kernel_head(
    study: Study, rows: np.ndarray, target: TargetState, truth: np.ndarray, groups: np.ndarray, resources: KernelInputs
) -> KernelHead:
    """Fit a head to the samples ``rows``.

    Parameters
    ----------
    study
        All samples; nothing of those that are not in ``rows`` is used.
    rows
        Rows of the training samples.
    target
        The target to predict.
    truth, groups
        Value or class number, and subject, of each sample of the study, [S].
    resources
        Tree, vectors and options.

    Returns
    -------
    KernelHead
        The fitted head.

    Raises
    ------
    TableError
        No ASV is seen in enough training samples.
    """
    vectors = None if resources.vectors is None else resources.vectors(study.select_samples(rows))
    study = rarefy_once(study, resources.fixed_rarefaction)
    known_asvs = KnownASVs.of_training(study, rows)
    number = known_asvs.find(study, is_training=True)
    phylogeny = None if resources.tree is None else Phylogeny.above(resources.tree, number)
    training = Samples(sample_counts(study.select_samples(rows), number, len(known_asvs)).toarray(), vectors)
    fitted = fit_ensemble(training, phylogeny, target, truth[rows], groups[rows], resources.coverage)
    return KernelHead(
        **vars(fitted),
        known=known_asvs,
        phylogeny=phylogeny,
        vectors=resources.vectors,
        fixed_rarefaction=resources.fixed_rarefaction,
    )


def fit_ensemble(
    training: Samples,
    phylogeny: Phylogeny | None,
    target: TargetState,
    truth: np.ndarray,
    groups: np.ndarray,
    coverage: float,
) -> KernelEnsemble:
    """Fit all members that the samples and the tree allow.

    Parameters
    ----------
    training
        The training samples.
    phylogeny
        Branches above their ASVs; None leaves out UniFrac and clades.
    target
        The target to predict.
    truth, groups
        Value or class number, and subject, of each training sample, [n].
    coverage
        Coverage of intervals and sets.

    Returns
    -------
    KernelEnsemble
        The fitted ensemble.
    """
    kernels = member_kernels(training, phylogeny)
    subject = _groups(groups)
    machines, fitted = _fit_members(kernels, training, target, truth, subject)
    weights = member_weights([fitted_machine.loss for fitted_machine in fitted])
    members = tuple(
        KernelMember(name, fitted_machine.penalty, fitted_machine.loss, float(weight), machine)
        for (name, machine), fitted_machine, weight in zip(machines.items(), fitted, weights, strict=True)
    )
    held_out = np.tensordot(weights, np.stack([fitted_machine.held_out for fitted_machine in fitted]), axes=1)
    farthest = _farthest(kernels[FEATURES], training, subject)
    calibration = _calibrate(held_out, target, truth, subject, coverage, farthest)
    return KernelEnsemble(target, training, members, calibration)


def member_weights(losses: list[float]) -> np.ndarray:
    """Return the weights of members: exp(−(loss / least loss − 1) / `TOLERANCE`), over their sum.

    Examples
    --------
    >>> member_weights([0.5, 0.5]).tolist()
    [0.5, 0.5]
    """
    weights = np.exp(-(np.array(losses) / max(min(losses), 1e-12) - 1) / TOLERANCE)
    return weights / weights.sum()


def n_groups_left_out(groups: np.ndarray) -> int:
    """Count the groups of training samples that are left out in turn: each sample where there is a single group."""
    n_groups = len(np.unique(groups))
    return n_groups if n_groups > 1 else len(groups)


def _groups(groups: np.ndarray) -> np.ndarray:
    """Return a number for each sample's group; with a single group, a number for each sample, so that each is left out alone."""
    names, number = np.unique(groups, return_inverse=True)
    if len(names) > 1:
        return number
    logger.warning("All training samples are of one group: each sample is left out alone, and errors look too small.")
    return np.arange(len(groups))


def _fit_members(
    kernels: dict[str, MeanKernel], training: Samples, target: TargetState, truth: np.ndarray, subject: np.ndarray
) -> tuple[dict[str, KernelMachine | Trees], list[FittedMachine]]:
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
    for name, fitted_machine in fitted.items():
        assert fitted_machine.dual is not None
        machines[name] = KernelMachine(kernels[name], fitted_machine.dual)
    of_trees = {FOREST: random_forest} | ({BOOSTED: boosted_trees} if n_classes is None else {})
    for name, fit in of_trees.items():
        machines[name], fitted[name] = fit_trees(fit, training, label, n_classes, subject)
    return machines, list(fitted.values())


def _farthest(kernel: MeanKernel, training: Samples, subject: np.ndarray) -> float:
    """Return the `FARTHEST` quantile, over training samples, of the distance to the nearest sample of another group."""
    distances = np.where(subject[:, None] == subject, np.inf, kernel.distances(training))
    return float(np.quantile(distances.min(axis=1), FARTHEST))


def _calibrate(
    held_out: np.ndarray,
    target: TargetState,
    truth: np.ndarray,
    subject: np.ndarray,
    coverage: float,
    farthest: float,
) -> KernelCalibration:
    if target.task == "regression":
        centre = float(truth.mean())
        scores = np.abs(truth - centre - held_out[:, 0])
        return KernelCalibration(centre, 1.0, (), coverage, threshold_of(scores, subject, coverage), farthest)
    classes, label = np.unique(truth, return_inverse=True)
    weight = class_weights(label, len(classes), thin_classes(label, len(classes), subject))
    temperature = fit_temperature(held_out, label, len(classes), weight)
    probability = to_probabilities(held_out / temperature, len(classes))
    scores = 1 - probability[np.arange(len(label)), label]
    threshold = threshold_of(scores, subject, coverage)
    return KernelCalibration(0.0, temperature, tuple(classes.tolist()), coverage, threshold, farthest)
