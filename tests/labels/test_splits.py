"""Each kind of split."""

from typing import get_args, get_type_hints

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aam.config.study import SplitConfig
from aam.errors import SplitError
from aam.labels.splits import STRATEGIES, Candidates, divided_groups, split_samples


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
