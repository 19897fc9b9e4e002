"""A fold shows values only of its training part, and candidates are judged by all its inner folds together."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from aam.baselines.fold import FoldData, StudyData, all_classes, best_candidate, loss


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


def fold(truth, task="regression"):
    n, none = len(truth), np.zeros((len(truth), 1), dtype=np.float32)
    return FoldData(none, none, np.ones(n), np.ones(n), np.array(truth), np.arange(n).astype(str), task, 2, seed=0)


def test_the_candidate_nearest_to_the_truth_is_chosen():
    case = fold([3.0, 5.0, 4.0, 4.0, 3.0, 5.0])

    assert best_candidate(case, (0.0, 4.0, 9.0), lambda value, fit, judge: np.full(len(judge), value)) == 4.0


def test_no_sample_is_judged_by_a_fit_that_saw_it():
    case, seen = fold(list(np.arange(9.0))), []

    best_candidate(case, (0, 1), lambda _, fit, judge: seen.append(set(fit) & set(judge)) or np.zeros(len(judge)))

    assert seen
    assert not any(seen)


def test_losses_by_hand():
    assert loss("regression", np.array([1.0, 3.0]), np.array([1.0, 1.0])) == 2.0
    probability = np.array([[0.5, 0.5], [0.5, 0.5], [0.75, 0.25]])
    assert loss("classification", probability, np.array([0, 0, 1])) == pytest.approx((np.log(2) + np.log(4)) / 2)


def test_classes_find_their_column():
    assert all_classes(np.array([[0.3, 0.7]]), np.array([0, 2]), 4).tolist() == [[0.3, 0.0, 0.7, 0.0]]
