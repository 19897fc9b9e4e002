"""Ridge or logistic regression on centred log-ratios."""

import numpy as np

from aam.baselines.dual import kernel_model
from aam.baselines.problem import Problem
from aam.baselines.transforms import centred_log_ratios


def linear(problem: Problem) -> np.ndarray:
    """Predict from a weighted sum of log-ratios, with small weights preferred."""
    ratios, test_ratios = centred_log_ratios(problem)
    return kernel_model(problem, ratios @ ratios.T, test_ratios @ ratios.T)
