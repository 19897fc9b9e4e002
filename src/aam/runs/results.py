"""Results of runs: tables of predictions, figures and validation metrics."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from aam.config.commands import TrainConfig
from aam.data.rarefaction import EVALUATION, generator
from aam.figures import RegressionPanel, draw_confusion, draw_regression, draw_regressions
from aam.inference.metrics import evaluate_predicted, without_nan
from aam.inference.predictor import Predictor
from aam.io.metadata import write_tsv
from aam.labels.labelled import LabelledStudy
from aam.labels.splits import SampleSplit
from aam.labels.target import AnyTarget, JointTarget, columns_ending_in, indices_with_value
from aam.metrics.reservoir import Reservoir
from aam.storage.atomic import atomic_path, write_text_atomic
from aam.training.plots import PURPOSE

EXPLANATION = "explanation"
"""Folder of what ``aam crossval --explain`` writes."""

EVALUATION_RESULTS = (
    "metrics.json", "metrics.tsv", "predictions.tsv", "plots",
    "folds.tsv", "results.tsv", "summary.tsv", "summary.png", "summary.md", EXPLANATION,
)  # fmt: skip
"""Files of ``aam evaluate`` and ``aam crossval``; each removes those of the other from its output directory."""


def write_splits(path: Path, split: SampleSplit) -> None:
    """Write the part of the split that each sample is in; ``--split-file`` reads it back."""
    write_tsv(path, {"sample-id": split.sample_ids, "split": split.split})


def prediction_columns(
    target: AnyTarget, sample_ids: Sequence[str], prediction: np.ndarray
) -> dict[str, Sequence[str] | np.ndarray]:
    """Return the columns of a table of predictions.

    Parameters
    ----------
    target
        The target.
    sample_ids
        Names of the samples, [S].
    prediction
        Values, [S] or [S, K], or class probabilities, [S, C].

    Returns
    -------
    dict[str, Sequence[str] | np.ndarray]
        Cells by name of the column: ``sample-id``, ``prediction``, and ``probability:CLASS`` of each class; for several columns
        ``prediction:COLUMN`` of each.
    """
    if isinstance(target, JointTarget):
        predictions = {f"prediction:{name}": prediction[:, k] for k, name in enumerate(target.columns)}
        return {"sample-id": sample_ids, **predictions}
    if target.task == "regression":
        return {"sample-id": sample_ids, "prediction": prediction}
    names = [target.classes[k] for k in prediction.argmax(axis=1)]
    probabilities = {f"probability:{name}": prediction[:, k] for k, name in enumerate(target.classes)}
    return {"sample-id": sample_ids, "prediction": names, **probabilities}


def truth_columns(target: AnyTarget, truth: np.ndarray) -> dict[str, np.ndarray | list[str]]:
    """Return the columns ``truth``, or ``truth:COLUMN``, of a table of predictions: values, or class names."""
    if isinstance(target, JointTarget):
        return {f"truth:{name}": truth[:, k] for k, name in enumerate(target.columns)}
    return {"truth": truth if target.task == "regression" else [target.classes[k] for k in truth]}


def write_metrics(directory: Path, metrics: dict[str, Any]) -> None:
    """Write all metrics as ``metrics.json``, and those that are numbers also as ``metrics.tsv``."""
    finite = without_nan(metrics)
    write_text_atomic(directory / "metrics.json", json.dumps(finite, indent=2) + "\n")
    numbers = {name: value for name, value in finite.items() if isinstance(value, int | float)}
    rows = [f"{name}\t{value if isinstance(value, int) else f'{value:.6g}'}" for name, value in numbers.items()]
    write_text_atomic(directory / "metrics.tsv", "\n".join(["metric\tvalue", *rows]) + "\n")


def points_to_draw(most: int, seed: int) -> Reservoir:
    """Return a reservoir that samples at most so many predictions for a figure, each with equal probability."""
    return Reservoir(most, generator(seed, PURPOSE, "target", EVALUATION))


def draw_target(
    path: Path,
    target: AnyTarget,
    prediction: np.ndarray,
    truth: np.ndarray,
    metrics: dict[str, Any],
    points: Reservoir,
) -> None:
    """Draw predicted against true values of the samples that ``points`` draws, or the confusion matrix of all samples, as PNG."""
    path.parent.mkdir(exist_ok=True)
    if target.task == "regression":
        points.add(torch.tensor(prediction), torch.tensor(truth))  # copies: arrays of pandas are read-only
        predicted, true = (values.numpy() for values in points.points)
        if isinstance(target, JointTarget):
            figure = _draw_columns(target, predicted, true, metrics)
        else:
            figure = draw_regression(predicted, true, target.column, metrics["r2"], metrics["n"])
    else:
        counts = np.array(metrics["confusion"]["rows_true_columns_predicted"])
        figure = draw_confusion(counts, target.classes, target.column)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png")


def _draw_columns(target: JointTarget, prediction: np.ndarray, truth: np.ndarray, metrics: dict[str, Any]) -> Figure:
    panels = [
        RegressionPanel(prediction[indices, k], truth[indices, k], name, metrics.get(f"r2:{name}", float("nan")))
        for k, (name, indices) in enumerate(zip(target.columns, indices_with_value(truth), strict=True))
    ]
    return draw_regressions(panels)


def summarise(metrics: dict[str, Any], target: AnyTarget) -> str:
    """Return the main metrics of predictions and of the guess in one line, for the log."""
    if isinstance(target, JointTarget):
        by_column = {
            part.column: summarise(columns_ending_in(f":{part.column}", metrics), part)
            for part in target.parts
            if f"n:{part.column}" in metrics
        }
        return "; ".join(f"{column}: {summary}" for column, summary in by_column.items())
    if target.task == "regression":
        reason = "one sample" if metrics["n"] == 1 else "all samples have the same value"
        return (
            f"R² {_score(metrics['r2'], reason)}, mean absolute error {metrics['mae']:.4g} (guessing {target.guess:.4g}: "
            f"{metrics['guess_mae']:.4g}), n = {metrics['n']}{_others_without_value(metrics, 'r2', ('pearson', 'spearman'))}"
        )
    of_class = np.sum(metrics["confusion"]["rows_true_columns_predicted"], axis=1)
    reason = f"all samples are {target.classes[int(of_class.argmax())]!r}"
    ranks = f"mean rank error {metrics['rank_mae']:.3g}, " if target.task == "ordinal" else ""
    return (
        f"{ranks}balanced accuracy {metrics['balanced_accuracy']:.3f} (guessing {target.guess!r}: "
        f"{metrics['guess_balanced_accuracy']:.3f}), AUROC {_score(metrics['auroc'], reason)}, n = {metrics['n']}"
        f"{_others_without_value(metrics, 'auroc', ('quadratic_kappa',))}"
    )


def _others_without_value(metrics: dict[str, Any], main: str, names: Sequence[str]) -> str:
    """Return which further scores are not defined, for the same reason as the main one or else for constant predictions."""
    absent = [name for name in names if name in metrics and not math.isfinite(metrics[name])]
    if not absent:
        return ""
    if not math.isfinite(metrics[main]):
        return f"; not defined either: {', '.join(absent)}"
    return f"; not defined: {', '.join(absent)} (all predictions have the same value)"


def _score(value: float, reason: str) -> str:
    """Return a score with three decimals, or why there is none."""
    return f"{value:.3f}" if math.isfinite(value) else f"not defined ({reason})"


def validate(config: TrainConfig, predictor: Predictor, labelled: LabelledStudy) -> dict[str, Any]:
    """Predict the validation samples as ``aam predict`` does, and write the table and the figure.

    Parameters
    ----------
    config
        Options of the run.
    predictor
        Predictor of the trained model.
    labelled
        Training and validation samples.

    Returns
    -------
    dict[str, Any]
        Metrics of the target, by name.
    """
    validation, output, target = labelled.samples.select(labelled.validation), config.output.output_dir, labelled.target
    truth, sample_ids = labelled.truth[labelled.validation], validation.study.sample_ids
    predicted = predictor.predict(validation.study, validation.metadata)
    columns = prediction_columns(target, sample_ids, predicted.values)
    truths = truth_columns(target, truth)
    write_tsv(output / "validation_predictions.tsv", {**columns, **predicted.columns, **truths})
    metrics = evaluate_predicted(target, predicted, truth)
    points = points_to_draw(config.training.validation_plot_samples, config.training.seed)
    draw_target(output / "plots" / "target.png", target, predicted.values, truth, metrics, points)
    return metrics
