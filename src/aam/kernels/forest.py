"""A random forest without tuning, as arrays: a member that errs where kernels do not."""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from aam.kernels.fitted import Fitted
from aam.kernels.logistic import class_weights, is_of_class, log_loss
from aam.kernels.views import Samples

TREES, FOLDS = 300, 5
_OPTIONS = {"max_features": 0.1, "min_samples_leaf": 3, "random_state": 0, "n_jobs": -1}
_LEAST_PROBABILITY = 0.005


@dataclass(frozen=True)
class Forest:
    """All trees, one after the other.

    Attributes
    ----------
    roots
        First node of each tree, [T].
    left, right
        Children of each node, −1 in a leaf, [N].
    feature, threshold
        A sample goes left where this feature is at most that.
    value
        Mean of a leaf's samples, or their class probabilities, [N, K].
    """

    roots: np.ndarray
    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    value: np.ndarray

    @classmethod
    def of(cls, forest: RandomForestRegressor | RandomForestClassifier) -> "Forest":
        """Take the arrays of a fitted forest of scikit-learn."""
        trees = [tree.tree_ for tree in forest.estimators_]
        roots = np.concatenate([[0], np.cumsum([tree.node_count for tree in trees])[:-1]]).astype(np.int64)

        def joined(name: str, is_node: bool = False) -> np.ndarray:
            parts = [getattr(tree, name) for tree in trees]
            moved = [np.where(part < 0, -1, part + root) for part, root in zip(parts, roots, strict=True)]
            return np.concatenate(moved if is_node else parts)

        left, right = joined("children_left", True), joined("children_right", True)
        return cls(roots, left, right, joined("feature").astype(np.int64), joined("threshold"), joined("value")[:, 0])

    def means(self, features: np.ndarray) -> np.ndarray:
        """Give the mean over the trees, [m, K]."""
        values = features.astype(np.float32)  # as scikit-learn compares them
        node = np.repeat(self.roots[None], len(features), axis=0)
        rows = np.arange(len(features))[:, None]
        while (is_inner := self.left[node] >= 0).any():
            goes_left = values[rows, np.maximum(self.feature[node], 0)] <= self.threshold[node]
            node = np.where(is_inner, np.where(goes_left, self.left[node], self.right[node]), node)
        return self.value[node].mean(axis=1)

    def outputs(self, samples: Samples) -> np.ndarray:
        """Give centred values [m, 1], or logits, one per class or of the second of two classes."""
        return _as_outputs(self.means(shares(samples)))


def shares(samples: Samples) -> np.ndarray:
    """Share of each ASV in the reads of known ASVs, [S, F]."""
    return samples.counts / np.maximum(samples.counts.sum(axis=1, keepdims=True), 1)


def fit_forest(
    training: Samples, target: np.ndarray, n_classes: int | None, subject: np.ndarray
) -> tuple[Forest, Fitted]:
    """Fit a forest, and `FOLDS` forests to all but a part of the subjects for what it says of those left out.

    Parameters
    ----------
    training
        The samples.
    target
        Centred values, or class numbers.
    n_classes
        How many; None for values.
    subject
        Group number of each sample.
    """
    features, n_folds = shares(training), min(FOLDS, len(np.unique(subject)))
    if n_classes is not None:
        n_folds = max(2, min(n_folds, int(np.bincount(target).max())))  # no part can hold a class that is spent
    held_out = np.zeros((len(target), 1 if n_classes in (None, 2) else n_classes))
    is_stratified = n_classes is not None and np.bincount(target).max() > 1
    folds = (StratifiedGroupKFold if is_stratified else GroupKFold)(n_folds, shuffle=True, random_state=0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)  # groups decide, not classes
        parts = list(folds.split(features, target, subject))
    for rows, others in parts:
        held_out[others] = _as_outputs(_fit(features[rows], target[rows], n_classes).means(features[others]))
    if n_classes is None:
        loss = float(np.mean((held_out[:, 0] - target) ** 2) / target.var())
    else:
        loss = log_loss(held_out, is_of_class(target, n_classes), class_weights(target, n_classes))
    forest = _fit(features, target, n_classes)
    return forest, Fitted(None, loss, held_out)


def _fit(features: np.ndarray, target: np.ndarray, n_classes: int | None) -> Forest:
    if n_classes is None:
        return Forest.of(RandomForestRegressor(TREES, **_OPTIONS).fit(features, target))
    machine = RandomForestClassifier(TREES, class_weight="balanced", **_OPTIONS).fit(features, target)
    forest = Forest.of(machine)
    value = np.zeros((len(forest.value), n_classes))
    value[:, machine.classes_] = forest.value / forest.value.sum(axis=1, keepdims=True)
    return Forest(forest.roots, forest.left, forest.right, forest.feature, forest.threshold, value)


def _as_outputs(means: np.ndarray) -> np.ndarray:
    if means.shape[1] == 1:
        return means
    probability = np.clip(means, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    logit = np.log(probability / (1 - probability))
    return logit[:, 1:] if means.shape[1] == 2 else logit
