"""Forests and gradient boosting on the shares of reads."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)

from aam.baselines.problem import Problem, all_classes, best_candidate, loss, shares_of

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
