"""Cells that mean nothing, and cells that are no numbers."""

import numpy as np
import pandas as pd
import pytest

from aam.labels.columns import missing_values_option, not_numbers, probable_missing_values


def column(values):
    return pd.Series(values, name="age", dtype=object if isinstance(values[0], str | None) else None)


@pytest.mark.parametrize(
    "cell",
    [
        "NA", "nan", "n/a", "N/A", "none", "None", "not applicable", "Not Collected", "missing",
        "unspecified", "Missing: Not provided",
    ],
)  # fmt: skip
def test_words_that_people_write_for_nothing_are_suspected_whatever_their_case(cell):
    assert probable_missing_values(column(["gut", cell, "gut", cell])) == {cell: 2}


def test_values_and_empty_cells_are_not_suspected():
    assert probable_missing_values(column(["gut", "Nanjing", "0", None, "nonesuch", "-1"])) == {}
    assert probable_missing_values(column([1.0, np.nan])) == {}


def test_cells_that_are_no_numbers_are_counted_and_empty_ones_are_not():
    assert not_numbers(column(["1", "inf", None, "x", "1,5", "x", "-2e-3"])) == {"x": 2, "inf": 1, "1,5": 1}


def test_of_many_values_the_option_names_the_first():
    assert missing_values_option(list("abcdefg")) == "--missing-values a b c d e …"
