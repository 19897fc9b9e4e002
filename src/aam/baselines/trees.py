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

from aam.baselines.fold import FoldData, all_classes, best_candidate, loss, shares_of

FOREST_SIZE, TUNING_FOREST_SIZE = 500, 100
"""Number of trees of the final forest, and of those in the inner folds."""

CANDIDATES = ((1, "sqrt"), (1, 0.1), (3, "sqrt"), (3, 0.1))
"""Least number of samples in a leaf, and features that are tried at a split."""


def random_forest(fold: FoldData) -> np.ndarray:
    """Predict the held-out samples, [m] or [m, C], by trees that were each grown on a draw of the samples (Breiman 2001)."""
    return _forest(fold, {"regression": RandomForestRegressor, "classification": RandomForestClassifier})


def extra_trees(fold: FoldData) -> np.ndarray:
    """Predict the held-out samples, [m] or [m, C], by trees with random thresholds (Geurts, Ernst & Wehenkel 2006)."""
    return _forest(fold, {"regression": ExtraTreesRegressor, "classification": ExtraTreesClassifier})


def _forest(fold: FoldData, kinds: dict[str, Any]) -> np.ndarray:
    shares, test_shares = shares_of(fold)

    def predict(candidate: tuple[int, Any], x: np.ndarray, y: np.ndarray, x_test: np.ndarray, trees: int) -> np.ndarray:
        balance = {} if fold.task == "regression" else {"class_weight": "balanced"}
        leaf, features = candidate
        forest = kinds[fold.task](
            trees, min_samples_leaf=leaf, max_features=features, random_state=fold.seed, **balance
        ).fit(x, y)
        if fold.task == "regression":
            return forest.predict(x_test)
        return all_classes(forest.predict_proba(x_test), forest.classes_, fold.n_classes)

    def predict_some(candidate: tuple[int, Any], fit: np.ndarray, scored: np.ndarray) -> np.ndarray:
        return predict(candidate, shares[fit], fold.truth[fit], shares[scored], TUNING_FOREST_SIZE)

    chosen = best_candidate(fold, CANDIDATES, predict_some)
    return predict(chosen, shares, fold.truth, test_shares, FOREST_SIZE)


MOST_TREES = 200
"""Most trees of gradient boosting."""

FIXED = {
    "learning_rate": 0.05,
    "max_leaf_nodes": 8,
    "min_samples_leaf": 10,
    "max_features": 0.1,
    "early_stopping": False,
}


def gradient_boosting(fold: FoldData) -> np.ndarray:
    """Predict the held-out samples, [m] or [m, C], by gradient boosting on binned values (Friedman 2001).

    The number of trees is chosen in the inner folds.
    """
    shares, test_shares = shares_of(fold)
    n_trees = _best_number(fold, shares)
    model = _model(fold, n_trees).fit(shares, fold.truth)
    if fold.task == "regression":
        return model.predict(test_shares)
    return all_classes(model.predict_proba(test_shares), model.classes_, fold.n_classes)


def _best_number(fold: FoldData, shares: np.ndarray) -> int:
    """Return the number of trees with the least loss in the inner folds."""
    folds = fold.inner_folds()
    if not folds:
        return MOST_TREES
    losses = np.zeros(MOST_TREES)
    for fit, scored in folds:
        model = _model(fold, MOST_TREES).fit(shares[fit], fold.truth[fit])
        for n, predicted in enumerate(_stages(fold, model, shares[scored])):
            losses[n] += len(scored) * loss(fold.task, predicted, fold.truth[scored])
    return int(np.argmin(losses)) + 1


def _stages(fold: FoldData, model: Any, shares: np.ndarray) -> Iterator[np.ndarray]:
    if fold.task == "regression":
        yield from model.staged_predict(shares)
    else:
        for probability in model.staged_predict_proba(shares):
            yield all_classes(probability, model.classes_, fold.n_classes)


def _model(fold: FoldData, n_trees: int) -> Any:
    if fold.task == "regression":
        return HistGradientBoostingRegressor(max_iter=n_trees, random_state=fold.seed, **FIXED)
    return HistGradientBoostingClassifier(max_iter=n_trees, random_state=fold.seed, class_weight="balanced", **FIXED)
