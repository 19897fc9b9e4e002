"""The guess: what one would predict without looking at the sample."""

import numpy as np

from aam.baselines.problem import Problem


def guess(problem: Problem) -> np.ndarray:
    """Predict the median of the training samples, or the share of each class in them."""
    n_test = len(problem.test_counts)
    if problem.task == "regression":
        return np.full(n_test, float(np.median(problem.truth)))
    share = np.bincount(problem.truth, minlength=problem.n_classes) / len(problem.truth)
    return np.tile(share, (n_test, 1))
