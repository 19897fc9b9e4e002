"""Decision trees on shares of reads, as arrays: members of the ensemble whose errors differ from those of kernels."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from aam.kernels.features import Samples
from aam.kernels.machines import FittedMachine, class_weights, is_of_class, log_loss, thin_classes

FOLDS = 5
"""Number of parts of the subjects that are left out in turn."""

_LEAST_PROBABILITY = 0.005


_ROWS = 128  # samples whose paths through all trees are followed at a time, which caches hold


@dataclass(frozen=True)
class Trees:
    """The nodes of all trees, one tree after the other.

    Attributes
    ----------
    roots
        First node of each tree, [T].
    left, right
        Children of each node, −1 in a leaf, [N].
    feature, threshold
        A sample goes to the left child where this feature is at most this threshold, [N].
    value
        Summand of a leaf to the value, or to the class probabilities, [N, K].
    """

    roots: np.ndarray
    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    value: np.ndarray

    @classmethod
    def of(cls, estimators: Sequence[Any], scale: float) -> "Trees":
        """Return the arrays of fitted trees of scikit-learn, with ``scale`` times their values."""
        trees = [estimator.tree_ for estimator in estimators]
        roots = np.concatenate([[0], np.cumsum([tree.node_count for tree in trees])[:-1]]).astype(np.int64)

        def joined(name: str, is_node: bool = False) -> np.ndarray:
            parts = [getattr(tree, name) for tree in trees]
            moved = [np.where(part < 0, -1, part + root) for part, root in zip(parts, roots, strict=True)]
            return np.concatenate(moved if is_node else parts)

        left, right = joined("children_left", True), joined("children_right", True)
        value = scale * joined("value")[:, 0]
        return cls(roots, left, right, joined("feature").astype(np.int64), joined("threshold"), value)

    def sums(self, features: np.ndarray) -> np.ndarray:
        """Compute the sum of the trees' values for each sample, [m, K]."""
        values = np.ascontiguousarray(features, dtype=np.float32)  # as scikit-learn compares them
        children = np.stack([self.left, self.right], axis=1).reshape(-1).astype(np.int32)
        feature, is_leaf = self.feature.astype(np.int32), self.left < 0
        sums = np.empty((len(values), self.value.shape[1]))
        for start in range(0, len(values), _ROWS):
            block = values[start : start + _ROWS]
            leaves = np.empty(len(block) * len(self.roots), dtype=np.int32)
            node, place = np.tile(self.roots.astype(np.int32), len(block)), np.arange(len(leaves), dtype=np.int32)
            begin = np.repeat(np.arange(len(block), dtype=np.int32) * block.shape[1], len(self.roots))
            while len(node):
                has_arrived = is_leaf.take(node)  # take is faster than an index
                if has_arrived.any():
                    leaves[place[has_arrived]] = node[has_arrived]
                    goes_on = np.flatnonzero(~has_arrived)
                    node, place, begin = node.take(goes_on), place.take(goes_on), begin.take(goes_on)
                goes_right = block.take(begin + feature.take(node)) > self.threshold.take(node)
                node = children.take(2 * node + goes_right)
            sums[start : start + _ROWS] = (
                self.value.take(leaves, axis=0).reshape(len(block), len(self.roots), -1).sum(axis=1)
            )
        return sums

    def outputs(self, samples: Samples) -> np.ndarray:
        """Compute centred values [m, 1], or logits: [m, C], or [m, 1] of the second of two classes."""
        return _as_outputs(self.sums(shares(samples)))


FitTrees = Callable[..., Trees]
"""Fits trees to features, values or class numbers, and the number of classes (None for values); for classes also ``is_thin``."""


def shares(samples: Samples) -> np.ndarray:
    """Compute the share of each ASV in the reads of known ASVs, [S, F]."""
    return samples.counts / np.maximum(samples.counts.sum(axis=1, keepdims=True), 1)


