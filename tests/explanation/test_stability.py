"""Ranks and intervals over draws of subjects."""

import numpy as np

from aam.explanation.stability import bootstrap

KINDS = np.array(["ASV"] * 5)


def test_sets_that_lead_in_all_subjects_lead_in_all_draws():
    contributions = np.outer([5.0, 4, 3, 2, 1], np.ones(12)) + 0.01 * np.random.default_rng(0).random((5, 12))

    found = bootstrap(contributions, np.repeat(np.arange(4), 3), KINDS, top=1, seed=0)

    assert found.rank.tolist() == found.rank_low.tolist() == found.rank_high.tolist() == [1, 2, 3, 4, 5]
    assert found.in_top.tolist() == [1, 0, 0, 0, 0]


def test_a_set_of_one_subject_is_not_stable():
    contributions = np.ones((5, 12))
    contributions[4] = np.where(np.arange(12) < 3, 100.0, 0.0)

    found = bootstrap(contributions, np.repeat(np.arange(4), 3), KINDS, top=1, seed=0)

    assert found.rank[4] == 1
    assert found.in_top[4] == np.clip(found.in_top[4], 0.6, 0.8)  # 1 - (3/4)^4 = 0.684
    assert found.rank_high[4] == 5


def test_intervals_are_those_of_means_over_drawn_subjects():
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(30), 2)
    values = rng.normal(size=30)[groups]

    found = bootstrap(values[None], groups, KINDS[:1], top=1, seed=0)

    spread = values.std() / np.sqrt(30)  # of a mean over 30 subjects
    assert found.high[0] - found.low[0] == np.clip(found.high[0] - found.low[0], 3.4 * spread, 4.5 * spread)
    assert found.low[0] < values.mean() < found.high[0]


def test_kinds_are_ranked_apart_and_short_lists_have_short_tops():
    kinds = np.array(["ASV", "clade", "ASV", "clade"])
    contributions = np.outer([4.0, 3, 2, 1], np.ones(6))

    found = bootstrap(contributions, np.arange(6), kinds, top=20, seed=0)

    assert found.rank.tolist() == [1, 1, 2, 2]
    assert found.in_top.tolist() == [1, 1, 0, 0]
