"""Picture of what in the sequences of ASVs an output follows."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from aam.explanation.names import short_name
from aam.explanation.network.gradients import SequenceGradients
from aam.figures import Picture

_DARK = 0.6  # share of a row's largest from which letters are white

_LETTERS = 200  # nucleotides of a row up to which they are written


def draw_sequences(found: Sequence[tuple[str, SequenceGradients]], output: str) -> Figure:
    """Draw the attribution of each patch of some ASVs, a row for each ASV: red raises the output, blue lowers it.

    Parameters
    ----------
    found
        Names of the ASVs, with their attributions. Each row has its own scale.
    output
        Name of the output.
    """
    n_patches = max((len(one.patches) for _, one in found), default=1)
    cells = np.full((len(found), n_patches), np.nan)
    for row, (_, one) in enumerate(found):
        cells[row, : len(one.values)] = one.values / max(float(np.abs(one.values).max()), 1e-12)
    figure = Picture(figsize=(2.4 + 0.3 * n_patches, 1.1 + 0.34 * len(found)), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(cells, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
    for row, (_, one) in enumerate(found):
        if sum(map(len, one.patches)) > _LETTERS:
            continue
        for column, patch in enumerate(one.patches):
            colour = "white" if abs(cells[row, column]) > _DARK else "black"
            axes.text(column, row, patch, fontsize=4, color=colour, ha="center", va="center", parse_math=False)
    axes.set_yticks(range(len(found)), [short_name(name) for name, _ in found], fontsize=7, parse_math=False)
    axes.set_xlabel("nucleotides, patch after patch")
    axes.set_xticks([])
    axes.set_title(f"Nucleotides that predictions of {output} follow", fontsize=10, loc="left", parse_math=False)
    figure.colorbar(image, ax=axes, label="share of the row's largest")
    return figure
