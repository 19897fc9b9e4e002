"""Whose samples are whose, who is warned, and what the number of reads tells of a target."""

import dataclasses
import logging
import re
import shlex

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from aam.config.options import condition_of
from aam.config.study import REQUIRED, SplitConfig
from aam.errors import MetadataError
from aam.io.metadata import read_metadata
from aam.labels.groups import (
    CHANCE,
    NO_ASSOCIATION,
    depth_association,
    sample_groups,
    warn_of_depth,
    warn_of_divided_subjects,
)

PARTS = np.array(["train", "validation"] * 3)
SAMPLES = ["S1", "S2", "S3", "S4", "S5", "S6"]


def metadata(tmp_path, **columns):
    frame = pd.DataFrame({"sample-id": SAMPLES, **columns})
    frame.to_csv(tmp_path / "m.tsv", sep="\t", index=False)
    return read_metadata(tmp_path / "m.tsv")


def partition(groups):
    """Give the sets of samples that belong together."""
    return {frozenset(np.array(SAMPLES)[groups == group]) for group in set(groups)}


@pytest.mark.parametrize("names", [["a", "b", "a", "c", "b", "a"], [3, 1, 3, 2, 1, 3], [0.5, 1.5, 0.5, 2, 1.5, 0.5]])
def test_samples_with_one_value_are_together_whatever_its_kind(names, tmp_path):
    groups = sample_groups(metadata(tmp_path, who=names), SAMPLES, "who", ["age"])

    assert partition(groups) == {frozenset({"S1", "S3", "S6"}), frozenset({"S2", "S5"}), frozenset({"S4"})}


def test_groups_follow_the_samples_asked_for_and_not_the_rows_of_the_file(tmp_path):
    table = metadata(tmp_path, who=["a", "b", "a", "c", "b", "a"])

    groups = sample_groups(table, ["S5", "S1", "S2"], "who", ["age"])

    assert groups[0] == groups[2] != groups[1]


def test_samples_of_nobody_are_alone_and_named(tmp_path, caplog):
    table = metadata(tmp_path, who=["a", None, "a", None, "b", "b"])

    with caplog.at_level("WARNING", logger="aam"):
        groups = sample_groups(table, SAMPLES, "who", ["age"])

    assert partition(groups) == {frozenset(g) for g in ({"S1", "S3"}, {"S2"}, {"S4"}, {"S5", "S6"})}
    assert re.search(r"\b2 samples .*\bwho\b.*: 'S2', 'S4'\.", caplog.text)


def test_a_sample_of_nobody_does_not_join_a_subject_that_is_called_like_it(tmp_path):
    table = metadata(tmp_path, who=["S2", None, "sample S2", "S2", "group S2", "sample S4"])

    groups = sample_groups(table, SAMPLES, "who", ["age"])

    assert partition(groups) == {frozenset(g) for g in ({"S1", "S4"}, {"S2"}, {"S3"}, {"S5"}, {"S6"})}


def test_without_a_column_every_sample_is_alone(tmp_path):
    groups = sample_groups(metadata(tmp_path, site=["gut"] * 3 + ["skin"] * 3), SAMPLES, None, ["age"])

    assert len(set(groups)) == 6


@pytest.mark.parametrize(
    ("column", "values", "is_warned"),
    [
        ("Host_Subject_ID", list("aabbcc"), True),
        ("patient", [1, 1, 1, 2, 2, 2], True),
        ("subject", list("abcdef"), False),  # everybody gave one sample
        ("subject", list("aaaabc"), True),
        ("subject", list("aabcde"), False),  # nearly everybody
        ("host", ["human"] * 6, False),  # all are the same
        ("subject", list("ababab"), False),  # nobody is on both sides
        ("subject", ["a", "a", None, "b", None, "b"], True),
        ("site", list("aabbcc"), False),
        ("mouse_age", list("aabbcc"), False),  # the target itself
    ],
)
def test_subjects_on_both_sides_are_warned_of(column, values, is_warned, tmp_path, caplog):
    table = metadata(tmp_path, **{column: values})

    with caplog.at_level("WARNING", logger="aam"):
        warn_of_divided_subjects(table, SAMPLES, PARTS, "stratified", ["mouse_age"])

    assert (f"--group-column {column} " in caplog.text) == is_warned


def test_one_warning_is_enough(tmp_path, caplog):
    table = metadata(tmp_path, subject=list("aabbcc"), patient=list("aabbcc"))

    with caplog.at_level("WARNING", logger="aam"):
        warn_of_divided_subjects(table, SAMPLES, PARTS, "k-fold", ["age"])

    assert len(caplog.records) == 1


def test_only_samples_of_the_study_count_for_the_warning(tmp_path, caplog):
    table = metadata(tmp_path, subject=list("abcabc"))

    with caplog.at_level("WARNING", logger="aam"):
        warn_of_divided_subjects(table, ["S1", "S2", "S3"], PARTS[:3], "stratified", ["age"])

    assert not caplog.text


