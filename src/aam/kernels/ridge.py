"""Kernel ridge regression whose penalty is chosen by leaving out one group at a time, in closed form."""

import numpy as np

from aam.kernels.fitted import Fitted

PENALTIES = tuple(10.0 ** np.arange(1.5, -3.1, -0.5))


def fit_ridge(kernel: np.ndarray, target: np.ndarray, groups: list[np.ndarray]) -> Fitted:
    """Fit ``f = K α`` with the penalty whose leave-one-group-out error is least.

    With one eigendecomposition of ``K [n, n]`` the dual ``α = (K + λ)⁻¹ y`` of every penalty λ costs O(n²). The residuals of a
    group g that is left out are ``(M_gg)⁻¹ α_g`` with ``M = (K + λ)⁻¹``: exactly those of a fit without it.

    Parameters
    ----------
    kernel
        Of the training samples, with a constant for the intercept.
    target
        Centred values, [n].
    groups
        Rows of each group.
    """
    values, vectors = np.linalg.eigh(kernel)
    rotated, best = vectors.T @ target, None
    for penalty in PENALTIES:
        inverse = 1 / (np.maximum(values, 0) + penalty)
        dual = vectors @ (inverse * rotated)
        residual = np.empty_like(target)
        for rows in groups:
            residual[rows] = np.linalg.solve((vectors[rows] * inverse) @ vectors[rows].T, dual[rows])
        loss = float(np.mean(residual**2) / target.var())
        if best is None or loss < best.loss:
            best = Fitted(penalty, loss, dual[:, None], (target - residual)[:, None])
    assert best is not None
    return best
