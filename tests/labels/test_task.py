"""Whether a metadata column can be learned, and how."""

import pandas as pd
import pytest

from aam.config.target import TargetConfig
from aam.errors import ConfigError, MetadataError
from aam.labels.task import check_transform, choose_task


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
            r"--metadata-column age is not numeric: it holds 'a', 'b' \(3 samples\), and regression needs numbers\. Correct "
            r"these cells, leave them out by --missing-values a b, or pass another column",
        ),
        (
            ["0", "1", "inf", "1,000"],
            "regression",
            r"it holds 'inf', '1,000' \(2 samples\), .* by --missing-values inf 1,000,",
        ),
        (
            ["x", "y"],
            "regression",
            r"holds 'x', 'y' \(2 samples\), and regression needs numbers\. Pass another column\.",
        ),
        (["0", "1", "0"], "regression", r"holds numbers, but #q2:types in --metadata says categorical"),
        (
            ["0", "1", "2", "3", "inf", "1,000"],
            "auto",
            r"holds numbers but for 'inf', '1,000' \(2 samples\)\. Correct these",
        ),
        (
            ["1", "1", "1", "2", "2", "NA", "not collected", "NA"],
            "auto",
            r"holds numbers but for 'NA', 'not collected' \(3 samples\)\. .*--missing-values NA 'not collected', or pass --task "
            r"classification if its values are classes",
        ),
        (
            ["1,5", "2,5", "1,5", "2,5"],
            "auto",
            r"not written as .*'1,5', '2,5' \(4 samples\)\. Write them like 1234\.5, or pass --task",
        ),
        ([2.0, 2.0, 2.0], "auto", r"has the same value, '2', in all 3 samples"),
        (["x", "x"], "auto", "has the same value, 'x'"),
        (list("abcdefgh"), "auto", r"8 different values in 8 samples, such as 'a', 'b', 'c' and 5 more"),
    ],
)
def test_a_column_that_cannot_be_learned_is_an_error(values, asked, message):
    with pytest.raises(MetadataError, match=message):
        choose_task(column(values), asked)


@pytest.mark.parametrize(
    ("values", "asked", "message"),
    [
        (["gut", "NA", "gut", "skin", "skin", "gut", "gut", "none"], "auto",
         "--metadata-column age: 'NA', 'none' (2 samples) count as values, though they probably mean that none is known. Pass "
         "--missing-values NA none to make them missing."),
        (["1", "1", "2", "2", "NA", "NA"], "classification", "'NA' (2 samples) count as values"),
        (["1", "2", "1", "2", "control", "1"], "auto",
         "is classified, because it holds 'control' (1 sample) beside numbers. To learn numbers, correct these cells, or leave "
         "them out by --missing-values control."),
        ([1.0, 0.0, 1.0], "auto", "holds two numbers, 0 and 1, and is regressed. If they stand for classes, pass --task class"),
    ],
)  # fmt: skip
def test_what_a_choice_made_of_the_cells_is_said(values, asked, message, caplog):
    with caplog.at_level("INFO", logger="aam"):
        choose_task(column(values), asked)

    assert message in caplog.text


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

    with pytest.raises(
        MetadataError, match=rf"--target-transform {kind} .* age is below 0 in 2 of 4 samples, such as -0.5 of 'S2'"
    ):
        check_transform(values, "regression", TargetConfig(target_transform=kind))


def test_a_transform_of_classes_is_refused():
    with pytest.raises(
        ConfigError, match="--target-transform minmax is for numbers, and age is classified: leave it out"
    ):
        check_transform(column(["a", "b"]), "classification", TargetConfig(target_transform="minmax"))
