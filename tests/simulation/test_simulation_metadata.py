"""Simulated metadata: columns of a sample and of a subject, and what can be explained of them."""

import numpy as np
import pytest

from aam.config.tools import SimulationConfig
from aam.errors import ConfigError
from aam.simulation.samples import EXPLAINABLE_AGE, simulate_metadata


def metadata_of(**options):
    return simulate_metadata(SimulationConfig(**options), np.random.default_rng(0))


def test_every_column_has_a_value_per_sample():
    columns = metadata_of(samples=50).columns

    assert list(columns) == ["subject", "batch", "age", "disease", "sex", "birth_weight"]
    assert {len(values) for values in columns.values()} == {50}
    assert all(type(age) is int and 0 <= age <= 730 for age in columns["age"])
    assert set(columns["disease"]) == {"healthy", "disease"}
    assert set(columns["sex"]) == {"female", "male"}
    assert set(columns["batch"]) == {"run1", "run2", "run3"}


@pytest.mark.parametrize("column", ["disease", "sex", "birth_weight"])
def test_a_subject_keeps_its_disease_sex_and_birth_weight(column):
    columns = metadata_of(samples=90).columns

    pairs = set(zip(columns["subject"], columns[column], strict=True))

    assert len(pairs) == len(set(columns["subject"]))


@pytest.mark.parametrize(("subjects", "expected"), [(None, 10), (7, 7), (40, 40)])
def test_every_subject_has_a_sample(subjects, expected):
    columns = metadata_of(samples=40, subjects=subjects).columns

    assert len(set(columns["subject"])) == expected


def test_half_of_the_subjects_are_diseased():
    columns = metadata_of(samples=100, subjects=30).columns

    states = dict(zip(columns["subject"], columns["disease"], strict=True))

    assert sorted(states.values()) == ["disease"] * 15 + ["healthy"] * 15


def test_age_explains_the_stated_share_of_what_its_clades_follow():
    metadata = metadata_of(samples=20_000)

    correlation = np.corrcoef(metadata.columns["age"], metadata.drivers["age"])[0, 1]

    assert correlation**2 == pytest.approx(EXPLAINABLE_AGE, abs=0.01)
    assert metadata.drivers["age"].std() == pytest.approx(1, abs=0.02)


def test_what_the_disease_clades_follow_is_constant_within_a_subject_and_higher_in_disease():
    metadata = metadata_of(samples=2000)
    driver = metadata.drivers["disease"]
    is_diseased = np.array(metadata.columns["disease"]) == "disease"

    assert len(np.unique(driver)) == 500
    assert driver[is_diseased].mean() - driver[~is_diseased].mean() == pytest.approx(1, abs=0.1)


def test_more_subjects_than_samples_are_refused():
    with pytest.raises(ConfigError, match="--subjects 9 is more than --samples 8"):
        SimulationConfig(samples=8, subjects=9)
