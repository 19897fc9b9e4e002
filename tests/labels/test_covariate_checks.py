"""Columns that give the target away."""

import numpy as np
import pandas as pd
import pytest

from aam.config.covariates import CovariatesConfig
from aam.io.metadata import Metadata
from aam.labels.covariate_checks import covariate_columns, explained_share, is_same_column

AGE = pd.Series(np.random.default_rng(0).uniform(0, 900, 60))
DISEASE = pd.Series(["ill", "well", "well"] * 20)


@pytest.mark.parametrize(
    ("values", "target", "expected"),
    [
        ((AGE / 30).round(2), AGE, True),
        (-AGE, AGE, True),
        (AGE + np.random.default_rng(1).normal(0, 60, 60), AGE, False),
        (DISEASE.map({"ill": 1.0, "well": 0.0}), DISEASE, True),
        (DISEASE, DISEASE, True),
        (pd.Series([f"P{k // 3 % 5}" for k in range(60)]), DISEASE, False),
        (pd.Series([f"S{k}" for k in range(60)]), pd.Series([f"T{k}" for k in range(60)]), False),  # names of samples
    ],
)
def test_a_target_in_other_words_is_found(values, target, expected):
    assert is_same_column(values, target) is expected


def test_what_a_category_explains_is_the_variance_between_categories():
    site = pd.Series(["a", "b", "c"] * 20)
    values = site.map({"a": 0.0, "b": 1.0, "c": 5.0}) + np.random.default_rng(0).normal(0, 0.5, 60)

    between = values.groupby(site).transform("mean").var(ddof=0)
    assert explained_share(site, values) == pytest.approx(between / values.var(ddof=0))


def test_what_a_category_explains_of_classes_is_counted_from_a_guess():
    hospital = DISEASE.map({"ill": "H1", "well": "H2"})
    hospital[:3] = "H2"  # one of 20 ill samples is elsewhere

    assert explained_share(hospital, DISEASE) == pytest.approx(1 - 1 / 20)
    assert explained_share(pd.Series(["H1", "H2"] * 30), DISEASE) == 0.0  # knowing the hospital changes no guess


def test_names_of_samples_explain_nothing():
    assert explained_share(pd.Series([f"S{k}" for k in range(60)]), DISEASE) == 0.0
    assert explained_share(pd.Series([f"S{k}" for k in range(60)]), AGE) == 0.0


def test_numbers_explain_by_their_correlation():
    noisy = AGE + np.random.default_rng(1).normal(0, 60, 60)

    assert explained_share(noisy, AGE) == pytest.approx(np.corrcoef(noisy, AGE)[0, 1] ** 2)
    assert explained_share(AGE, DISEASE) == 0.0


def covariates_said(column, caplog):
    subjects = [f"P{k // 4}" for k in range(60)]
    frame = pd.DataFrame({"subject": subjects, "x": column}, index=[f"S{k}" for k in range(60)])
    options = "numeric_columns" if frame["x"].dtype.kind == "f" else "categorical_columns"
    targets = pd.DataFrame({"age": AGE.to_numpy()}, index=frame.index)

    covariate_columns(CovariatesConfig(**{options: ("x",)}), Metadata(frame), targets, "subject")
    return caplog.text


@pytest.mark.parametrize(
    "numbers", [np.repeat(np.arange(15) * 1.5, 4), np.arange(60) / 7, np.repeat([*np.arange(14.0), np.nan], 4)]
)
def test_numbers_of_subjects_are_no_categories_that_training_lacks(numbers, caplog):
    assert covariates_said(numbers, caplog) == ""


@pytest.mark.parametrize("per_person", [4, 2, 1])
def test_categories_of_one_subject_each_are_said(per_person, caplog):
    assert "Each value of x is of one subject only" in covariates_said(
        [f"c{k // per_person}" for k in range(60)], caplog
    )
