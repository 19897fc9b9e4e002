"""Whether a metadata column can be learned, and how."""

import re

import pandas as pd
import pytest

from aam.config.target import TargetConfig
from aam.errors import ConfigError, MetadataError
from aam.labels.task import check_transform
from aam.labels.task_choice import choose_task


def column(values, name="age"):
    return pd.Series(values, name=name)


@pytest.mark.parametrize(
    ("values", "asked", "task"),
    [
        ([1.5, 2.0, 3.0, 1.0], "auto", "regression"),
        (["a", "b", "a", "b"], "auto", "classification"),
        ([1.0, 0.0, 1.0, 0.0], "classification", "classification"),
    ],
)
def test_the_task_follows_the_column_unless_the_user_says(values, asked, task):
    assert choose_task(column(values), asked) == task


@pytest.mark.parametrize(
    ("values", "asked", "message"),
    [
        (
            ["a", "1", "b", "a"],
            "regression",
            r"--metadata-column age .*'a', 'b' \(3 samples\).*--missing-values a b\b",
        ),
        (
            ["0", "1", "inf", "1,000"],
            "regression",
            r"'inf', '1,000' \(2 samples\), .*--missing-values inf 1,000,",
        ),
        (
            ["x", "y"],
            "regression",
            r"'x', 'y' \(2 samples\)",
        ),
        (["0", "1", "0"], "regression", "#q2:types in --metadata .*categorical"),
        (
            ["0", "1", "2", "3", "inf", "1,000"],
            "auto",
            r"'inf', '1,000' \(2 samples\)",
        ),
        (
            ["1", "1", "1", "2", "2", "NA", "not collected", "NA"],
            "auto",
            r"'NA', 'not collected' \(3 samples\).*--missing-values NA 'not collected', .*--task classification",
        ),
        (
            ["1,5", "2,5", "1,5", "2,5"],
            "auto",
            r"'1,5', '2,5' \(4 samples\).*1234\.5, .*--task\b",
        ),
        ([2.0, 2.0, 2.0], "auto", r"'2', in all 3\b"),
        (["x", "x"], "auto", "same value, 'x'"),
        (list("abcdefgh"), "auto", r"\b8 different values in 8 samples, .*'a', 'b', 'c' and 5 more"),
    ],
)
def test_a_column_that_cannot_be_learned_is_an_error(values, asked, message):
    with pytest.raises(MetadataError, match=message):
        choose_task(column(values), asked)


@pytest.mark.parametrize(
    ("values", "asked", "message"),
    [
        (["gut", "NA", "gut", "skin", "skin", "gut", "gut", "none"], "auto",
         r"--metadata-column age: 'NA', 'none' \(2 samples\).*--missing-values NA none\b"),
        (["1", "1", "2", "2", "NA", "NA"], "classification", r"'NA' \(2 samples\)"),
        (["1", "2", "1", "2", "control", "1"], "auto",
         r"'control' \(1 sample\).*--missing-values control\b"),
        ([1.0, 0.0, 1.0], "auto", r"\b0 and 1, .*--task class"),
    ],
)  # fmt: skip
def test_what_a_choice_made_of_the_cells_is_said(values, asked, message, caplog):
    with caplog.at_level("INFO", logger="aam"):
        choose_task(column(values), asked)

    assert re.search(message, caplog.text)


@pytest.mark.parametrize(
    ("values", "asked"),
    [
        (["a", "b", "a", "b"], "auto"),
        ([1.0, 0.0, 1.0], "regression"),
        ([1.5, 2.0, 1.5], "auto"),
        ([1.0, 2.0, 3.0], "auto"),
    ],
)
def test_a_plain_choice_is_silent(values, asked, caplog):
    with caplog.at_level("INFO", logger="aam"):
        choose_task(column(values), asked)

    assert not caplog.text


@pytest.mark.parametrize("kind", ["log-minmax", "log-zscore"])
def test_a_logarithm_of_values_below_0_is_refused(kind):
    values = pd.Series([0.0, -0.5, 3.0, -2.0], index=["S1", "S2", "S3", "S4"], name="age")

    with pytest.raises(MetadataError, match=rf"--target-transform {kind} .*\bage .*\b2 of 4 samples, .*-0\.5 of 'S2'"):
        check_transform(values, "regression", TargetConfig(target_transform=kind))


def test_a_transform_of_classes_is_refused():
    with pytest.raises(ConfigError, match=r"--target-transform minmax .*\bage\b"):
        check_transform(column(["a", "b"]), "classification", TargetConfig(target_transform="minmax"))
