"""The baselines by their names, with the two that read no microbes: the guess, and sequencing depth."""

from collections.abc import Callable

import numpy as np

from aam.baselines.fold import FoldData
from aam.baselines.linear import kernel_model, linear, unifrac
from aam.baselines.trees import extra_trees, gradient_boosting, random_forest


def guess(fold: FoldData) -> np.ndarray:
    """Predict the median of the training samples, or the share of each class in them."""
    n_test = len(fold.test_counts)
    if fold.task == "regression":
        return np.full(n_test, float(np.median(fold.truth)))
    share = np.bincount(fold.truth, minlength=fold.n_classes) / len(fold.truth)
    return np.tile(share, (n_test, 1))


def depth(fold: FoldData) -> np.ndarray:
    """Predict from the logarithm of the reads of each sample and its square, whatever they are of."""
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
"""By the values of ``--baselines``; each gives values [m] or probabilities [m, C] of the held-out samples."""

NEED_TREE = ("unifrac",)
"""Those that only a study with a tree can have."""
