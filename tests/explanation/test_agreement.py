"""Agreement of ordered lists, against closed forms."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from aam.explanation.agreement import agreement, mean_agreement, rank_biased_overlap

KINDS = np.array(["ASV"] * 6 + ["clade"] * 4)


@pytest.mark.parametrize("length", [1, 2, 5, 20])
def test_equal_lists_overlap_whole_and_disjoint_ones_not(length):
    items = np.arange(length)

    assert rank_biased_overlap(items, items) == pytest.approx(1)
    assert rank_biased_overlap(items, items + length) == 0


def test_overlap_is_that_of_the_definition():
    first, second, p = [3, 1, 2, 7], [1, 3, 9, 2], 0.8
    shared = [len(set(first[:d]) & set(second[:d])) / d for d in range(1, 5)]
    expected = shared[-1] * p**4 + (1 - p) / p * sum(x * p**d for d, x in enumerate(shared, 1))

    assert rank_biased_overlap(np.array(first), np.array(second), p) == pytest.approx(expected)
    assert rank_biased_overlap(np.array(second), np.array(first), p) == pytest.approx(expected)


def test_lists_are_compared_within_kinds_and_where_both_have_scores():
    a = np.array([6.0, 5, 4, 3, 2, 1, 1, 2, 3, 4])
    b = np.array([5.0, 6, 1, 2, 3, 4, np.nan, np.nan, np.nan, 4])

    table = agreement({"a": a, "b": b}, KINDS, top=2, between="methods")

    assert table["kind"].tolist() == ["ASV"]
    row = table.iloc[0]
    assert (row["n"], row["top"], row["jaccard_index"]) == (6, 2, 1)
    assert row["spearman"] == pytest.approx(spearmanr(a[:6], b[:6]).statistic)


def test_jaccard_index_counts_common_members():
    a, b = np.array([4.0, 3, 2, 1, 0, 0]), np.array([4.0, 0, 3, 1, 0, 2])

    table = agreement({"a": a, "b": b}, np.full(6, "ASV"), top=3, between="folds")

    assert table.loc[0, "jaccard_index"] == pytest.approx(2 / 4)


def test_means_are_over_pairs_of_folds_but_methods_stay_apart():
    lists = {name: np.random.default_rng(seed).random(10) for seed, name in enumerate("abc")}

    folds, methods = (mean_agreement(agreement(lists, KINDS, 2, between)) for between in ("folds", "methods"))

    assert folds["kind"].tolist() == ["ASV", "clade"]
    assert methods["pair"].tolist()[:3] == ["a and b", "a and c", "b and c"]
    pairs = agreement(lists, KINDS, 2, "folds")
    assert folds.loc[0, "spearman"] == pytest.approx(pairs.loc[pairs["kind"] == "ASV", "spearman"].mean())
