"""Means over folds, pooled scores and paired differences, by hand."""

import numpy as np
import pytest

from aam.crossval.summary import HeldOut, score_folds, summarise


def held_out(predictions, truth=(0.0, 2.0, 4.0, 6.0), folds=((0, 0, 1, 1),), groups=None):
    truth = np.array(truth)
    groups = np.arange(len(truth)).astype(str) if groups is None else np.array(groups)
    arrays = {name: np.array(values, dtype=float) for name, values in predictions.items()}
    return HeldOut("regression", truth, groups, np.array(folds), arrays)


def lines_of(case, reference="aam"):
    return {(line.method, line.metric): line for line in summarise(case, score_folds(case), reference, seed=0)}


def test_means_pooled_scores_and_differences():
    case = held_out({"aam": [[1, 2, 4, 6]], "guess": [[3, 3, 3, 3]]})

    found = lines_of(case)

    ours, guess = found["aam", "mae"], found["guess", "mae"]
    assert (ours.mean, ours.pooled) == (0.25, 0.25)
    assert ours.sd == pytest.approx(np.std([0.5, 0.0], ddof=1))
    assert (guess.mean, guess.pooled) == (2.0, 2.0)
    assert guess.difference == -1.75
    assert ours.difference is None
    assert found["guess", "r2"].difference == pytest.approx((1 - 1 / 20) - 0)


def test_repeats_are_scored_apart_and_then_averaged():
    case = held_out(
        {"aam": [[0, 2, 4, 6], [2, 4, 6, 8]], "guess": [[3] * 4, [3] * 4]}, folds=((0, 0, 1, 1), (0, 1, 0, 1))
    )

    assert lines_of(case)["aam", "mae"].pooled == 1.0
    assert {(one.repeat, one.fold) for one in score_folds(case)} == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_a_constant_advantage_has_no_spread_though_the_scores_have():
    stream = np.random.default_rng(0)
    truth, error = stream.normal(size=30), np.abs(stream.normal(size=30))
    case = held_out({"aam": [truth + error], "other": [truth + error + 1]}, truth, np.zeros((1, 30), dtype=int))

    line = lines_of(case)["other", "mae"]

    assert line.difference == pytest.approx(-1)
    assert line.difference_low == pytest.approx(-1)
    assert line.difference_high == pytest.approx(-1)
    assert line.high - line.low > 0.2


def test_groups_are_drawn_whole():
    """Ten copies of each of six samples say no more than the six."""
    stream = np.random.default_rng(0)
    truth, error = stream.normal(size=6), stream.normal(size=6)
    few = held_out({"aam": [truth + error]}, truth, np.zeros((1, 6), dtype=int))
    many = held_out(
        {"aam": [np.tile(truth + error, 10)]}, np.tile(truth, 10), np.zeros((1, 60), dtype=int), np.tile(list("abcdef"), 10)
    )  # fmt: skip
    alone = held_out({"aam": [np.tile(truth + error, 10)]}, np.tile(truth, 10), np.zeros((1, 60), dtype=int))

    widths = [lines_of(case)["aam", "mae"] for case in (few, many, alone)]

    few_width, many_width, alone_width = (line.high - line.low for line in widths)
    assert many_width == pytest.approx(few_width)
    assert alone_width < few_width / 2


def test_a_fold_without_a_score_is_left_out_of_the_mean():
    case = held_out({"aam": [[1, 1, 4, 6]]}, truth=(1.0, 1.0, 4.0, 6.0))

    line = lines_of(case, reference=None)["aam", "r2"]

    assert line.mean == 1.0
    assert np.isnan(line.sd)
