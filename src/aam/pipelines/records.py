"""The tables and figures that runs leave behind."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aam.data.batches import EVALUATION
from aam.data.seeding import generator
from aam.data.target import TargetState
from aam.figures import draw_confusion, draw_regression
from aam.inference.metrics import without_nan
from aam.io.atomic import atomic_path, write_text_atomic
from aam.io.table_tsv import write_tsv
from aam.metrics.reservoir import Reservoir
from aam.training.plots import PURPOSE


def write_splits(path: Path, sample_ids: Sequence[str], parts: np.ndarray) -> None:
    """Write the part of each sample; ``--split-file`` reads it back."""
    write_tsv(path, {"sample-id": sample_ids, "split": parts})


def prediction_columns(
    target: TargetState, sample_ids: Sequence[str], prediction: np.ndarray
) -> dict[str, Sequence[str] | np.ndarray]:
    """Lay out predictions: sample-id, prediction, and each class's probability."""
    if target.task == "regression":
        return {"sample-id": sample_ids, "prediction": prediction}
    names = [target.classes[k] for k in prediction.argmax(axis=1)]
    probabilities = {f"probability:{name}": prediction[:, k] for k, name in enumerate(target.classes)}
    return {"sample-id": sample_ids, "prediction": names, **probabilities}


def truth_column(target: TargetState, truth: np.ndarray) -> np.ndarray | list[str]:
    """Write the truth as the user knows it: values, or class names."""
    return truth if target.task == "regression" else [target.classes[k] for k in truth]


def write_metrics(directory: Path, metrics: dict[str, Any]) -> None:
    """Write ``metrics.json``, and the single numbers also as ``metrics.tsv``."""
    finite = without_nan(metrics)
    write_text_atomic(directory / "metrics.json", json.dumps(finite, indent=2) + "\n")
    numbers = {name: value for name, value in finite.items() if isinstance(value, int | float)}
    rows = [f"{name}\t{value if isinstance(value, int) else f'{value:.6g}'}" for name, value in numbers.items()]
    write_text_atomic(directory / "metrics.tsv", "\n".join(["metric\tvalue", *rows]) + "\n")


def points_to_draw(most: int, seed: int) -> Reservoir:
    """Choose as many of the target's predictions as training draws in an epoch, with equal chances."""
    return Reservoir(most, generator(seed, PURPOSE, "target", EVALUATION))


def draw_target(
    path: Path,
    target: TargetState,
    prediction: np.ndarray,
    truth: np.ndarray,
    metrics: dict[str, Any],
    points: Reservoir,
) -> None:
    """Draw predicted against true values, as many as ``points`` holds, or the confusion matrix of all, as PNG."""
    path.parent.mkdir(exist_ok=True)
    if target.task == "regression":
        points.add(torch.tensor(prediction), torch.tensor(truth))  # copies: arrays of pandas are read-only
        predicted, true = points.points
        figure = draw_regression(predicted.numpy(), true.numpy(), target.column, metrics["r2"], metrics["n"])
    else:
        counts = np.array(metrics["confusion"]["rows_true_columns_predicted"])
        figure = draw_confusion(counts, target.classes, target.column)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png")


def summarise(metrics: dict[str, Any], target: TargetState) -> str:
    """Say in one line how good the predictions are, beside the guess."""
    if target.task == "regression":
        return (
            f"R² {metrics['r2']:.3f}, mean absolute error {metrics['mae']:.4g} (guessing {target.guess:.4g}: "
            f"{metrics['guess_mae']:.4g}), n = {metrics['n']}"
        )
    ranks = f"mean rank error {metrics['rank_mae']:.3g}, " if target.task == "ordinal" else ""
    return (
        f"{ranks}balanced accuracy {metrics['balanced_accuracy']:.3f} (guessing {target.guess!r}: "
        f"{metrics['guess_balanced_accuracy']:.3f}), AUROC {metrics['auroc']:.3f}, n = {metrics['n']}"
    )
