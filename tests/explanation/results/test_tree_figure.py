"""Trees of any size are drawn whole or by their strongest branches."""

import warnings

import numpy as np
import pytest

from aam.explanation.clades import Clades
from aam.explanation.results.figures import save_picture
from aam.explanation.results.summary import STAMP
from aam.explanation.results.tree_figure import MOST_TIPS, draw_tree


def clades_of(n_tips):
    places = [(begin, min(begin + size, n_tips)) for size in (64, 16, 4) for begin in range(0, n_tips, size)]
    start, stop = zip(*((begin, end) for begin, end in places if end - begin > 1), strict=True)
    return Clades.of_intervals(np.arange(n_tips), np.array(start), np.array(stop))


@pytest.mark.parametrize("n_tips", [3, 2000, MOST_TIPS + 500])
def test_a_tree_is_drawn_with_its_labels(n_tips, tmp_path):
    clades = clades_of(n_tips)
    strength = np.random.default_rng(0).normal(size=len(clades))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = draw_tree(clades, strength, {1: "g__Blautia $x$", len(clades) - 1: "an ASV"}, "age", STAMP)
        save_picture(figure, tmp_path, "tree")

    text = (tmp_path / "tree.svg").read_text()
    assert "g__Blautia $x$" in text
    assert "an ASV" in text
    assert STAMP in text
    assert f"{n_tips:,} ASVs" in text


def test_a_tree_without_strength_is_drawn(tmp_path):
    clades = clades_of(5)

    save_picture(draw_tree(clades, np.zeros(len(clades)), {}, "age"), tmp_path, "tree")

    assert (tmp_path / "tree.svg").stat().st_size > 1000
