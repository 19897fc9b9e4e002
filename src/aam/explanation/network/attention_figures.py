"""Pictures of attention: samples by ASVs, layers and heads of a sample, and its flow from nucleotides to ASVs to the sample."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from aam.explanation.names import short_name
from aam.explanation.network.attention import MEAN, POOLING, Attention
from aam.figures import ATTENTION_TITLE, Picture, draw_attention

MOST_ASVS_OF_LAYERS, MOST_ASVS_OF_FLOW = 40, 10
"""ASVs of a sample that are shown in the heat maps of its layers, and in its flow."""

_SEQUENCE, _ASV, _SAMPLE = (
    (0.0, 4.4),
    6.2,
    8.6,
)  # places across the flow: begin and end of the patches, and of the nodes

_RIBBON = "#1f6f8b"


def draw_pooling(table: pd.DataFrame, layer: str = POOLING) -> Figure:
    """Draw the weights of ASVs in samples as a heat map, mean over heads, and over members where there are some.

    Parameters
    ----------
    table
        As `attention_table` returns it.
    layer
        Layer, or ``rollout``.
    """
    chosen = table.loc[(table["layer"] == layer) & (table["head"] == MEAN)]
    n_members = chosen["member"].nunique() if "member" in chosen else 1
    wide = chosen.pivot_table(index="sample-id", columns="feature-id", values="weight", aggfunc="sum", sort=False)
    weights = wide.fillna(0).to_numpy(dtype=np.float64) / n_members
    samples, features = ([short_name(str(name)) for name in names] for names in (wide.index, wide.columns))
    return draw_attention(weights, samples, features, layer)


def draw_layers(attention: Attention) -> Figure:
    """Draw the weights of one sample, a heat map for each layer (rows) and head (columns): who attends (down) to whom (across).

    Each map has its own scale, from 0. The ASVs are the `MOST_ASVS_OF_LAYERS` that the last layer gives most, in the same order
    everywhere.
    """
    layers = list(attention.weights)
    n_heads = len(attention.weights[layers[0]])
    last = attention.received(layers[-1]).mean(axis=0)
    top = np.argsort(-last, kind="stable")[:MOST_ASVS_OF_LAYERS]
    is_pooled = [attention.weights[layer].shape[1] == 1 for layer in layers]
    heights = [0.35 if pools else 1.0 for pools in is_pooled]
    figure = Picture(figsize=(1.2 + 1.9 * n_heads, 0.9 + 1.9 * sum(heights)), dpi=120, layout="constrained")
    grid = figure.subplots(len(layers), n_heads, squeeze=False, height_ratios=heights)
    for row, (layer, pools) in enumerate(zip(layers, is_pooled, strict=True)):
        for head in range(n_heads):
            weights = attention.weights[layer][head][:, top]
            axes = grid[row, head]
            axes.imshow(
                weights if pools else weights[top], vmin=0, cmap="viridis", aspect="auto", interpolation="nearest"
            )
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_title(f"head {head + 1}" if row == 0 else "", fontsize=8)
        grid[row, 0].set_ylabel(layer, fontsize=8, rotation=0, ha="right", va="center")
    shown = f"{len(top)} of {len(attention.positions)} ASVs" if len(top) < len(last) else f"all {len(top)} ASVs"
    figure.suptitle(f"{ATTENTION_TITLE}: {_plain(attention.name)}, {shown}", fontsize=10)
    return figure


def _plain(name: str) -> str:
    return short_name(name).replace("$", r"\$")  # a user's $ begins no formula


def draw_flow(sample: Attention, asvs: Sequence[Attention], labels: Sequence[str] | None = None) -> Figure:
    """Draw the rollout of one sample: nucleotides of its ASVs, the ASVs, and the sample vector, with ribbons as wide as weights.

    Parameters
    ----------
    sample
        All layers of a sample.
    asvs
        All layers of the patches of some of its ASVs; the `MOST_ASVS_OF_FLOW` of most weight in the sample are drawn.
    labels
        Name of each of ``asvs`` in the picture; None for their ids.
    """
    place = {name: number for number, name in enumerate(sample.positions)}
    rollout = sample.rollout()
    weights = np.array([rollout[place[asv.name]] for asv in asvs])
    order = np.argsort(-weights, kind="stable")[:MOST_ASVS_OF_FLOW].tolist()
    figure = Picture(figsize=(11, 1.4 + 0.6 * len(order)), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    n_rows, total = len(order), max(float(weights[order].sum()), 1e-12)
    sink = n_rows / 2 - 0.5 - 0.4 * n_rows  # where the ribbons meet the sample, one below the other
    for row, number in enumerate(order):
        width = 0.8 * n_rows * float(weights[number]) / total
        _draw_asv(axes, asvs[number], row, min(width, 0.8))
        _draw_ribbon(axes, (_ASV + 0.15, row, min(width, 0.8)), (_SAMPLE, sink + width / 2, width))
        sink += width
        label = short_name(asvs[number].name) if labels is None else labels[number]
        text = f"{label}  {weights[number]:.1%}"
        axes.text(_ASV + 0.2, row - 0.47, text, fontsize=7, va="center", parse_math=False)
    axes.add_patch(Rectangle((_SAMPLE, n_rows * 0.1 - 0.5), 0.12, 0.8 * n_rows, color="#333333"))
    axes.text(_SAMPLE + 0.2, n_rows / 2 - 0.5, short_name(sample.name), fontsize=9, va="center", parse_math=False)
    axes.set(xlim=(-0.1, _SAMPLE + 1.6), ylim=(n_rows - 0.4, -1.0))
    for x, text in ((0.0, "nucleotides"), (_ASV, "ASVs"), (_SAMPLE, "sample")):
        axes.text(x, -0.8, text, fontsize=9, fontweight="bold")
    axes.axis("off")
    shown = f"{len(order)} of {len(rollout)} ASVs, {weights[order].sum():.0%} of its rollout"
    axes.set_title(f"{ATTENTION_TITLE}: {shown}", fontsize=10, loc="left")
    return figure


def _draw_asv(axes: Axes, asv: Attention, row: int, width: float) -> None:
    """Draw the patches of an ASV, darker with more weight, and ribbons from them to the node of the ASV."""
    rollout = asv.rollout()
    begin, end = _SEQUENCE
    size, largest = (end - begin) / len(rollout), float(rollout.max())
    letters = max(map(len, asv.positions))
    for number, (weight, patch) in enumerate(zip(rollout.tolist(), asv.positions, strict=True)):
        left = begin + number * size
        box = {"xy": (left, row - 0.15), "width": 0.92 * size, "height": 0.3, "linewidth": 0, "zorder": 2}
        axes.add_patch(Rectangle(**box, facecolor="white"))
        axes.add_patch(Rectangle(**box, facecolor=_RIBBON, alpha=weight / largest))
        if len(rollout) * letters <= 160:
            colour = "white" if weight > largest / 2 else "black"
            axes.text(
                left + 0.46 * size, row, patch, fontsize=2.8, color=colour, ha="center", va="center", parse_math=False
            )
    lower = row - width / 2
    for number, weight in enumerate(rollout.tolist()):
        middle = begin + (number + 0.46) * size
        _draw_ribbon(
            axes, (middle, row + 0.15, 0.0), (_ASV, lower + width * weight / 2, width * weight), 0.5 * weight / largest
        )
        lower += width * weight
    axes.add_patch(Rectangle((_ASV, row - width / 2), 0.15, width, color="#333333"))


def _draw_ribbon(
    axes: Axes, start: tuple[float, float, float], end: tuple[float, float, float], alpha: float = 0.35
) -> None:
    """Draw a band between two places, each a point and a height, that begins and ends level."""
    (x0, y0, h0), (x1, y1, h1) = start, end
    middle = (x0 + x1) / 2
    upper = [(x0, y0 - h0 / 2), (middle, y0 - h0 / 2), (middle, y1 - h1 / 2), (x1, y1 - h1 / 2)]
    lower = [(x1, y1 + h1 / 2), (middle, y1 + h1 / 2), (middle, y0 + h0 / 2), (x0, y0 + h0 / 2)]
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3]
    axes.add_patch(PathPatch(Path([*upper, *lower], codes), facecolor=_RIBBON, alpha=alpha, linewidth=0, zorder=1))
