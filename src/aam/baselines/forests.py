"""Forests of decision trees on the shares of reads: bagged (random forest), or with random thresholds (extra trees)."""

from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor

from aam.baselines.problem import Problem
from aam.baselines.transforms import shares_of
from aam.baselines.tuning import all_classes, best_candidate

TREES, TREES_OF_TUNING = 500, 100
CANDIDATES = ((1, "sqrt"), (1, 0.1), (3, "sqrt"), (3, 0.1))
"""Least samples in a leaf, and features that are tried at a split."""


def random_forest(problem: Problem) -> np.ndarray:
    """Average trees that were each grown on a draw of the samples (Breiman 2001)."""
    return _forest(problem, {"regression": RandomForestRegressor, "classification": RandomForestClassifier})


def extra_trees(problem: Problem) -> np.ndarray:
    """Average trees whose thresholds are drawn at random (Geurts, Ernst & Wehenkel 2006)."""
    return _forest(problem, {"regression": ExtraTreesRegressor, "classification": ExtraTreesClassifier})


def _forest(problem: Problem, kinds: dict[str, Any]) -> np.ndarray:
    shares, test_shares = shares_of(problem)

    def predict(candidate: tuple[int, Any], x: np.ndarray, y: np.ndarray, x_test: np.ndarray, trees: int) -> np.ndarray:
        balance = {} if problem.task == "regression" else {"class_weight": "balanced"}
        leaf, features = candidate
        forest = kinds[problem.task](
            trees, min_samples_leaf=leaf, max_features=features, random_state=problem.seed, **balance
        ).fit(x, y)
        if problem.task == "regression":
            return forest.predict(x_test)
        return all_classes(forest.predict_proba(x_test), forest.classes_, problem.n_classes)

    def predict_some(candidate: tuple[int, Any], fit: np.ndarray, judge: np.ndarray) -> np.ndarray:
        return predict(candidate, shares[fit], problem.truth[fit], shares[judge], TREES_OF_TUNING)

    chosen = best_candidate(problem, CANDIDATES, predict_some)
    return predict(chosen, shares, problem.truth, test_shares, TREES)
