"""Held-out samples: whole groups, like the rest, by the seed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aam.data.splits import hold_out, strata
from aam.errors import MetadataError


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
    with pytest.raises(MetadataError, match="cannot be split"):
        hold_out(groups, np.zeros(len(groups), dtype=np.int64), 0.2, seed=0)


def test_a_fraction_that_leaves_a_side_empty_is_an_error():
    with pytest.raises(MetadataError, match=r"--validation-fraction 0.01 .* fewer than two"):
        hold_out(np.arange(20), np.zeros(20, dtype=np.int64), 0.01, seed=0)
