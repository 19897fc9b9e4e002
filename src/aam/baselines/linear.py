"""Ridge and logistic regression, on centred log-ratios or on UniFrac as a kernel."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import KernelCenterer

from aam.baselines.fold import FoldData, all_classes, best_candidate, centred_log_ratios

RIDGE_PENALTIES = tuple(np.logspace(-4, 2, 13))

LOGISTIC_PENALTIES = tuple(np.logspace(-4, 1, 11))
"""In units of the kernel's mean diagonal."""

_LEAST_SHARE_OF_SPECTRUM = 1e-9

_ROUNDING = 1e-12
"""Share of a kernel's mean diagonal that centring leaves of samples that are equal."""


def kernel_model(fold: FoldData, kernel: np.ndarray, test_kernel: np.ndarray) -> np.ndarray:
    """Fit ridge or logistic regression with a kernel, the penalty chosen in the inner folds.

    Parameters
    ----------
    problem
        The fold.
    kernel, test_kernel
        Of the training samples, and of the held-out ones with these, [n, n] and [m, n].
    """
    is_regression = fold.task == "regression"
    fit_and_predict = _ridge if is_regression else _logistic

    def predict(penalty: float, fit: np.ndarray, judge: np.ndarray) -> np.ndarray:
        return fit_and_predict(
            fold, penalty, fold.truth[fit], *_centred(kernel[np.ix_(fit, fit)], kernel[np.ix_(judge, fit)])
        )

    penalties = RIDGE_PENALTIES if is_regression else LOGISTIC_PENALTIES
    chosen = best_candidate(fold, penalties, predict)
    return fit_and_predict(fold, chosen, fold.truth, *_centred(kernel, test_kernel))


def _centred(kernel: np.ndarray, test_kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Move the training samples' mean to the origin, and scale them to a mean square of 1; equal samples stay there."""
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
    """Fit on coordinates whose products are the kernel: the same as with all features, and faster."""
    values, vectors = np.linalg.eigh(kernel)
    kept = values > max(_LEAST_SHARE_OF_SPECTRUM * values[-1], 0.0)
    if not kept.any():  # the samples do not differ
        known = np.unique(truth)
        return all_classes(np.full((len(test_kernel), len(known)), 1 / len(known)), known, fold.n_classes)
    root = np.sqrt(values[kept])
    model = LogisticRegression(C=1 / (penalty * len(truth)), class_weight="balanced", max_iter=500)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a weak penalty, which the inner folds judge
        model.fit(vectors[:, kept] * root, truth)
    probability = model.predict_proba(test_kernel @ (vectors[:, kept] / root))
    return all_classes(probability, model.classes_, fold.n_classes)


def linear(fold: FoldData) -> np.ndarray:
    """Predict from a weighted sum of log-ratios, with small weights preferred."""
    ratios, test_ratios = centred_log_ratios(fold)
    return kernel_model(fold, ratios @ ratios.T, test_ratios @ ratios.T)


def unifrac(fold: FoldData) -> np.ndarray:
    """Predict with the kernel 1 − UniFrac, shared over total branch length: a Tanimoto kernel, positive semi-definite."""
    assert fold.distances is not None, "offered only where there is a tree"
    assert fold.test_distances is not None, "offered only where there is a tree"
    return kernel_model(fold, 1 - fold.distances, 1 - fold.test_distances)
