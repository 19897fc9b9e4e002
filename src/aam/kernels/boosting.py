"""Gradient boosting of values, without tuning."""

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor

from aam.kernels.trees import Trees

TREES, RATE = 200, 0.05
_OPTIONS = {"max_leaf_nodes": 8, "min_samples_leaf": 10, "max_features": 0.1, "subsample": 0.5, "random_state": 0}


def boosted_trees(features: np.ndarray, target: np.ndarray, n_classes: int | None) -> Trees:
    """Add up shallow trees that correct each other, from 0 (Friedman 2001); ``target`` is centred."""
    assert n_classes is None, "boosting is of values"
    machine = GradientBoostingRegressor(n_estimators=TREES, learning_rate=RATE, init="zero", **_OPTIONS)
    return Trees.of(list(machine.fit(features, target).estimators_[:, 0]), RATE)
