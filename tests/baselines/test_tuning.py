"""Candidates are judged by all inner folds together."""

import numpy as np
import pytest

from aam.baselines.fold import FoldData, all_classes, best_candidate, loss


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
