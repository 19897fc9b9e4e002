"""A tree with importances on its branches."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from aam.explanation.clades import Clades
from aam.explanation.results.figures import stamp_on
from aam.figures import Picture

MOST_TIPS = 400
"""Tips that are drawn each; in larger trees the least important clades are drawn as one tip."""

_CURVE = 24  # points of an arc of the whole circle, at least


def draw_tree(clades: Clades, strength: np.ndarray, labels: Mapping[int, str], title: str, stamp: str = "") -> Figure:
    """Draw the nested sets as a circular tree, branches coloured by a signed strength.

    Parameters
    ----------
    clades
        The sets.
    strength
        Standardised importance of each set, with the sign of its direction, [N].
    labels
        Labels of the sets to name, by number.
    title
        What is predicted.
    stamp
        Warning on the picture; none by default.
    """
    shown = _shown(clades, np.abs(strength), set(labels))
    angle, radius = _layout(clades, shown)
    figure = Picture(figsize=(9.5, 9), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    segments, owners = _segments(clades, shown, angle, radius)
    most = max(float(np.abs(strength[shown]).max(initial=0.0)), 1.0)
    norm = TwoSlopeNorm(0.0, -most, most)
    size = np.abs(strength[owners]) / most
    order = np.argsort(size)
    lines = LineCollection(
        [segments[k] for k in order], array=strength[owners][order], cmap="RdBu_r", norm=norm,
        linewidths=0.5 + 2.5 * size[order], capstyle="round",
    )  # fmt: skip
    axes.add_collection(lines)
    outer = float(radius.max())
    for number, text in labels.items():
        if number in shown:
            _write(axes, angle[number], radius[number], outer * 1.04, text)
    limit = outer * (2.0 if labels else 1.1)
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    axes.set_axis_off()
    axes.set_title(f"{title}: {int((clades.sizes == 1).sum()):,} ASVs", fontsize=11, loc="left", parse_math=False)
    mappable = ScalarMappable(norm, "RdBu_r")
    figure.colorbar(mappable, ax=axes, label="standardised importance; red: more raises, blue: more lowers", shrink=0.6)
    stamp_on(figure, stamp)
    return figure


def _shown(clades: Clades, strength: np.ndarray, named: set[int]) -> np.ndarray:
    """Return the numbers of the sets that are drawn, parents first: in large trees the strongest and what is around them."""
    if (clades.sizes == 1).sum() <= MOST_TIPS:
        return np.arange(len(clades))
    kept = {0}
    for number in [*named, *np.argsort(-strength, kind="stable").tolist()]:
        around = [number]
        while around[-1] > 0:
            around.append(int(clades.parent[around[-1]]))
        siblings = np.flatnonzero(np.isin(clades.parent, around))
        kept |= {*around, *siblings.tolist()}
        if len(kept) > 2 * MOST_TIPS:
            break
    return np.array(sorted(kept))


def _layout(clades: Clades, shown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return angle and radius of each set that is drawn: tips lie on the rim, inner sets by the tips inside them."""
    has_children = np.zeros(len(clades), dtype=bool)
    has_children[clades.parent[shown[1:]]] = True
    tips = shown[~has_children[shown]]
    tips = tips[np.argsort(clades.start[tips], kind="stable")]
    angle, height = np.zeros(len(clades)), np.zeros(len(clades))
    angle[tips] = 2 * np.pi * (np.arange(len(tips)) + 0.5) / (len(tips) + 1)
    sums, sizes = np.zeros(len(clades)), np.zeros(len(clades))
    for number in shown[::-1].tolist():
        if has_children[number]:
            angle[number] = sums[number] / sizes[number]
        parent = clades.parent[number]
        if parent >= 0:
            sums[parent] += angle[number]
            sizes[parent] += 1
            height[parent] = max(height[parent], height[number] + 1)
    radius = 1 - np.sqrt(height / max(height[0], 1))
    return angle, radius


def _segments(
    clades: Clades, shown: np.ndarray, angle: np.ndarray, radius: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the lines of the branches above the sets, an arc and a ray each, and the set that each belongs to."""
    segments, owners = [], []
    for number in shown[1:].tolist():
        parent = clades.parent[number]
        turn = abs(angle[number] - angle[parent])
        along = np.linspace(angle[parent], angle[number], max(2, int(_CURVE * turn)))
        arc = np.stack([np.cos(along), np.sin(along)], axis=1) * radius[parent]
        end = np.array([[np.cos(angle[number]), np.sin(angle[number])]]) * radius[number]
        segments.append(np.concatenate([arc, end]))
        owners.append(number)
    return segments, np.array(owners, dtype=np.int64)


def _write(axes: Axes, angle: float, radius: float, outer: float, text: str) -> None:
    """Write a label outside the rim, with a line to its set."""
    x, y = np.cos(angle), np.sin(angle)
    axes.plot([radius * x, outer * x], [radius * y, outer * y], color="#333333", linewidth=0.6, linestyle=":")
    is_left = x < 0
    rotation = np.degrees(angle) + (180 if is_left else 0)
    axes.text(
        outer * x, outer * y, text, fontsize=7.5, rotation=rotation, rotation_mode="anchor",
        ha="right" if is_left else "left", va="center", parse_math=False,
    )  # fmt: skip
