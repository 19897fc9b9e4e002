"""Several columns as one target: fitted each by itself, and kept with the model."""

import numpy as np
import pandas as pd
import pytest

from aam.config.target import TargetConfig
from aam.errors import SplitError
from aam.labels.predicted import Predicted
from aam.labels.target import fit_joint_target, fit_target, mean_place, target_from_dict

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
    assert target_from_dict(joint.to_dict()) == joint


def test_values_that_are_missing_are_nan():
    joint = fit_joint_target(VALUES, PLAIN, {})

    np.testing.assert_array_equal(joint.encode(VALUES), VALUES.to_numpy())
    np.testing.assert_array_equal(joint.encode(VALUES[["bmi"]])[:, 1], VALUES["bmi"])
    assert np.isnan(joint.encode(VALUES[["bmi"]])[:, 0]).all()


def test_a_column_without_training_values_is_refused():
    with pytest.raises(SplitError, match="No training sample has a value of bmi"):
        fit_joint_target(VALUES.iloc[2:4], PLAIN, {})


def test_what_was_predicted_of_a_column_has_the_names_that_it_has_alone():
    joint = fit_joint_target(VALUES, PLAIN, {})
    columns = {"lower:age": np.arange(5), "lower:bmi": np.arange(5) + 1}

    age, bmi = joint.split(Predicted(np.ones((5, 2)) * [1, 2], columns))

    assert age.values.tolist() == [1] * 5
    assert list(age.columns) == list(bmi.columns) == ["lower"]
    assert bmi.columns["lower"].tolist() == [1, 2, 3, 4, 5]


def test_samples_are_placed_by_what_they_have():
    places = mean_place(pd.DataFrame({"age": [1.0, 2.0, np.nan], "bmi": [np.nan, 10.0, 90.0]}))

    assert places.tolist() == [0.5, 0.75, 1.0]
