"""Pictures of an explanation: bars with their stability, effect curves, and samples by sets with metadata."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from aam.explanation.names import short_name
from aam.figures import Picture
from aam.storage.atomic import atomic_path

RAISES, LOWERS, UNCLEAR = "#b5482a", "#1f6f8b", "#8a8a8a"
"""Colours of directions, which stay apart for all kinds of colour vision."""

COLOURS = {"raises": RAISES, "lowers": LOWERS, "unclear": UNCLEAR}

_LABEL = 46  # letters of the name of a set

_PANELS = 3  # in a row

_WIDTH_OF_LETTER = 0.012  # as a share of a strip


def save_picture(figure: Figure, directory: Path, name: str) -> None:
    """Save a picture as SVG, whose text stays text, and as PNG; the same picture gives the same files."""
    directory.mkdir(exist_ok=True)
    with (
        mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "aam"}),
        atomic_path(directory / f"{name}.svg") as temporary,
    ):
        figure.savefig(temporary, format="svg", metadata={"Date": None})
    with atomic_path(directory / f"{name}.png") as temporary:
        figure.savefig(temporary, format="png")


def stamp_on(figure: Figure, stamp: str) -> None:
    """Write a warning across the top of a picture, if there is one."""
    if stamp:
        figure.suptitle(stamp, color="#c00000", fontsize=10, fontweight="bold")


def label_of(row: Mapping[str, object]) -> str:
    """Return the label of a set: its taxon, and for single features the first letters of its name.

    Examples
    --------
    >>> label_of({"name": "clade3", "kind": "clade", "taxon": "g__Blautia (4 of 4 ASVs)"})
    'g__Blautia (4 of 4 ASVs)'
    """
    name, taxon = short_name(str(row["name"])), str(row["taxon"])
    if row["kind"] == "clade" and taxon:
        return _cut(taxon)
    if row["kind"] == "clade":
        return f"{name} ({row['n_asvs']} ASVs)"
    return f"{_cut(taxon)} {name}".strip()


def _cut(text: str) -> str:
    return text if len(text) <= _LABEL else f"{text[: _LABEL - 1]}…"


def draw_importance(table: pd.DataFrame, title: str, stamp: str = "") -> Figure:
    """Draw the importance of sets as bars with their 95 % intervals, coloured by direction, and how steady they are beside.

    Parameters
    ----------
    table
        Rows of ``importance.tsv``, the most important first; with a column ``label`` it names them.
    title
        What is predicted.
    stamp
        Warning on the picture; none by default.
    """
    n_sets = len(table)
    labels = table["label"].tolist() if "label" in table else [label_of(row) for row in table.to_dict("records")]
    figure = Picture(figsize=(10, 1.6 + 0.3 * n_sets), dpi=120, layout="constrained")
    bars, stability = figure.subplots(1, 2, sharey=True, width_ratios=(4, 1))
    place = np.arange(n_sets)
    colours = [COLOURS[direction] for direction in table["direction"]]
    value, low, high = (table[name].to_numpy(dtype=np.float64) for name in ("importance", "low", "high"))
    bars.barh(place, value, color=colours, height=0.7)
    bars.hlines(place, low, high, color="#333333", linewidth=1.2)
    bars.axvline(0, color="#333333", linewidth=0.8)
    bars.set_yticks(place, labels, fontsize=9, parse_math=False)
    bars.set_ylim(n_sets - 0.5, -0.5)
    bars.set_xlabel("increase of the held-out loss")
    bars.set_title(f"What predictions of {title} depend on", fontsize=11, loc="left", parse_math=False)
    for direction, text in (("raises", "more of it raises"), ("lowers", "more of it lowers"), ("unclear", "unclear")):
        if direction in set(table["direction"]):
            bars.barh(0, 0, color=COLOURS[direction], label=text)
    bars.legend(loc="lower right", frameon=False, fontsize=9)
    stability.scatter(table["in_top"].to_numpy(dtype=np.float64), place, color="#333333", s=22)
    stability.set(xlim=(-0.05, 1.05), xlabel="share of draws\namong the first")
    stability.grid(axis="x", color="#dddddd", linewidth=0.8)
    stability.set_axisbelow(True)
    stability.set_title("stability", fontsize=11, loc="left")
    stamp_on(figure, stamp)
    return figure


def draw_effects(effects: pd.DataFrame, labels: Mapping[str, str], unit: str, stamp: str = "") -> Figure:
    """Draw how the prediction follows the share of each set, with 95 % bands.

    Parameters
    ----------
    effects
        Rows of ``effects.tsv``.
    labels
        Label of each set by name.
    unit
        What the effect is measured in.
    stamp
        Warning on the picture; none by default.
    """
    names = list(dict.fromkeys(effects["name"]))
    n_rows = max(1, -(-len(names) // _PANELS))
    figure = Picture(figsize=(4 * _PANELS, 3 * n_rows + 0.4), dpi=120, layout="constrained")
    for number, name in enumerate(names):
        axes = figure.add_subplot(n_rows, _PANELS, number + 1)
        curve = effects[effects["name"] == name]
        share, effect, low, high = (
            np.asarray(curve[column], dtype=np.float64) for column in ("share", "effect", "low", "high")
        )
        x = _log_axis(axes, share)
        axes.fill_between(x, low, high, color=LOWERS, alpha=0.2, linewidth=0)
        axes.plot(x, effect, color=LOWERS, marker="o", markersize=3)
        axes.axhline(0, color="#888888", linewidth=0.8, linestyle="--")
        axes.set_title(_cut(labels.get(name, name)), fontsize=9, parse_math=False)
        axes.set_xlabel("share of reads (%)", fontsize=9)
        axes.set_ylabel(f"effect ({unit})" if number % _PANELS == 0 else "", fontsize=9, parse_math=False)
        axes.tick_params(labelsize=8)
    stamp_on(figure, stamp)
    return figure


def _log_axis(axes: Axes, share: np.ndarray) -> np.ndarray:
    """Return shares on a logarithmic axis in per cent, with 0 to the left of the least, and write its ticks."""
    least = float(share[share > 0].min(initial=1.0))
    logs = np.log10(np.maximum(share, least / 10))
    ticks = np.arange(np.ceil(np.log10(least)), np.floor(logs.max()) + 1)
    positions, names = list(ticks), [f"{100 * 10.0**tick:.3g}" for tick in ticks]
    if (share == 0).any():
        positions, names = [np.log10(least / 10), *positions], ["0", *names]
    axes.set_xticks(positions, names)
    return logs  # type: ignore[no-any-return]


def draw_heat_map(
    values: np.ndarray, labels: Sequence[str], strips: Mapping[str, np.ndarray], title: str, stamp: str = ""
) -> Figure:
    """Draw samples by sets, ordered by the first strip, with strips of metadata above (as in SIAMCAT, Wirbel et al. 2021).

    Parameters
    ----------
    values
        Parts of the predictions, [S, P].
    labels
        Label of each set.
    strips
        Numbers, or names of categories, of each sample by name of the strip, [S]; the first orders the samples.
    title
        What the values are.
    stamp
        Warning on the picture; none by default.
    """
    order = np.argsort(next(iter(strips.values())), kind="stable")
    n_sets, n_strips = values.shape[1], len(strips)
    figure = Picture(figsize=(11, 1.8 + 0.27 * (n_sets + n_strips)), dpi=120, layout="constrained")
    grid = figure.add_gridspec(n_strips + 1, 1, height_ratios=[*[1] * n_strips, n_sets])
    for number, (name, cells) in enumerate(strips.items()):
        _draw_strip(figure.add_subplot(grid[number]), name, np.asarray(cells)[order])
    axes = figure.add_subplot(grid[n_strips])
    most = float(np.quantile(np.abs(values), 0.99)) or 1.0
    image = axes.imshow(values[order].T, aspect="auto", cmap="RdBu_r", vmin=-most, vmax=most, interpolation="nearest")
    axes.set_yticks(range(n_sets), labels, fontsize=8, parse_math=False)
    axes.set_xticks([])
    axes.set_xlabel(f"{len(values):,} samples, by {next(iter(strips))}", parse_math=False)
    figure.colorbar(image, ax=figure.axes, label=title, shrink=0.6, pad=0.01)
    stamp_on(figure, stamp)
    return figure


def _draw_strip(axes: Axes, name: str, cells: np.ndarray) -> None:
    is_number = cells.dtype.kind in "fiu"
    shown = cells if is_number else np.unique(cells.astype(str), return_inverse=True)[1]
    axes.imshow(
        shown[None].astype(np.float64), aspect="auto", cmap="viridis" if is_number else "tab20", interpolation="nearest"
    )
    axes.set_yticks([0], [name], fontsize=8, parse_math=False)
    axes.set_xticks([])
    if not is_number:
        _name_runs(axes, cells.astype(str))


def _name_runs(axes: Axes, cells: np.ndarray) -> None:
    """Write categories over their runs, where these are wide enough."""
    starts = np.flatnonzero(np.append(True, cells[1:] != cells[:-1]))
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(cells)], strict=True):
        text = str(cells[start])
        if (stop - start) / len(cells) >= _WIDTH_OF_LETTER * len(text):
            axes.text((start + stop - 1) / 2, 0, text, fontsize=8, ha="center", va="center", parse_math=False)
