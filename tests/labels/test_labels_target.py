"""Metadata columns as targets, alone and several together."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from aam.config.target import TargetConfig
from aam.errors import MetadataError, SplitError
from aam.labels.target import Predictions, StoredTarget, TargetState, fit_joint_target, fit_target, mean_rank
from aam.stored import read_stored
from aam.target_transform import TargetTransform


def column(values, name="age"):
    return pd.Series(values, name=name)


def stored_and_read(target):
    return read_stored(StoredTarget, json.loads(json.dumps(dataclasses.asdict(target))))


def test_numbers_are_scaled_by_the_values_given():
    target = fit_target(column([1.0, 2.0, 6.0]), "regression")

    assert target.transform == TargetTransform(3.0, pytest.approx(np.std([1, 2, 6])))
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


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            [1.0, 1e308, -1e308],
            r"--metadata-column age .*1e\+20 in 2 of 3 samples, .*1e\+308 of '1'",
        ),
        (
            [0.0, 1e-300, 2e-300],
            r"\bage .*\b2e-300\b",
        ),
        ([0.1] * 7, r"age 0\.1: "),  # of which numpy's deviation is not 0
    ],
)
def test_numbers_that_single_precision_cannot_hold_are_refused(values, message):
    with pytest.raises(MetadataError, match=message):
        fit_target(column(values), "regression")


def test_a_number_too_large_is_refused_where_a_model_is_compared():
    target = fit_target(column([1.0, 2.0]), "regression")

    with pytest.raises(MetadataError, match=r"beyond ±1e\+20"):
        target.encode(column([1.0, 1e300]))


def test_a_target_survives_json():
    target = fit_target(column(["b", "a", "b"]), "classification")

    assert stored_and_read(target) == target


def test_a_transform_with_its_categories_survives_json():
    site = pd.Series(["gut", "gut", "skin", "skin"], name="site")
    options = TargetConfig(target_transform="zscore-category", normalize_by="site")

    target = fit_target(column([1.0, 2.0, 10.0, 14.0]), "regression", options, {"site": site})

    assert target.transform.centres == (1.5, 12.0)
    assert stored_and_read(target) == target


def test_a_number_is_no_category():
    weight = pd.Series(np.linspace(60, 80, 12), name="weight")
    options = TargetConfig(target_transform="zscore-category", normalize_by="weight")

    with pytest.raises(MetadataError, match=r"--normalize-by weight .*\b12 values in 12 "):
        fit_target(column(np.arange(12.0)), "regression", options, {"weight": weight})


def test_a_model_from_before_there_were_transforms_is_read():
    old = {"column": "age", "task": "regression", "guess": 2.0, "mean": 3.0, "std": 0.5, "classes": []}

    assert read_stored(StoredTarget, old) == TargetState("age", "regression", 2.0, TargetTransform(3.0, 0.5))


IDS = [f"S{number}" for number in range(5)]
VALUES = pd.DataFrame({"age": [1.0, np.nan, 3.0, 8.0, 5.0], "bmi": [20.0, 30.0, np.nan, np.nan, 22.0]}, index=IDS)
SITES = {"site": pd.Series(["a", "a", "b", "b", None], index=IDS, name="site")}
PLAIN = dict.fromkeys(VALUES, TargetConfig())
BY_SITE = TargetConfig(target_transform="zscore-category", normalize_by="site")


@pytest.mark.parametrize("options", [TargetConfig(), TargetConfig(target_transform="log-minmax"), BY_SITE])
def test_each_column_is_fitted_as_if_it_were_alone(options):
    joint = fit_joint_target(VALUES, dict.fromkeys(VALUES, options), SITES)

    for part in joint.parts:
        cells = VALUES[part.column].dropna()
        assert part == fit_target(cells, "regression", options, {"site": SITES["site"].loc[cells.index]})
    assert stored_and_read(joint) == joint


def test_values_that_are_missing_are_nan():
    joint = fit_joint_target(VALUES, PLAIN, {})

    np.testing.assert_array_equal(joint.encode(VALUES), VALUES.to_numpy())
    np.testing.assert_array_equal(joint.encode(VALUES[["bmi"]])[:, 1], VALUES["bmi"])
    assert np.isnan(joint.encode(VALUES[["bmi"]])[:, 0]).all()


def test_a_column_without_training_values_is_refused():
    with pytest.raises(SplitError, match=r"No training sample .*\bbmi\b"):
        fit_joint_target(VALUES.iloc[2:4], PLAIN, {})


def test_what_was_predicted_of_a_column_has_the_names_that_it_has_alone():
    joint = fit_joint_target(VALUES, PLAIN, {})
    columns = {"lower:age": np.arange(5), "lower:bmi": np.arange(5) + 1}

    age, bmi = joint.split(Predictions(np.ones((5, 2)) * [1, 2], columns))

    assert age.values.tolist() == [1] * 5
    assert list(age.columns) == list(bmi.columns) == ["lower"]
    assert bmi.columns["lower"].tolist() == [1, 2, 3, 4, 5]


def test_samples_are_placed_by_what_they_have():
    places = mean_rank(pd.DataFrame({"age": [1.0, 2.0, np.nan], "bmi": [np.nan, 10.0, 90.0]}))

    assert places.tolist() == [0.5, 0.75, 1.0]
