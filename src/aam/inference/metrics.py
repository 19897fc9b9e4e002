"""How good predictions are, compared with the truth and with a guess."""

import math
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn import metrics as sklearn_metrics

from aam.data.predicted import Predicted
from aam.data.target import TargetState


def evaluate(target: TargetState, prediction: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Compute the metrics of a target's task.

    Parameters
    ----------
    target
        The target, with the guess learned from the training samples.
    prediction
        Values [S], or class probabilities [S, C].
    truth
        Values [S] in own units, or class numbers [S].
    """
    if target.task == "regression":
        return _regression(float(target.guess), prediction, truth)
    return _classification(target, prediction, truth)


def evaluate_predicted(target: TargetState, predicted: Predicted, truth: np.ndarray) -> dict[str, Any]:
    """Compute the metrics of a target's task, and where there are intervals or sets how many hold the truth, and their size."""
    metrics = evaluate(target, predicted.values, truth)
    if predicted.chosen is not None:
        chosen = predicted.chosen
        inside = chosen[np.arange(len(truth)), truth]
        return {**metrics, "coverage": float(inside.mean()), "mean_set_size": float(chosen.sum(axis=1).mean())}
    if "lower" in predicted.columns:
        lower, upper = (np.asarray(predicted.columns[name]) for name in ("lower", "upper"))
        inside = (lower <= truth) & (truth <= upper)
        return {**metrics, "coverage": float(inside.mean()), "mean_width": float((upper - lower).mean())}
    return metrics


def without_nan(metrics: dict[str, Any]) -> dict[str, Any]:
    """Replace infinities and what is no number by None, which JSON knows.

    Examples
    --------
    >>> without_nan({"n": 3, "pearson": float("nan")})
    {'n': 3, 'pearson': None}
    """
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in metrics.items()
    }


def r_squared(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Share of the variance explained: 1 − Σ(truth − prediction)² / Σ(truth − mean)²; nan for a constant truth."""
    spread = float(np.square(truth - truth.mean()).sum())
    return 1.0 - float(np.square(truth - prediction).sum()) / spread if np.ptp(truth) > 0 else float("nan")


def _regression(guess: float, prediction: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    error = prediction - truth
    varies = np.ptp(truth) > 0 and np.ptp(prediction) > 0
    return {
        "n": len(truth),
        "r2": r_squared(prediction, truth),
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt(np.square(error).mean())),
        "pearson": float(np.corrcoef(prediction, truth)[0, 1]) if varies else float("nan"),
        "spearman": float(np.corrcoef(rankdata(prediction), rankdata(truth))[0, 1]) if varies else float("nan"),
        "guess_mae": float(np.abs(guess - truth).mean()),
        "guess_r2": r_squared(np.full(len(truth), guess), truth),
    }


def _classification(target: TargetState, probability: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    numbers = np.arange(len(target.classes))
    prediction = probability.argmax(axis=1)
    present = np.unique(truth)
    confusion = sklearn_metrics.confusion_matrix(truth, prediction, labels=numbers)
    recall = np.diag(confusion)[present] / confusion.sum(axis=1)[present]
    involved = confusion.sum(axis=0) + confusion.sum(axis=1)
    f1 = 2 * np.diag(confusion)[involved > 0] / involved[involved > 0]
    guess = target.classes.index(str(target.guess))
    return {
        "n": len(truth),
        "accuracy": float((prediction == truth).mean()),
        "balanced_accuracy": float(np.mean(recall)),
        "macro_f1": float(np.mean(f1)),
        "auroc": _auroc(probability, truth, present),
        "log_loss": float(-np.log(np.maximum(probability[np.arange(len(truth)), truth], 1e-15)).mean()),
        "guess_accuracy": float((truth == guess).mean()),
        "guess_balanced_accuracy": 1.0 / len(present),
        "confusion": {
            "classes": list(target.classes),
            "rows_true_columns_predicted": confusion.tolist(),
        },
    }


def _auroc(probability: np.ndarray, truth: np.ndarray, present: np.ndarray) -> float:
    """Mean over the classes present of one-against-rest AUROC; nan with a single class."""
    if len(present) < 2:
        return float("nan")
    return float(np.mean([sklearn_metrics.roc_auc_score(truth == k, probability[:, k]) for k in present]))
