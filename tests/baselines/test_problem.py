"""A fold shows the reads of all its samples, but features, inner folds and values only of its training part."""

import numpy as np
from scipy.sparse import csr_array

from aam.baselines.fold import StudyData


def study_data(n_samples=24, n_groups=8, seed=0):
    stream = np.random.default_rng(seed)
    counts = stream.poisson(1.5, size=(n_samples, 9))
    groups = np.array([f"g{i % n_groups}" for i in range(n_samples)])
    distances = stream.random((n_samples, n_samples))
    return StudyData(csr_array(counts), stream.normal(size=n_samples), groups, "regression", 0, distances)


def test_features_are_those_of_at_least_three_training_samples():
    counts = np.zeros((8, 3), dtype=int)
    counts[:, 0] = 5
    counts[[0, 1], 1] = 2
    counts[[4, 5, 6, 7], 1] = 2
    counts[[0, 1, 2], 2] = 1
    whole = StudyData(csr_array(counts), np.arange(8.0), np.arange(8).astype(str), "regression", 0)

    fold = whole.fold(np.arange(4), np.arange(4, 8), seed=0)

    assert fold.counts.tolist() == counts[:4][:, [0, 2]].tolist()
    assert fold.test_counts.tolist() == counts[4:][:, [0, 2]].tolist()
    assert fold.depths.tolist() == counts[:4].sum(axis=1).tolist()


def test_a_problem_is_the_same_whatever_the_held_out_values_and_groups():
    whole, train, test = study_data(), np.arange(16), np.arange(16, 24)
    truth, groups = whole.truth.copy(), whole.groups.copy()
    truth[test], groups[test] = 99.0, "other"

    one = whole.fold(train, test, seed=0)
    other = StudyData(whole.counts, truth, groups, "regression", 0, whole.distances).fold(train, test, seed=0)

    for name, value in vars(one).items():
        np.testing.assert_array_equal(value, getattr(other, name))


def test_distances_are_those_among_training_samples_and_to_them():
    whole, train, test = study_data(), np.array([3, 1, 20]), np.array([7, 2])

    fold = whole.fold(train, test, seed=0)

    assert fold.distances is not None
    assert fold.test_distances is not None
    assert fold.distances[0, 2] == whole.distances[3, 20]
    assert fold.test_distances[1, 1] == whole.distances[2, 1]


def test_inner_folds_divide_no_group_and_judge_every_sample_once():
    fold = study_data().fold(np.arange(20), np.arange(20, 24), seed=0)

    folds = fold.inner_folds()

    assert sorted(np.concatenate([judge for _, judge in folds])) == list(range(20))
    for fit, judge in folds:
        assert not set(fold.groups[fit]) & set(fold.groups[judge])
