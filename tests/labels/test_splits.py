"""Held-out samples: whole groups, like the rest, by the seed; and each way of splitting."""

from typing import get_args, get_type_hints

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aam.config.study import SplitConfig
from aam.errors import SplitError
from aam.labels.splits import STRATEGIES, Candidates, divided_groups, fold_numbers, hold_out, split_samples, strata


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


def candidates(n=40, **known) -> Candidates:
    ids = [f"S{i}" for i in range(n)]
    stratum = known.pop("stratum", np.zeros(n, dtype=np.int64))
    groups = known.pop("groups", np.array(ids))
    return Candidates(ids, groups, stratum, known_ids=[*ids, "dropped"], **known)


def test_every_kind_of_split_has_its_strategy():
    assert set(STRATEGIES) == set(get_args(get_type_hints(SplitConfig)["split"]))


def test_random_ignores_groups_and_classes_that_grouped_and_stratified_keep():
    groups, stratum = np.repeat(np.arange(20), 5), np.repeat([0, 1], [90, 10])
    given = candidates(100, groups=groups, stratum=stratum)
    alone = candidates(100, stratum=stratum)

    def held(split, given, seed, **options):
        return split_samples(given, SplitConfig(split=split, **options), 0.2, seed) == "validation"

    at_random = [held("random", given, seed) for seed in range(5)]
    in_groups = [held("grouped", given, seed, group_column="g") for seed in range(5)]
    in_strata = [held("stratified", alone, seed) for seed in range(5)]

    assert all(part.sum() == 20 for part in at_random + in_groups + in_strata)
    assert all(set(groups[part]) & set(groups[~part]) for part in at_random)
    assert not any(set(groups[part]) & set(groups[~part]) for part in in_groups)
    assert [stratum[part].sum() for part in in_strata] == [2] * 5
    assert [stratum[part].sum() for part in at_random] != [2] * 5


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), folds=st.integers(2, 6), is_grouped=st.booleans())
def test_folds_hold_every_sample_once_and_whole_groups(seed, folds, is_grouped):
    stream = np.random.default_rng(seed)
    groups = stream.integers(0, 25, size=90) if is_grouped else np.arange(90)
    given = candidates(90, groups=groups, stratum=stream.integers(0, 3, size=90))

    parts = np.array(
        [split_samples(given, SplitConfig(split="k-fold", folds=folds, fold=fold), 0.2, seed) for fold in range(folds)]
    )

    assert ((parts == "validation").sum(axis=0) == 1).all()
    assert not any(divided_groups(groups, part) for part in parts)


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


def test_one_study_is_held_out_whole():
    studies = np.array(["a", "b", "", "b"] * 5)
    config = SplitConfig(split="leave-one-study-out", study_column="s", held_out_study="b")

    parts = split_samples(candidates(20, studies=studies), config, 0.2, seed=0)

    assert ((parts == "validation") == (studies == "b")).all()


def test_a_study_that_does_not_exist_is_an_error_that_names_those_that_do():
    config = SplitConfig(split="leave-one-study-out", study_column="s", held_out_study="c")

    with pytest.raises(SplitError, match=r"--held-out-study c: .*: 'a', 'b'\."):
        split_samples(candidates(4, studies=np.array(["a", "b", "", "b"])), config, 0.2, seed=0)


def test_a_file_decides_sample_by_sample():
    assigned = {f"S{i}": ("train", "validation", "test")[i % 3] for i in range(9)} | {"dropped": "train"}

    parts = split_samples(candidates(9, assigned=assigned), SplitConfig(split="file", split_file="f"), 0.2, seed=0)

    assert parts.tolist() == ["train", "validation", "test"] * 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"S9": "train"}, r"\b1 of 7 samples in --split-file f .*: 'S9'"),
        ({"S5": None}, r"\b1 of 6 samples .*--split-file f: 'S5'"),
        ({f"S{i}": "train" for i in (1, 3, 5)}, r"\b0 of 6 samples .*\b2\b"),
    ],
)
def test_a_file_that_does_not_fit_is_an_error(change, message):
    assigned = {f"S{i}": ("train", "validation")[i % 2] for i in range(6)} | change
    assigned = {sample: part for sample, part in assigned.items() if part}

    with pytest.raises(SplitError, match=message):
        split_samples(candidates(6, assigned=assigned), SplitConfig(split="file", split_file="f"), 0.2, seed=0)


def test_divided_groups_are_named():
    parts = np.array(["train", "validation", "train", "test", "train"])

    assert divided_groups(np.array(["a", "a", "b", "c", "c"]), parts) == ["a", "c"]
    assert divided_groups(np.array(["a", "b", "c", "d", "c"]), parts) == []


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
