"""How sure a head may be: thresholds, temperature and sets."""

import math

import numpy as np
import pytest

from aam.uncertainty import conformal_quantile, fit_temperature, groups_needed, prediction_sets, to_probabilities


def test_with_one_sample_per_group_the_quantile_is_that_of_the_jackknife():
    scores = np.random.default_rng(0).random(39)

    found = conformal_quantile(scores, np.arange(39), 0.9)

    assert found == np.sort(scores)[math.ceil(0.9 * 40) - 1]


def test_groups_weigh_the_same_whatever_their_size():
    scores = np.concatenate([np.full(100, 1.0), np.arange(2.0, 21.0)])
    groups = np.concatenate([np.zeros(100, dtype=int), np.arange(1, 20)])

    assert conformal_quantile(scores, groups, 0.5) == 11.0  # the eleventh of 20 groups and an infinite one


def test_too_few_groups_promise_nothing():
    assert conformal_quantile(np.arange(80.0), np.arange(80) // 10, 0.9) == math.inf
    assert math.isfinite(conformal_quantile(np.arange(90.0), np.arange(90) // 10, 0.9))


@pytest.mark.parametrize("coverage", [0.5, 0.6, 0.75, 0.8, 0.9, 0.95, 0.99])
def test_the_groups_needed_are_the_fewest_of_which_there_is_a_quantile(coverage):
    needed = groups_needed(coverage)

    for n_groups in range(1, 120):
        scores = np.arange(3.0 * n_groups)
        quantile = conformal_quantile(scores, np.arange(3 * n_groups) // 3, coverage)
        assert math.isfinite(quantile) == (n_groups >= needed)


def test_new_groups_are_covered_as_often_as_promised():
    """Errors that subjects share: of 400 simulated studies, one new subject's sample each."""
    stream, inside = np.random.default_rng(0), []
    for _ in range(400):
        groups = np.repeat(np.arange(21), stream.integers(1, 6, size=21))
        scores = np.abs(2 * stream.normal(size=21)[groups] + stream.normal(size=len(groups)))
        is_new = groups == 20
        threshold = conformal_quantile(scores[~is_new], groups[~is_new], 0.8)
        inside.append(scores[is_new][0] <= threshold)

    assert 0.76 < np.mean(inside) < 0.88


@pytest.mark.parametrize("n_classes", [2, 4])
def test_logits_that_are_three_times_too_large_are_cooled(n_classes):
    stream = np.random.default_rng(1)
    logit = stream.normal(size=(5000, 1 if n_classes == 2 else n_classes))
    probability = to_probabilities(logit, n_classes)
    label = np.array([stream.choice(n_classes, p=p) for p in probability])

    found = fit_temperature(3 * logit, label, n_classes, np.ones(5000))

    assert found == pytest.approx(3, rel=0.1)


def test_two_classes_share_one_logit():
    np.testing.assert_allclose(to_probabilities(np.array([[1.3]]), 2)[0, 1], 1 / (1 + math.exp(-1.3)))


def test_a_set_is_never_empty_and_grows_with_the_threshold():
    probability = np.array([[0.5, 0.3, 0.2]])

    assert prediction_sets(probability, 0.1).tolist() == [[True, False, False]]
    assert prediction_sets(probability, 0.75).tolist() == [[True, True, False]]
    assert prediction_sets(probability, 0.9).tolist() == [[True, True, True]]
