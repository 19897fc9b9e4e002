"""A random forest without tuning."""

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from aam.kernels.trees import Trees

TREES = 300
_OPTIONS = {"max_features": 0.1, "min_samples_leaf": 3, "random_state": 0, "n_jobs": -1}


def random_forest(features: np.ndarray, target: np.ndarray, n_classes: int | None) -> Trees:
    """Average trees that were each grown on other samples and features (Breiman 2001); classes have equal weight."""
    if n_classes is None:
        machine = RandomForestRegressor(TREES, **_OPTIONS).fit(features, target)
        return Trees.of(machine.estimators_, 1 / TREES)
    machine = RandomForestClassifier(TREES, class_weight="balanced", **_OPTIONS).fit(features, target)
    forest = Trees.of(machine.estimators_, 1.0)
    value = np.zeros((len(forest.value), n_classes))
    value[:, machine.classes_] = forest.value / forest.value.sum(axis=1, keepdims=True) / TREES
    return Trees(forest.roots, forest.left, forest.right, forest.feature, forest.threshold, value)
