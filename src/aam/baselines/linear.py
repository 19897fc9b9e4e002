"""Ridge and logistic regression, on centred log-ratios or on UniFrac as a kernel."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import KernelCenterer

from aam.baselines.fold import FoldData, all_classes, best_candidate, centred_log_ratios

RIDGE_PENALTIES = tuple(np.logspace(-4, 2, 13))
"""Penalties that ridge regression tries, in units of the kernel's mean diagonal."""

LOGISTIC_PENALTIES = tuple(np.logspace(-4, 1, 11))
"""Penalties that logistic regression tries, in units of the kernel's mean diagonal."""

_LEAST_SHARE_OF_SPECTRUM = 1e-9

_ROUNDING = 1e-12
"""Share of a kernel's mean diagonal that centring leaves where all samples are equal."""


def kernel_model(fold: FoldData, kernel: np.ndarray, test_kernel: np.ndarray) -> np.ndarray:
    """Fit ridge or logistic regression with a kernel, the penalty chosen in the inner folds.

    Parameters
    ----------
    fold
        The fold.
    kernel, test_kernel
        Kernel between the training samples, and between the held-out samples and these, [n, n] and [m, n].

    Returns
    -------
    np.ndarray
        Values [m] or probabilities [m, C] of the held-out samples.
    """
    is_regression = fold.task == "regression"
    fit_and_predict = _ridge if is_regression else _logistic

    def predict(penalty: float, fit: np.ndarray, scored: np.ndarray) -> np.ndarray:
        return fit_and_predict(
            fold, penalty, fold.truth[fit], *_centred(kernel[np.ix_(fit, fit)], kernel[np.ix_(scored, fit)])
        )

    penalties = RIDGE_PENALTIES if is_regression else LOGISTIC_PENALTIES
    chosen = best_candidate(fold, penalties, predict)
    return fit_and_predict(fold, chosen, fold.truth, *_centred(kernel, test_kernel))


def _centred(kernel: np.ndarray, test_kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre kernels at the training samples' mean, and scale these to a mean square of 1; kernels of equal samples become 0."""
    centre = KernelCenterer().fit(kernel)
    centred = centre.transform(kernel)
    scale = float(np.diag(centred).mean())
    if scale <= _ROUNDING * float(np.diag(kernel).mean()):
        return np.zeros_like(kernel), np.zeros_like(test_kernel)
    return centred / scale, centre.transform(test_kernel) / scale


def _ridge(
    fold: FoldData, penalty: float, truth: np.ndarray, kernel: np.ndarray, test_kernel: np.ndarray
) -> np.ndarray:
    mean = truth.mean()
    model = KernelRidge(alpha=penalty, kernel="precomputed")  # type: ignore[arg-type]
    model.fit(kernel, truth - mean)
    return model.predict(test_kernel) + mean


def _logistic(
    fold: FoldData, penalty: float, truth: np.ndarray, kernel: np.ndarray, test_kernel: np.ndarray
) -> np.ndarray:
    """Fit on coordinates whose inner products are the kernel: equal to a fit on all features, and faster."""
    values, vectors = np.linalg.eigh(kernel)
    is_kept = values > max(_LEAST_SHARE_OF_SPECTRUM * values[-1], 0.0)
    if not is_kept.any():  # the samples do not differ
        seen_classes = np.unique(truth)
        return all_classes(
            np.full((len(test_kernel), len(seen_classes)), 1 / len(seen_classes)), seen_classes, fold.n_classes
        )
    root = np.sqrt(values[is_kept])
    model = LogisticRegression(C=1 / (penalty * len(truth)), class_weight="balanced", max_iter=500)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a weak penalty, which the inner folds judge
        model.fit(vectors[:, is_kept] * root, truth)
    probability = model.predict_proba(test_kernel @ (vectors[:, is_kept] / root))
    return all_classes(probability, model.classes_, fold.n_classes)


def linear(fold: FoldData) -> np.ndarray:
    """Predict the held-out samples from log-ratios, [m] or [m, C], by penalised linear regression."""
    ratios, test_ratios = centred_log_ratios(fold)
    return kernel_model(fold, ratios @ ratios.T, test_ratios @ ratios.T)


def unifrac(fold: FoldData) -> np.ndarray:
    """Predict the held-out samples, [m] or [m, C], with the kernel 1 − UniFrac.

    It is the shared over the total branch length: a Tanimoto kernel, positive semi-definite.
    """
    assert fold.distances is not None, "offered only where there is a tree"
    assert fold.test_distances is not None, "offered only where there is a tree"
    return kernel_model(fold, 1 - fold.distances, 1 - fold.test_distances)
