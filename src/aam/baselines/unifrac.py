"""A kernel machine on unweighted UniFrac: samples are alike as far as they share branches of the tree."""

import numpy as np

from aam.baselines.dual import kernel_model
from aam.baselines.problem import Problem


def unifrac(problem: Problem) -> np.ndarray:
    """Predict with the kernel 1 − UniFrac, shared over total branch length: a Tanimoto kernel, positive semi-definite."""
    assert problem.distances is not None, "offered only where there is a tree"
    assert problem.test_distances is not None, "offered only where there is a tree"
    return kernel_model(problem, 1 - problem.distances, 1 - problem.test_distances)
