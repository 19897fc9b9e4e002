"""Samples with identical and nearly identical counts are found, and others are not."""

import numpy as np
import pytest

from aam.data.twins import find_twins
from helpers.studies import store_study


def study_of(counts):
    stream = np.random.default_rng(5)
    sequences = ["".join(letters) for letters in stream.choice(list("ACGT"), size=(counts.shape[1], 20))]
    n_samples, n_features = counts.shape
    return store_study([f"S{k:02d}" for k in range(n_samples)], [f"F{k}" for k in range(n_features)], sequences, counts)


@pytest.fixture
def counts():
    stream = np.random.default_rng(0)
    return stream.poisson(stream.exponential(50, (20, 30)))


def test_samples_of_their_own_have_no_twins(counts):
    twins = find_twins(study_of(counts))

    assert twins.sets == []
    assert twins.remark([f"S{k:02d}" for k in range(20)]) is None


def test_identical_and_nearly_identical_samples_are_in_sets(counts):
    stream = np.random.default_rng(1)
    copied = np.vstack([counts, counts[3:4], counts[3:4], stream.poisson(counts[7:8])])

    twins = find_twins(study_of(copied))

    assert [of_set.tolist() for of_set in twins.sets] == [[3, 20, 21], [7, 22]]
    assert twins.identical[[3, 20, 21]].tolist() == [3, 3, 3]
    assert twins.identical[7] != twins.identical[22]


def test_samples_of_hardly_any_reads_or_asvs_are_no_twins():
    few = np.zeros((6, 30), dtype=int)
    few[:3, :2] = 1  # two reads
    few[3:, 4] = 5000  # one ASV

    assert find_twins(study_of(few)).sets == []


def test_a_selection_keeps_its_sets(counts):
    twins = find_twins(study_of(np.vstack([counts, counts[:2]])))

    assert [of_set.tolist() for of_set in twins.select(np.array([0, 5, 20])).sets] == [[0, 2]]
