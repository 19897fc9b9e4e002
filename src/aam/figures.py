"""The pictures that training and evaluation draw."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

MOST_POINTS = 5000
"""Points beyond which a scatter plot shows every n-th only."""
MOST_CELLS_WITH_NUMBERS = 12


def draw_regression(prediction: np.ndarray, truth: np.ndarray, name: str) -> Figure:
    """Draw predicted against true values with the 1:1 line and R²."""
    step = -(-len(truth) // MOST_POINTS)
    figure = Figure(figsize=(5, 5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    axes.scatter(truth[::step], prediction[::step], s=9, alpha=0.5, linewidths=0, color="#1f6f8b")
    low = float(min(truth.min(), prediction.min()))
    high = float(max(truth.max(), prediction.max()))
    margin = 0.03 * (high - low or 1.0)
    limits = (low - margin, high + margin)
    axes.plot(limits, limits, color="#555555", linewidth=1, linestyle="--", label="1:1")
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    axes.set_xlabel(f"true {name}", parse_math=False)  # a user's $ begins no formula
    axes.set_ylabel(f"predicted {name}", parse_math=False)
    axes.set_title(f"R² = {r_squared(prediction, truth):.3f}, n = {len(truth):,}")
    axes.legend(loc="upper left", frameon=False)
    return figure


def draw_confusion(prediction: np.ndarray, truth: np.ndarray, classes: Sequence[str], name: str) -> Figure:
    """Draw how often each true class (row) was predicted as each class (column), coloured by share of the row."""
    n = len(classes)
    counts = np.bincount(truth * n + prediction, minlength=n * n).reshape(n, n)
    rows = counts.sum(axis=1, keepdims=True)
    share = counts / np.maximum(rows, 1)
    recall = np.diag(share)[rows[:, 0] > 0]
    size = 3.2 + 0.45 * min(n, 20)
    figure = Figure(figsize=(size + 1, size), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(share, vmin=0, vmax=1, cmap="Blues")
    if n <= MOST_CELLS_WITH_NUMBERS:
        for row, column in np.ndindex(n, n):
            colour = "white" if share[row, column] > 0.5 else "black"
            axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", color=colour)
    axes.set_xticks(range(n), classes, rotation=45, ha="right", parse_math=False)
    axes.set_yticks(range(n), classes, parse_math=False)
    axes.set_xlabel(f"predicted {name}", parse_math=False)
    axes.set_ylabel(f"true {name}", parse_math=False)
    axes.set_title(f"balanced accuracy = {recall.mean():.3f}, n = {counts.sum():,}")
    figure.colorbar(image, ax=axes, label="share of the true class")
    return figure


def r_squared(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Share of the variance explained: 1 − Σ(truth − prediction)² / Σ(truth − mean)²; nan for a constant truth."""
    spread = float(np.square(truth - truth.mean()).sum())
    return 1.0 - float(np.square(truth - prediction).sum()) / spread if spread > 0 else float("nan")
