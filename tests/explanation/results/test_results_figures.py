"""Pictures of explanations hold what they should, and are stamped where a model guesses."""

import warnings

import numpy as np
import pandas as pd
import pytest

from aam.explanation.results.figures import draw_effects, draw_heat_map, draw_importance, label_of, save_picture
from aam.explanation.results.summary import STAMP

SEQUENCE = "TACGTAGGTGGCAAGCGTTATCCGGAATTATTGGGCGTAAAGAGGGAGCAGGCGGCAGCAAGGGTCTGTGGTGAAAGCCTGAAGC"
TABLE = pd.DataFrame(
    {
        "name": ["clade1", SEQUENCE, "$x$ & <y>"], "kind": ["clade", "ASV", "ASV"], "taxon": ["g__Blautia (4 of 4 ASVs)", "", ""],
        "n_asvs": [4, 1, 1], "importance": [0.2, 0.1, 0.05], "low": [0.1, 0.0, -0.1], "high": [0.3, 0.2, 0.1],
        "direction": ["raises", "lowers", "unclear"], "in_top": [1.0, 0.5, 0.1],
    }
)  # fmt: skip


@pytest.fixture(autouse=True)
def strict():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def text_of(figure, folder):
    save_picture(figure, folder, "picture")
    assert (folder / "picture.png").read_bytes().startswith(b"\x89PNG")
    return (folder / "picture.svg").read_text()


def test_bars_are_named_and_stamped(tmp_path):
    text = text_of(draw_importance(TABLE, "age", STAMP), tmp_path)

    assert "g__Blautia (4 of 4 ASVs)" in text
    assert SEQUENCE not in text
    assert "$x$ &amp; &lt;y&gt;" in text
    assert STAMP in text
    assert STAMP not in text_of(draw_importance(TABLE, "age"), tmp_path)


def test_the_same_picture_is_the_same_file(tmp_path):
    first, second = (text_of(draw_importance(TABLE, "age"), tmp_path / name) for name in "ab")

    assert first == second


def test_effects_have_a_panel_each(tmp_path):
    share = np.array([0.0, 0.1, 0.2])
    effects = pd.concat(
        [
            pd.DataFrame({"name": name, "share": share, "effect": share, "low": share - 1, "high": share + 1})
            for name in "abcd"
        ]
    )

    text = text_of(draw_effects(effects, {name: f"set {name}" for name in "abcd"}, "days", STAMP), tmp_path)

    assert all(f"set {name}" in text for name in "abcd")
    assert STAMP in text


def test_the_heat_map_has_strips_of_numbers_and_classes(tmp_path):
    values = np.random.default_rng(0).normal(size=(12, 3))
    strips = {"age": np.arange(12.0), "diet": np.array(["a", "b"] * 6)}

    text = text_of(draw_heat_map(values, ["one", "two", "three"], strips, "part", STAMP), tmp_path)

    assert all(word in text for word in ("one", "two", "three", "age", "diet", STAMP))


def test_labels_say_what_a_set_is():
    rows = TABLE.to_dict("records")

    assert label_of(rows[0]) == "g__Blautia (4 of 4 ASVs)"
    assert len(label_of(rows[1])) == 8
    assert label_of({**rows[0], "taxon": ""}) == "clade1 (4 ASVs)"
    assert len(label_of({**rows[0], "taxon": "x" * 200})) < 60
