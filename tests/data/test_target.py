"""Metadata columns as targets."""

import numpy as np
import pandas as pd
import pytest

from aam.data.target import TargetState, choose_task, fit_target
from aam.errors import MetadataError


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
        (["a", "1", "b", "a"], "regression", r"--metadata-column age is not numeric: it holds 'a', 'b'"),
        ([2.0, 2.0, 2.0], "auto", r"has the same value, '2', in all 3 samples"),
        (["x", "x"], "auto", "has the same value, 'x'"),
        (list("abcdefgh"), "auto", r"8 different values in 8 samples, such as 'a', 'b', 'c' and 5 more"),
    ],
)
def test_a_column_that_cannot_be_learned_is_an_error(values, asked, message):
    with pytest.raises(MetadataError, match=message):
        choose_task(column(values), asked)


def test_numbers_are_scaled_by_the_values_given():
    target = fit_target(column([1.0, 2.0, 6.0]), "regression")

    assert target.mean == 3.0
    assert target.std == pytest.approx(np.std([1, 2, 6]))
    assert target.guess == 2.0


def test_whole_numbers_as_classes_lose_their_point_and_unseen_classes_are_minus_one():
    target = fit_target(column([1.0, 0.0, 1.0]), "classification")

    assert target.classes == ("0", "1")
    assert target.guess == "1"
    assert target.encode(column([0.0, 1.0, 2.5])).tolist() == [0, 1, -1]


@pytest.mark.parametrize(("values", "task"), [([1.0, 1.0], "regression"), (["a", "a"], "classification")])
def test_training_samples_with_one_value_are_an_error(values, task):
    with pytest.raises(MetadataError, match="All training samples have"):
        fit_target(column(values), task)


def test_a_target_survives_json():
    target = fit_target(column(["b", "a", "b"]), "classification")

    assert TargetState.from_dict(target.to_dict()) == target
