"""Figures that training and evaluation draw."""

import hashlib
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

_PANELS = 4  # in a row

_LABEL = 30  # letters of the name of a class

MOST_CELLS_WITH_NUMBERS = 12
"""Most classes of a confusion matrix whose cells show numbers."""

_DEFAULT_FONT, _FONT_OF_BOXES = "DejaVu Sans", "Last Resort High-Efficiency"


class Picture(Figure):
    """A figure that shows names in any script: in an installed font that has its letters, else as boxes, without a warning."""

    def draw(self, renderer: Any) -> None:
        """Draw the figure, with a fallback font for each text that needs one."""
        for text in self.findobj(Text):
            fallback = _font_with(frozenset(text.get_text())) if isinstance(text, Text) else None
            if fallback is not None:
                text.set_fontfamily([_DEFAULT_FONT, fallback])
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"Glyph .* missing from font", UserWarning)
            super().draw(renderer)


def draw_regression(
    prediction: np.ndarray, truth: np.ndarray, name: str, r2: float, n: int, counted: str = "samples"
) -> Figure:
    """Draw predicted against true values with the 1:1 line.

    Parameters
    ----------
    prediction, truth
        Values of the points, [n].
    name
        Name of the values.
    r2, n
        R² and number of all predictions, of which the points are a sample.
    counted
        Plural of the things that were predicted.
    """
    figure = Picture(figsize=(5, 5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    _draw_points(axes, prediction, truth, name)
    shown = f"all {n:,}" if len(truth) == n else f"{len(truth):,} of {n:,}"
    axes.set_title(f"{_r2_text(r2)}, {shown} {counted} shown", fontsize=11)
    return figure


@dataclass(frozen=True)
class RegressionPanel:
    """Predicted and true values of one of several columns, [n], its name, and R² of all its predictions."""

    prediction: np.ndarray
    truth: np.ndarray
    name: str
    r2: float


def draw_regressions(panels: Sequence[RegressionPanel]) -> Figure:
    """Draw predicted against true values of several columns, side by side, four to a row."""
    n_columns = min(len(panels), _PANELS)
    n_rows = -(-len(panels) // n_columns)
    figure = Picture(figsize=(4 * n_columns, 4 * n_rows), dpi=120, layout="constrained")
    for index, panel in enumerate(panels):
        axes = figure.add_subplot(n_rows, n_columns, index + 1)
        if len(panel.truth):
            _draw_points(axes, panel.prediction, panel.truth, panel.name)
        axes.set_title(f"{_r2_text(panel.r2)}, {len(panel.truth):,} samples shown", fontsize=11)
    return figure


def _r2_text(r2: float) -> str:
    return f"R² = {r2:.3f}" if math.isfinite(r2) else "R² not defined"


def _draw_points(axes: Axes, prediction: np.ndarray, truth: np.ndarray, name: str) -> None:
    axes.scatter(truth, prediction, s=9, alpha=0.5, linewidths=0, color="#1f6f8b")
    low = float(min(truth.min(), prediction.min()))
    high = float(max(truth.max(), prediction.max()))
    margin = 0.03 * (high - low or 1.0)
    limits = (low - margin, high + margin)
    axes.plot(limits, limits, color="#555555", linewidth=1, linestyle="--", label="1:1")
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    axes.set_xlabel(f"true {name}", parse_math=False)  # a user's $ begins no formula
    axes.set_ylabel(f"predicted {name}", parse_math=False)
    axes.legend(loc="upper left", frameon=False)


def draw_methods(values: Mapping[str, Sequence[float]], pooled: Mapping[str, float], label: str) -> Figure:
    """Draw each method's scores in the folds as dots, their mean as a bar, and its pooled score as a diamond with its number.

    Parameters
    ----------
    values
        Scores by method, the first on top; nan where a fold has none.
    pooled
        Score of all held-out predictions together, by method.
    label
        Name of the score.
    """
    figure = Picture(figsize=(7.5, 1.3 + 0.45 * len(values)), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    for row, (method, scores) in enumerate(values.items()):
        defined = np.array(scores)[~np.isnan(scores)]
        spread = np.linspace(-0.18, 0.18, len(defined)) if len(defined) > 1 else np.zeros(len(defined))
        axes.scatter(defined, row + spread, s=16, alpha=0.55, linewidths=0, color="#1f6f8b")
        if len(defined):
            mean = float(defined.mean())
            axes.plot([mean, mean], [row - 0.32, row + 0.32], color="#555555", linewidth=2)
        axes.scatter(pooled[method], row, s=42, marker="D", linewidths=0, color="#b5482a", zorder=3)
        axes.annotate(
            f"{pooled[method]:.3f}",
            (1.01, row),
            xycoords=("axes fraction", "data"),
            va="center",
            color="#b5482a",
            fontsize=9,
        )
    axes.set_yticks(range(len(values)), list(values), parse_math=False)
    axes.set_ylim(len(values) - 0.5, -0.5)
    axes.grid(axis="x", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel(label, parse_math=False)
    axes.set_title("dots: folds; bar: their mean; diamond and number: pooled", fontsize=9, loc="left")
    return figure


ATTENTION_TITLE = "attention, not importance"
"""Title of every picture of attention: a weight says what is read, not what the prediction depends on."""

MOST_ROWS, MOST_COLUMNS = 60, 40
"""Most samples and ASVs of a heat map of attention."""


def draw_attention(weights: np.ndarray, samples: Sequence[str], features: Sequence[str], name: str) -> Figure:
    """Draw the weights of the ASVs that get most, in samples, as a heat map.

    Parameters
    ----------
    weights
        Weight of each ASV in each sample, [S, F]; 0 where a sample lacks it. The first `MOST_ROWS` samples are shown, and the
        `MOST_COLUMNS` ASVs of the largest mean.
    samples, features
        Short names of the samples and of the ASVs.
    name
        Name of the layer.
    """
    weights, samples = weights[:MOST_ROWS], samples[:MOST_ROWS]
    means = weights.mean(axis=0)
    top = [column for column in np.argsort(-means, kind="stable")[:MOST_COLUMNS].tolist() if means[column] > 0]
    shown = weights[:, top]
    figure = Picture(figsize=(2.8 + 0.24 * max(len(top), 8), 2.4 + 0.2 * len(shown)), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(shown, vmin=0, cmap="viridis", aspect="auto", interpolation="nearest")
    axes.set_xticks(range(len(top)), [str(features[column]) for column in top], rotation=90, parse_math=False)
    axes.set_yticks(range(len(shown)), list(samples), parse_math=False)
    axes.tick_params(labelsize=7)
    axes.set_xlabel(
        f"the {len(top)} of {len(features)} ASVs with most, {weights[:, top].sum(axis=1).mean():.0%} of all"
    )
    axes.set_title(f"{ATTENTION_TITLE}: {name}", fontsize=10, loc="left")
    figure.colorbar(image, ax=axes, label="weight in the sample, mean over heads")
    return figure


MOST_LETTERS = 24
"""Length of a name up to which it is shown whole."""


def short_name(name: str) -> str:
    """Return a name to read: the first 8 letters of a digest, those of the MD5 sum of a sequence, both ends of other long ones.

    Examples
    --------
    >>> short_name("d41d8cd98f00b204e9800998ecf8427e"), short_name("clade12"), short_name("TACGGAGGATCCGAGCGTTATCCGG")
    ('d41d8cd9', 'clade12', '21e28cd4')
    """
    if len(name) in (32, 40, 64) and set(name) <= set("0123456789abcdef"):
        return name[:8]
    if len(name) <= MOST_LETTERS:
        return name
    if set(name.upper()) <= set("ACGTUN"):  # sequences of one region begin alike
        return hashlib.md5(name.upper().encode(), usedforsecurity=False).hexdigest()[:8]
    return f"{name[:14]}…{name[-9:]}"


def draw_confusion(counts: np.ndarray, classes: Sequence[str], name: str) -> Figure:
    """Draw the confusion matrix: counts of true classes (rows) by predicted class (columns), coloured by share of the row."""
    n, labels = len(classes), [name if len(name) <= _LABEL else f"{name[:_LABEL]}…" for name in classes]
    rows = counts.sum(axis=1, keepdims=True)
    share = counts / np.maximum(rows, 1)
    recall = np.diag(share)[rows[:, 0] > 0]
    size = 3.2 + 0.45 * min(n, 20)
    figure = Picture(figsize=(size + 1, size), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(share, vmin=0, vmax=1, cmap="Blues")
    if n <= MOST_CELLS_WITH_NUMBERS:
        for row, column in np.ndindex(n, n):
            colour = "white" if share[row, column] > 0.5 else "black"
            axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", color=colour)
    axes.set_xticks(range(n), labels, rotation=45, ha="right", parse_math=False)
    axes.set_yticks(range(n), labels, parse_math=False)
    axes.set_xlabel(f"predicted {name}", parse_math=False)
    axes.set_ylabel(f"true {name}", parse_math=False)
    axes.set_title(f"balanced accuracy = {recall.mean():.3f}, n = {counts.sum():,}")
    figure.colorbar(image, ax=axes, label="share of the true class")
    return figure


@lru_cache
def _font_with(letters: frozenset[str]) -> str | None:
    """Return the name of an installed font with the letters that the default lacks; None if it lacks none, or no font has them."""
    lacking = {ord(letter) for letter in letters if letter.isprintable()}
    lacking -= font_manager.get_font(font_manager.findfont(_DEFAULT_FONT)).get_charmap().keys()
    if not lacking:
        return None
    fonts = (font for font in font_manager.fontManager.ttflist if font.name != _FONT_OF_BOXES)
    return next(
        (font.name for font in fonts if lacking <= font_manager.get_font(font.fname).get_charmap().keys()), None
    )
