"""Subjects are found by their structure, and other repeated columns are not."""

import numpy as np
import pandas as pd
import pytest

from aam.labels.subjects import find_subjects

WHO = np.repeat(np.arange(12), 3)


def frame_of(**columns):
    return pd.DataFrame(columns, index=[f"S{k}" for k in range(36)])


def sex():
    return np.where(WHO % 2 == 0, "f", "m")


@pytest.mark.parametrize("name", ["code", "volunteer", "ANIMAL_TAG"])
def test_a_column_in_which_sex_never_differs_names_subjects(name):
    stream = np.random.default_rng(0)
    found = find_subjects(
        frame_of(**{name: [f"a{k}" for k in WHO], "sex": sex(), "arm": stream.choice(["x", "y"], 36)})
    )

    assert found is not None
    assert (found.name, found.n_subjects, found.n_samples, found.constant) == (name, 12, 36, ("sex",))
    assert f"--group-column {name}" in found.remark()


def test_numbers_name_subjects_only_if_they_are_whole_and_called_ids():
    assert find_subjects(frame_of(code=WHO.astype(float), sex=sex())) is not None
    assert find_subjects(frame_of(level=WHO.astype(float), sex=sex())) is None
    assert find_subjects(frame_of(code=WHO + 0.5, sex=sex())) is None


@pytest.mark.parametrize("name", ["site", "sampling_date", "plate", "visitDay"])
def test_columns_of_other_meanings_are_none(name):
    assert find_subjects(frame_of(**{name: [f"a{k}" for k in WHO], "sex": sex()})) is None


def test_one_column_that_is_of_no_person_is_too_little():
    names = [f"a{k}" for k in WHO]

    assert find_subjects(frame_of(code=names, soil=sex())) is None
    assert find_subjects(frame_of(code=names, soil=sex(), crop=np.where(WHO % 3 == 0, "rye", "oat"))) is not None


def test_the_target_is_not_examined():
    assert find_subjects(frame_of(code=[f"a{k}" for k in WHO], sex=sex()), ["sex"]) is None
    assert find_subjects(frame_of(code=[f"a{k}" for k in WHO], sex=sex()), ["code"]) is None
