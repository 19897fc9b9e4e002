"""Metrics of predictions, compared with the truth and with a guess."""

import math
from typing import Any

import numpy as np
from sklearn import metrics as sklearn_metrics

from aam.labels.target import AnyTarget, JointTarget, Predictions, TargetState, indices_with_value
from aam.metrics.scores import (
    accuracy,
    auroc,
    balanced_accuracy,
    macro_f1,
    mean_absolute_error,
    quadratic_kappa,
    r_squared,
    rank_error,
    root_mean_square_error,
    spearman,
)
from aam.uncertainty import INTERVAL


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

    Returns
    -------
    dict[str, Any]
        Metrics by name: numbers, and for classes the confusion matrix.
    """
    if target.task == "regression":
        return _regression(float(target.guess), prediction, truth)
    metrics = _classification(target, prediction, truth)
    return metrics | _ordinal(target, prediction, truth) if target.task == "ordinal" else metrics


def evaluate_predicted(target: AnyTarget, predicted: Predictions, truth: np.ndarray) -> dict[str, Any]:
    """Compute the metrics of a target's task, and the coverage and mean size of intervals or sets if there are any.

    Parameters
    ----------
    target
        The target, of one or several columns.
    predicted
        Predictions of S samples.
    truth
        Values in own units or class numbers, [S]; for several columns values, NaN where missing, [S, K].

    Returns
    -------
    dict[str, Any]
        Metrics by name. Several columns have metrics of their own, ``METRIC:COLUMN``, over the samples that have a value.
    """
    if isinstance(target, JointTarget):
        by_column = {
            part.column: evaluate_predicted(part, of_column.select(indices), truth[indices, k])
            for k, (part, of_column, indices) in enumerate(
                zip(target.parts, target.split(predicted), indices_with_value(truth), strict=True)
            )
            if len(indices)
        }
        named = {f"{name}:{column}": value for column, scores in by_column.items() for name, value in scores.items()}
        return {"n": len(truth), **named}
    metrics = evaluate(target, predicted.values, truth)
    if predicted.chosen is not None:
        sets = predicted.chosen
        inside = sets[np.arange(len(truth)), truth]
        return {**metrics, "coverage": float(inside.mean()), "mean_set_size": float(sets.sum(axis=1).mean())}
    if all(name in predicted.columns for name in INTERVAL):
        lower, upper = (np.asarray(predicted.columns[name]) for name in INTERVAL)
        inside = (lower <= truth) & (truth <= upper)
        return {**metrics, "coverage": float(inside.mean()), "mean_width": float((upper - lower).mean())}
    return metrics


def without_nan(metrics: dict[str, Any]) -> dict[str, Any]:
    """Return metrics with None, which JSON has, in place of infinities and NaN.

    Examples
    --------
    >>> without_nan({"n": 3, "pearson": float("nan")})
    {'n': 3, 'pearson': None}
    """
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in metrics.items()
    }


def _regression(guess: float, prediction: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    varies = np.ptp(truth) > 0 and np.ptp(prediction) > 0
    return {
        "n": len(truth),
        "r2": r_squared(prediction, truth),
        "mae": mean_absolute_error(prediction, truth),
        "rmse": root_mean_square_error(prediction, truth),
        "pearson": float(np.corrcoef(prediction, truth)[0, 1]) if varies else float("nan"),
        "spearman": spearman(prediction, truth),
        "guess_mae": float(np.abs(guess - truth).mean()),
        "guess_r2": r_squared(np.full(len(truth), guess), truth),
    }


def _classification(target: TargetState, probability: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    numbers = np.arange(len(target.classes))
    prediction = probability.argmax(axis=1)
    present = np.unique(truth)
    confusion = sklearn_metrics.confusion_matrix(truth, prediction, labels=numbers)
    guess = target.classes.index(str(target.guess))
    return {
        "n": len(truth),
        "accuracy": accuracy(probability, truth),
        "balanced_accuracy": balanced_accuracy(probability, truth),
        "macro_f1": macro_f1(probability, truth),
        "auroc": auroc(probability, truth),
        "log_loss": float(-np.log(np.maximum(probability[np.arange(len(truth)), truth], 1e-15)).mean()),
        "guess_accuracy": float((truth == guess).mean()),
        "guess_balanced_accuracy": 1.0 / len(present) if guess in present else 0.0,
        "confusion": {
            "classes": list(target.classes),
            "rows_true_columns_predicted": confusion.tolist(),
        },
    }


def _ordinal(target: TargetState, probability: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    guess = target.classes.index(str(target.guess))
    return {
        "rank_mae": rank_error(probability, truth),
        "quadratic_kappa": quadratic_kappa(probability, truth),
        "guess_rank_mae": float(np.abs(truth - guess).mean()),
    }
