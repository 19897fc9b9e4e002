"""The baselines by their names, and the two that use no microbes: the guess, and sequencing depth."""

from collections.abc import Callable

import numpy as np

from aam.baselines.fold import FoldData
from aam.baselines.linear import kernel_model, linear, unifrac
from aam.baselines.trees import extra_trees, gradient_boosting, random_forest


def guess(fold: FoldData) -> np.ndarray:
    """Predict the median of the training samples, [m], or the share of each class in them, [m, C]."""
    n_test = len(fold.test_counts)
    if fold.task == "regression":
        return np.full(n_test, float(np.median(fold.truth)))
    share = np.bincount(fold.truth, minlength=fold.n_classes) / len(fold.truth)
    return np.tile(share, (n_test, 1))


def depth(fold: FoldData) -> np.ndarray:
    """Predict the held-out samples, [m] or [m, C], from the logarithm of each sample's number of reads, and its square."""
    logs, test_logs = (np.log(reads)[:, None] for reads in (fold.depths, fold.test_depths))
    mean, spread = logs.mean(), logs.std() + 1e-9
    features, test_features = (
        np.hstack([standardised, standardised**2])
        for standardised in ((logs - mean) / spread, (test_logs - mean) / spread)
    )
    return kernel_model(fold, features @ features.T, test_features @ features.T)


BASELINES: dict[str, Callable[[FoldData], np.ndarray]] = {
    "guess": guess,
    "depth": depth,
    "linear": linear,
    "unifrac": unifrac,
    "random-forest": random_forest,
    "extra-trees": extra_trees,
    "gradient-boosting": gradient_boosting,
}
"""Baselines by the values of ``--baselines``; each returns values [m] or probabilities [m, C] of the held-out samples."""

NEED_TREE = ("unifrac",)
"""Baselines that need a tree."""
