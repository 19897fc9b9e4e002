"""Columns that a model should not read, with a truth that is known."""

import numpy as np
import pandas as pd

from aam.explanation.nuisance import nuisance_table

RNG = np.random.default_rng(0)
TRUTH = RNG.normal(size=120)
BATCH = np.repeat(["run1", "run2", "run3"], 40)
SHIFT = pd.Series(BATCH).map({"run1": -1.0, "run2": 0.0, "run3": 1.0}).to_numpy()


def row_of(cells, predicted, truth=TRUTH, groups=None, is_regression=True):
    groups = np.arange(120).astype(str) if groups is None else groups
    table = nuisance_table({"column": pd.Series(cells)}, predicted, truth, groups, is_regression)
    return table.iloc[0]


def test_a_model_that_reads_the_run_is_found():
    row = row_of(BATCH, (TRUTH + SHIFT)[:, None])

    assert row["kind"] == "categories"
    assert row["beyond_truth"] > 0.9
    assert row["with_truth"] < 0.1
    assert row["p"] == 0.001


def test_a_run_that_goes_with_the_truth_alone_is_no_nuisance():
    truth = TRUTH + 3 * SHIFT

    row = row_of(BATCH, (0.8 * truth + 0.3 * RNG.normal(size=120))[:, None], truth)

    assert row["with_truth"] > 0.5
    assert row["beyond_truth"] < 0.1
    assert row["p"] > 0.01


def test_numbers_are_numbers_and_missing_cells_do_not_matter():
    depth = pd.Series(np.exp(RNG.normal(size=120)))
    predicted = (TRUTH + np.log(depth.to_numpy()))[:, None]
    depth[:5] = np.nan

    row = row_of(depth, predicted)

    assert row["kind"] == "numbers"
    assert row["beyond_truth"] > 0.5


def test_subjects_are_exchanged_whole():
    groups = np.repeat(list("uvwxyz"), 20)
    of_group = np.repeat(RNG.normal(size=6), 20)

    by_sample = row_of(groups, (TRUTH + of_group)[:, None])
    by_group = row_of(groups, (TRUTH + of_group)[:, None], groups=groups)

    assert by_sample["p"] == 0.001
    assert by_group["p"] == 1  # every exchange of whole subjects explains as much


def test_classes_are_compared_in_log_odds():
    truth = (TRUTH > 0).astype(int)
    log_odds = 2 * (2 * truth - 1) + 3 * SHIFT
    second = 1 / (1 + np.exp(-log_odds))

    row = row_of(BATCH, np.stack([1 - second, second], axis=1), truth, is_regression=False)

    assert row["beyond_truth"] > 0.9