@pytest.mark.parametrize("split", [kind for kind in REQUIRED if "group_column" not in REQUIRED[kind]])
def test_the_advice_is_one_that_the_options_allow(split, tmp_path, caplog):
    table = metadata(tmp_path, **{"host subject": list("aabbcc")})

    with caplog.at_level("WARNING", logger="aam"):
        warn_of_divided_subjects(table, SAMPLES, PARTS, split, ["age"])

    assert re.search(r"'host subject' .*\b3 values in 6 samples, .*\b3 of them", caplog.text)
    *_, advice = caplog.text.strip().split(". ")
    flags = shlex.split(advice.partition("Pass ")[2] or advice.partition("pass ")[2])
    given = dict(zip(flags[::2], flags[1::2], strict=False)) if flags else {}
    assert given.get("--group-column", "host subject") == "host subject"
    kind = given.get("--split", split)
    if "--group-column" in given:
        condition = next(
            condition_of(field) for field in dataclasses.fields(SplitConfig) if field.name == "group_column"
        )
        assert kind in condition.needs[0][1]
        assert kind not in ("leave-one-study-out", "file")  # there, groups change nothing
    else:
        assert kind == "file"


@pytest.mark.parametrize(
    ("group", "message"),
    [("age", r"--group-column and --metadata-column .*\bage\b"), ("subjct", "no column 'subjct'")],
    ids=["the target", "no column"],
)
def test_a_column_that_cannot_group_is_an_error(group, message, tmp_path):
    with pytest.raises(MetadataError, match=message):
        sample_groups(metadata(tmp_path, age=range(6), subject=list("aabbcc")), SAMPLES, group, ["age"])


STREAM = np.random.default_rng(0)
DEPTHS = STREAM.integers(1000, 1100, size=80)  # with ties


def test_of_numbers_it_is_the_size_of_spearmans_correlation():
    truth = DEPTHS + STREAM.normal(0, 40, size=80)

    assert depth_association(DEPTHS, truth, "regression").size == pytest.approx(spearmanr(DEPTHS, truth).statistic)
    assert depth_association(-DEPTHS, truth, "regression").size == pytest.approx(spearmanr(DEPTHS, truth).statistic)


def test_of_classes_it_is_the_area_of_the_class_that_is_told_best():
    truth = np.digitize(DEPTHS + STREAM.normal(0, 30, size=80), [1030, 1070])
    areas = [roc_auc_score(truth == number, DEPTHS) for number in range(3)]

    told = depth_association(DEPTHS, truth, "classification")
    assert told.size == pytest.approx(max(abs(2 * area - 1) for area in areas))


@pytest.mark.parametrize(
    ("depths", "truth", "task"),
    [
        (np.full(6, 500), np.arange(6.0), "regression"),
        (np.arange(6), np.full(6, 2.0), "regression"),
        (np.full(6, 500), np.arange(6) % 2, "classification"),
        (np.arange(6), np.zeros(6, dtype=int), "classification"),
    ],
)
def test_equal_depths_or_targets_tell_nothing(depths, truth, task):
    assert depth_association(depths, truth, task) == NO_ASSOCIATION


def test_it_is_said_only_where_it_is_much(caplog):
    caplog.set_level(logging.WARNING, "aam.labels.groups")
    logging.getLogger("aam").propagate = True

    warn_of_depth("disease", DEPTHS, STREAM.permutation(DEPTHS) > 1050, "classification")
    assert not caplog.records
    warn_of_depth("disease", DEPTHS, (DEPTHS > 1050).astype(int), "classification")

    assert re.search(r"\bdisease \(.*\b1\.00, p = ", caplog.text)


@pytest.mark.parametrize("task", ["regression", "classification"])
@pytest.mark.parametrize("n", [5, 6, 9, 12, 40])
def test_what_chance_would_tell_of_few_samples_is_not_said(task, n):
    """Of targets that have nothing to do with depth, about one in a hundred or fewer may be warned of."""
    stream = np.random.default_rng(n)
    n_said = 0
    for _ in range(400):
        depths = stream.permutation(n) + 1000
        truth = stream.normal(size=n) if task == "regression" else np.arange(n) % 3
        told = depth_association(depths, truth, task)
        n_said += told.p_value <= CHANCE

    assert n_said <= 400 * CHANCE + 3 * (400 * CHANCE) ** 0.5


def test_five_samples_never_tell_enough(caplog):
    caplog.set_level(logging.WARNING, "aam.labels.groups")
    logging.getLogger("aam").propagate = True
    few, more = np.arange(5), np.arange(12)

    warn_of_depth("age", few + 1000, few * 2.0, "regression")
    assert not caplog.records
    warn_of_depth("age", more + 1000, more * 2.0, "regression")

    assert "(Spearman's correlation 1.00, p = " in caplog.text
