"""Scores of predictions in NumPy arrays, fast enough to be computed for a thousand draws of the samples."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata


@dataclass(frozen=True)
class Score:
    """A score of predictions.

    Attributes
    ----------
    label
        Name for reports.
    compute
        Computes the score from predictions (values [S], or probabilities [S, C]) and truth [S]; nan where it is not defined.
    is_loss
        Whether a smaller value is better.
    """

    label: str
    compute: Callable[[np.ndarray, np.ndarray], float]
    is_loss: bool = False


def r_squared(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Compute the share of the variance explained: 1 − Σ(truth − prediction)² / Σ(truth − mean)²; nan for a constant truth."""
    spread = float(np.square(truth - truth.mean()).sum())
    return 1.0 - float(np.square(truth - prediction).sum()) / spread if np.ptp(truth) > 0 else float("nan")


def mean_absolute_error(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Compute the mean absolute difference of prediction and truth."""
    return float(np.abs(prediction - truth).mean())


def root_mean_square_error(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Compute the square root of the mean squared error."""
    return float(np.sqrt(np.square(prediction - truth).mean()))


def spearman(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Compute the correlation of the ranks; nan if either is constant."""
    if not (np.ptp(truth) > 0 and np.ptp(prediction) > 0):
        return float("nan")
    return float(np.corrcoef(rankdata(prediction), rankdata(truth))[0, 1])


def accuracy(probability: np.ndarray, truth: np.ndarray) -> float:
    """Compute the share of the samples whose most probable class is the true one."""
    return float((probability.argmax(axis=1) == truth).mean())


def balanced_accuracy(probability: np.ndarray, truth: np.ndarray) -> float:
    """Compute the mean recall over the classes present."""
    n_classes = probability.shape[1]
    size = np.bincount(truth, minlength=n_classes)
    right = np.bincount(truth[probability.argmax(axis=1) == truth], minlength=n_classes)
    return float(np.mean(right[size > 0] / size[size > 0]))


def macro_f1(probability: np.ndarray, truth: np.ndarray) -> float:
    """Compute the mean F1 over the classes that are present or predicted."""
    n_classes, prediction = probability.shape[1], probability.argmax(axis=1)
    right = np.bincount(truth[prediction == truth], minlength=n_classes)
    involved = np.bincount(truth, minlength=n_classes) + np.bincount(prediction, minlength=n_classes)
    return float(np.mean(2 * right[involved > 0] / involved[involved > 0]))


def auroc(probability: np.ndarray, truth: np.ndarray) -> float:
    """Compute the mean, over the classes present, of the one-against-rest area under the ROC curve; nan with a single class."""
    areas = []
    for label in np.unique(truth):
        is_label = truth == label
        n_label, n_rest = int(is_label.sum()), int((~is_label).sum())
        if n_rest == 0:
            return float("nan")
        ranks = float(rankdata(probability[:, label])[is_label].sum())
        areas.append((ranks - n_label * (n_label + 1) / 2) / (n_label * n_rest))
    return float(np.mean(areas))


def rank_error(probability: np.ndarray, truth: np.ndarray) -> float:
    """Compute the mean distance, in steps of the classes' order, between the most probable class and the true one."""
    return float(np.abs(probability.argmax(axis=1) - truth).mean())


def quadratic_kappa(probability: np.ndarray, truth: np.ndarray) -> float:
    """Compute Cohen's kappa with squared distances of ordered classes (Cohen 1968); nan where all samples are of one class."""
    if np.ptp(truth) == 0:  # no prediction is better than chance there
        return float("nan")
    prediction = probability.argmax(axis=1)
    by_chance = np.square(np.subtract.outer(prediction, truth)).mean()
    return 1.0 - float(np.square(prediction - truth).mean() / by_chance)


CLASS_SCORES = {
    "balanced_accuracy": Score("balanced accuracy", balanced_accuracy),
    "auroc": Score("AUROC", auroc),
    "accuracy": Score("accuracy", accuracy),
    "macro_f1": Score("macro F1", macro_f1),
}

SCORES: dict[str, dict[str, Score]] = {
    "regression": {
        "r2": Score("R²", r_squared),
        "mae": Score("mean absolute error", mean_absolute_error, is_loss=True),
        "rmse": Score("root mean square error", root_mean_square_error, is_loss=True),
        "spearman": Score("Spearman", spearman),
    },
    "classification": CLASS_SCORES,
    "ordinal": {
        "quadratic_kappa": Score("quadratic kappa", quadratic_kappa),
        "rank_mae": Score("mean rank error", rank_error, is_loss=True),
        **CLASS_SCORES,
    },
}
"""Scores by task, the most informative first."""
