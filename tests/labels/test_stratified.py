"""Held-out samples and folds: whole groups, with even strata, by the seed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aam.errors import SplitError
from aam.labels.stratified import fold_numbers, hold_out, strata


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), n_groups=st.integers(5, 30))
def test_a_group_is_never_on_both_sides(seed, n_groups):
    groups = np.random.default_rng(seed).integers(0, n_groups, size=120)

    held = hold_out(groups, np.zeros(120, dtype=np.int64), 0.2, seed)

    assert not set(groups[held]) & set(groups[~held])


def test_the_share_and_the_classes_are_kept_where_groups_allow():
    classes = np.repeat([0, 1], [80, 20])

    held = hold_out(np.arange(100), classes, 0.2, seed=0)

    assert held.sum() == 20
    assert 3 <= classes[held].sum() <= 5


def test_the_seed_alone_decides():
    groups, classes = np.arange(50), np.arange(50) % 3

    assert (hold_out(groups, classes, 0.2, 7) == hold_out(groups, classes, 0.2, 7)).all()
    assert (hold_out(groups, classes, 0.2, 7) != hold_out(groups, classes, 0.2, 8)).any()


def test_numeric_targets_are_spread_over_both_sides():
    values = np.random.default_rng(0).gamma(1.0, size=200)

    held = hold_out(np.arange(200), strata(values), 0.25, seed=0)

    assert abs(np.median(values[held]) - np.median(values[~held])) < 0.2


@pytest.mark.parametrize("groups", [np.zeros(10), np.arange(3)])
def test_too_few_groups_or_samples_are_an_error(groups):
    with pytest.raises(SplitError, match="cannot be split"):
        hold_out(groups, np.zeros(len(groups), dtype=np.int64), 0.2, seed=0)


def test_a_fraction_that_leaves_a_side_empty_is_an_error():
    with pytest.raises(SplitError, match=r"--validation-fraction 0\.01 .*fewer than two"):
        hold_out(np.arange(20), np.zeros(20, dtype=np.int64), 0.01, seed=0)


def test_folds_are_alike_in_class():
    stratum = np.repeat([0, 1], [80, 20])

    number = fold_numbers(np.arange(100), stratum, 5, seed=0)

    assert [(stratum[number == fold] == 1).sum() for fold in range(5)] == [4] * 5


def test_folds_of_classes_with_fewer_samples_than_folds_are_still_made():
    number = fold_numbers(np.arange(12), np.arange(12) % 4, 6, seed=0)

    assert np.bincount(number).tolist() == [2] * 6


def test_more_folds_than_groups_are_an_error():
    with pytest.raises(SplitError, match=r"--folds 5 .*, 3\b"):
        fold_numbers(np.arange(12) % 3, np.zeros(12, dtype=np.int64), 5, seed=0)


def grouped_samples(n_groups=12):
    """Make groups of unlike size; the stratum goes with the group."""
    sizes = np.random.default_rng(0).integers(2, 9, size=n_groups)
    return np.repeat(np.arange(n_groups), sizes), np.repeat(np.arange(n_groups) % 2, sizes)


@pytest.mark.parametrize("seed", range(5))
def test_folds_of_groups_are_whole_alike_in_size_and_in_stratum(seed):
    groups, stratum = grouped_samples()

    number = fold_numbers(groups, stratum, 3, seed)

    assert all(len(set(number[groups == group])) == 1 for group in set(groups))
    sizes = np.bincount(number, minlength=3)
    assert sizes.max() - sizes.min() <= 8, "the largest group"
    assert all(set(stratum[number == fold]) == {0, 1} for fold in range(3))


def test_another_seed_gives_other_folds_of_groups():
    groups, stratum = grouped_samples()

    drawn = {tuple(fold_numbers(groups, stratum, 3, seed)) for seed in range(6)}

    assert len(drawn) == 6


def test_as_many_folds_as_groups_hold_one_each():
    groups, stratum = grouped_samples()

    number = fold_numbers(groups, stratum, 12, seed=0)

    assert len(set(zip(groups.tolist(), number.tolist(), strict=True))) == len(set(number.tolist())) == 12
