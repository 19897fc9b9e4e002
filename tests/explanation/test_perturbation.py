"""Exchanged samples keep their depth and the ratios among what is not exchanged."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from aam.explanation.perturbation import Donation, draw_donors, evaluate, stack
from aam.inference.count_function import CountFunction

COUNTS = np.array([[10.0, 30, 0, 60], [5, 0, 5, 0], [0, 0, 8, 2], [100, 100, 100, 100]])
DONORS = np.array([1, 2, 3, 0])
MEMBERS = np.array([True, False, True, False])
EVERY = np.arange(4)


def exchanged(members=MEMBERS, rows=EVERY):
    return Donation.of(csr_array(COUNTS), DONORS).exchange(members, rows).toarray()


def test_members_have_the_donors_shares_and_the_depth_stays():
    found = exchanged()
    depth, shares = COUNTS.sum(axis=1), COUNTS / COUNTS.sum(axis=1, keepdims=True)

    expected = shares[DONORS][:, MEMBERS] * depth[:, None]
    np.testing.assert_allclose(found[:, MEMBERS], expected)
    has_others = COUNTS[:, ~MEMBERS].sum(axis=1) > 0
    np.testing.assert_allclose(found.sum(axis=1)[has_others], depth[has_others])


def test_ratios_among_the_other_features_stay():
    found = exchanged()

    np.testing.assert_allclose(found[3, 1] / found[3, 3], 1.0)
    np.testing.assert_allclose(found[0, 1] * COUNTS[0, 3], found[0, 3] * COUNTS[0, 1])


def test_exchanging_all_gives_the_donor_at_the_own_depth():
    found = exchanged(np.ones(4, dtype=bool))

    scale = COUNTS.sum(axis=1) / COUNTS.sum(axis=1)[DONORS]
    np.testing.assert_allclose(found, COUNTS[DONORS] * scale[:, None])


def test_exchanging_nothing_changes_nothing():
    np.testing.assert_allclose(exchanged(np.zeros(4, dtype=bool)), COUNTS)


def test_rows_of_a_set_are_those_in_which_sample_or_donor_hold_it():
    donation = Donation.of(csr_array(COUNTS), DONORS)
    membership = csr_array(np.array([[0.0, 1, 0, 0], [0, 0, 1, 0]]))
    sums = donation.sums(membership)

    assert sums.rows(0).tolist() == [0, 2, 3]
    assert sums.rows(1).tolist() == [0, 1, 2, 3]
    ratio = sums.log_ratio(0, np.array([0, 2]))
    np.testing.assert_allclose(ratio, np.log10([0.5 / 30.5, 3.0 / 0.5]))


@pytest.mark.parametrize("seed", range(5))
def test_donors_are_of_other_groups_and_all_of_one(seed):
    groups = np.array(["a", "a", "a", "b", "b", "c", "d", "d"])

    donors = draw_donors(groups, np.random.default_rng(seed))

    assert (groups[donors] != groups).all()
    for group in "abd":
        assert len(set(groups[donors[groups == group]])) == 1


def test_samples_of_a_single_group_give_to_each_other():
    donors = draw_donors(np.array(["a"] * 6), np.random.default_rng(0))

    assert sorted(donors.tolist()) == list(range(6))
    assert (donors != np.arange(6)).all()


def test_blocks_are_stacked_as_by_scipy():
    blocks = [csr_array(COUNTS[:1]), csr_array(COUNTS[1:1]), csr_array(COUNTS[1:])]

    np.testing.assert_array_equal(stack(blocks, 4).toarray(), COUNTS)


@pytest.mark.parametrize("rows_at_a_time", [1, 3, 100])
def test_changes_are_evaluated_each_with_its_rows(rows_at_a_time, monkeypatch):
    monkeypatch.setattr("aam.explanation.perturbation.ROWS_AT_A_TIME", rows_at_a_time)
    function = CountFunction(
        csr_array(COUNTS), np.ones(4, dtype=bool), lambda counts, rows: counts @ np.arange(4.0) + 1000 * rows
    )
    changes = [
        (number, np.array(rows), csr_array(COUNTS[rows])) for number, rows in enumerate([[0, 2], [1], [3, 0, 1]])
    ]

    found = {number: predicted[:, 0] for number, _, predicted in evaluate(function, iter(changes))}

    for number, rows, _ in changes:
        np.testing.assert_allclose(found[number], COUNTS[rows] @ np.arange(4.0) + 1000 * rows)
