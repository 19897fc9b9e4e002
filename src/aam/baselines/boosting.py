"""Gradient boosting: shallow trees that correct each other, on the shares of reads."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from aam.baselines.problem import Problem
from aam.baselines.transforms import shares_of
from aam.baselines.tuning import all_classes, loss

MOST_TREES = 200
FIXED = {
    "learning_rate": 0.05,
    "max_leaf_nodes": 8,
    "min_samples_leaf": 10,
    "max_features": 0.1,
    "early_stopping": False,
}


def gradient_boosting(problem: Problem) -> np.ndarray:
    """Add up trees on binned values (Friedman 2001); their number is chosen in the inner folds."""
    shares, test_shares = shares_of(problem)
    n_trees = _best_number(problem, shares)
    model = _model(problem, n_trees).fit(shares, problem.truth)
    if problem.task == "regression":
        return model.predict(test_shares)
    return all_classes(model.predict_proba(test_shares), model.classes_, problem.n_classes)


def _best_number(problem: Problem, shares: np.ndarray) -> int:
    """Find after how many trees the inner folds lose least."""
    folds = problem.inner_folds()
    if not folds:
        return MOST_TREES
    losses = np.zeros(MOST_TREES)
    for fit, judge in folds:
        model = _model(problem, MOST_TREES).fit(shares[fit], problem.truth[fit])
        for n, predicted in enumerate(_stages(problem, model, shares[judge])):
            losses[n] += len(judge) * loss(problem.task, predicted, problem.truth[judge])
    return int(np.argmin(losses)) + 1


def _stages(problem: Problem, model: Any, shares: np.ndarray) -> Iterator[np.ndarray]:
    if problem.task == "regression":
        yield from model.staged_predict(shares)
    else:
        for probability in model.staged_predict_proba(shares):
            yield all_classes(probability, model.classes_, problem.n_classes)


def _model(problem: Problem, n_trees: int) -> Any:
    if problem.task == "regression":
        return HistGradientBoostingRegressor(max_iter=n_trees, random_state=problem.seed, **FIXED)
    return HistGradientBoostingClassifier(max_iter=n_trees, random_state=problem.seed, class_weight="balanced", **FIXED)