def fit_trees(
    fit: FitTrees, training: Samples, target: np.ndarray, n_classes: int | None, subject: np.ndarray
) -> tuple[Trees, FittedMachine]:
    """Fit trees to all samples, and `FOLDS` times to all but a part of the subjects, to predict those left out.

    Parameters
    ----------
    fit
        Function that fits trees.
    training
        The training samples.
    target
        Centred values, or class numbers, [n].
    n_classes
        Number of classes; None for values.
    subject
        Group number of each sample, [n].

    Returns
    -------
    trees
        Trees that were fitted to all samples.
    fitted
        Loss and outputs on the samples left out.
    """
    features, n_folds = shares(training), min(FOLDS, len(np.unique(subject)))
    is_thin = None
    if n_classes is not None:
        is_thin = thin_classes(target, n_classes, subject)
        fit = partial(fit, is_thin=is_thin)
        n_folds = max(2, min(n_folds, int(np.bincount(target).max())))  # no part can hold a class that is spent
    held_out = np.zeros((len(target), 1 if n_classes in (None, 2) else n_classes))
    is_stratified = n_classes is not None and np.bincount(target).max() > 1
    folds = (StratifiedGroupKFold if is_stratified else GroupKFold)(n_folds, shuffle=True, random_state=0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)  # groups decide, not classes
        parts = list(folds.split(features, target, subject))
    for rows, held_out_rows in parts:
        held_out[held_out_rows] = _as_outputs(
            fit(features[rows], target[rows], n_classes).sums(features[held_out_rows])
        )
    if n_classes is None:
        loss = float(np.mean((held_out[:, 0] - target) ** 2) / target.var())
    else:
        loss = log_loss(held_out, is_of_class(target, n_classes), class_weights(target, n_classes, is_thin))
    return fit(features, target, n_classes), FittedMachine(None, loss, held_out)


def _as_outputs(sums: np.ndarray) -> np.ndarray:
    if sums.shape[1] == 1:
        return sums
    probability = np.clip(sums, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    logit = np.log(probability / (1 - probability))
    return logit[:, 1:] if sums.shape[1] == 2 else logit


FOREST_TREES = 300
"""Number of trees in a random forest."""

_FOREST_OPTIONS = {"max_features": 0.1, "min_samples_leaf": 3, "random_state": 0, "n_jobs": -1}


def random_forest(
    features: np.ndarray, target: np.ndarray, n_classes: int | None, is_thin: np.ndarray | None = None
) -> Trees:
    """Fit a random forest: the mean of trees on random samples and features (Breiman 2001).

    Classes have equal weight, but for those that are thin (`class_weights`).
    """
    if n_classes is None:
        machine = RandomForestRegressor(FOREST_TREES, **_FOREST_OPTIONS).fit(features, target)
        return Trees.of(machine.estimators_, 1 / FOREST_TREES)
    weight = class_weights(target, n_classes, is_thin)
    by_class = (
        dict(zip(target.tolist(), weight.tolist(), strict=True))
        if is_thin is not None and is_thin.any()
        else "balanced"
    )
    machine = RandomForestClassifier(FOREST_TREES, class_weight=by_class, **_FOREST_OPTIONS)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)  # small ones are said before
        machine.fit(features, target)
    forest = Trees.of(machine.estimators_, 1.0)
    value = np.zeros((len(forest.value), n_classes))
    value[:, machine.classes_] = forest.value / forest.value.sum(axis=1, keepdims=True) / FOREST_TREES
    return Trees(forest.roots, forest.left, forest.right, forest.feature, forest.threshold, value)


BOOSTED_TREES, RATE = 200, 0.05
"""Number of boosted trees, and their learning rate."""

_BOOSTING_OPTIONS = {
    "max_leaf_nodes": 8,
    "min_samples_leaf": 10,
    "max_features": 0.1,
    "subsample": 0.5,
    "random_state": 0,
}


def boosted_trees(features: np.ndarray, target: np.ndarray, n_classes: int | None) -> Trees:
    """Fit boosted trees: the sum of shallow trees, each fitted to the errors of those before it (Friedman 2001).

    ``target`` is centred, as the sum starts from 0.
    """
    assert n_classes is None, "boosting is of values"
    machine = GradientBoostingRegressor(
        n_estimators=BOOSTED_TREES, learning_rate=RATE, init="zero", **_BOOSTING_OPTIONS
    )
    return Trees.of(list(machine.fit(features, target).estimators_[:, 0]), RATE)
