"""Importance against closed forms, and what permuted targets and false discovery control say of it."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from aam.explanation.clades import Clades
from aam.explanation.importance import HeldOutPart, permuted_losses
from aam.explanation.losses import Truth, explained_outputs
from aam.explanation.significance import adjusted, compare_with_null, permute_targets, q_values
from aam.inference.count_function import CountFunction

N_SAMPLES, N_FEATURES = 120, 12


def study(seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(1, 50, (N_SAMPLES, N_FEATURES)).astype(float)


def linear(counts, weights):
    """A model that adds up log shares, of which exchanging one feature changes the others by a common constant."""

    def compute(changed, rows):
        dense = changed.toarray()
        return np.log((dense + 0.5) / dense.sum(axis=1, keepdims=True)) @ weights

    return CountFunction(csr_array(counts), np.ones(N_FEATURES, dtype=bool), compute)


def importance_of(weights, seed=0, repeats=3, noise=0.3):
    counts = study(seed)
    function = linear(counts, weights)
    predicted = function.predictions()[:, 0]
    values = predicted + noise * np.random.default_rng(seed + 1).standard_normal(N_SAMPLES)
    truth, groups = Truth.of("regression", values, 0), np.repeat(np.arange(N_SAMPLES // 2), 2).astype(str)
    clades = Clades.of_intervals(np.arange(N_FEATURES), np.array([0, 4, 4]), np.array([4, 12, 8]))
    part = HeldOutPart(function, np.arange(N_SAMPLES), truth, groups)
    losses = permuted_losses([part], clades.membership(N_FEATURES), N_SAMPLES, repeats, 0)
    permuted = permute_targets(truth.rows, groups, np.zeros(N_SAMPLES), 199, 0)
    return clades, truth, losses, compare_with_null(losses, truth.rows, permuted), predicted


WEIGHTS = np.where(np.arange(N_FEATURES) < 4, 1.0, 0.0) * np.array([3, -2, 1, 1, *[0] * 8])
SET_OF_FOUR, SET_OF_OTHERS = 1, 6


def test_sets_are_where_the_tests_look():
    clades, *_ = importance_of(WEIGHTS, repeats=1)

    assert clades.members(SET_OF_FOUR).tolist() == [0, 1, 2, 3]
    assert clades.members(SET_OF_OTHERS).tolist() == list(range(4, 12))


def test_the_losses_of_unchanged_samples_are_squared_errors():
    _, truth, _, _, predicted = importance_of(WEIGHTS, repeats=1)
    values = truth.rows[:, 0] * truth.scale + truth.centre

    np.testing.assert_allclose(truth.losses(predicted[:, None]), (values - predicted) ** 2 / values.var())


def test_what_the_model_reads_is_important_and_the_rest_is_not():
    clades, truth, losses, null, _ = importance_of(WEIGHTS)
    importance = losses.increase(truth.rows).mean(axis=1)
    alone = {int(clades.members(n)[0]): n for n in range(len(clades)) if clades.sizes[n] == 1}

    assert importance[alone[0]] > importance[alone[1]] > importance[alone[2]] > 0
    assert importance[SET_OF_FOUR] > 10 * abs(importance[SET_OF_OTHERS])
    assert null.p[[0, SET_OF_FOUR, alone[0], alone[1]]].tolist() == [1 / 200] * 4
    assert null.z[alone[0]] > 2 * abs(null.z[SET_OF_OTHERS])


def test_slopes_have_the_size_and_direction_of_the_weights():
    clades, _, losses, *_ = importance_of(WEIGHTS)
    alone = {int(clades.members(n)[0]): n for n in range(len(clades)) if clades.sizes[n] == 1}
    per_tenfold = np.log(10)

    np.testing.assert_allclose(losses.slope[alone[0], 0], 3 * per_tenfold, rtol=0.2)
    np.testing.assert_allclose(losses.slope[alone[1], 0], -2 * per_tenfold, rtol=0.2)
    assert losses.correlation[alone[0], 0] > 0.95
    assert losses.correlation[alone[1], 0] < -0.95


def test_gains_of_disjoint_sets_add_up_where_predictions_are_sums():
    def compute(changed, rows):
        return changed.toarray() @ np.array([2.0, -1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 3])

    counts = study()
    counts[:, 5] += 5000 - counts.sum(axis=1)  # so that exchanges hardly scale the others
    function = CountFunction(csr_array(counts), np.ones(N_FEATURES, dtype=bool), compute)
    values = function.predictions()[:, 0]
    truth, groups = Truth.of("regression", values, 0), np.arange(N_SAMPLES).astype(str)
    clades = Clades.of_intervals(np.arange(N_FEATURES), np.array([0]), np.array([3]))
    part = HeldOutPart(function, np.arange(N_SAMPLES), truth, groups)
    losses = permuted_losses([part], clades.membership(N_FEATURES), N_SAMPLES, 2, 0)
    null = compare_with_null(losses, truth.rows, permute_targets(truth.rows, groups, np.zeros(N_SAMPLES), 99, 0))

    members = [number for number in range(len(clades)) if clades.parent[number] == 1]
    np.testing.assert_allclose(null.gain[1], null.gain[members].sum(), rtol=0.02)


def test_sets_with_the_same_members_in_the_samples_have_the_same_importance():
    counts = study()
    counts[:, 3] = 0
    function = linear(counts, WEIGHTS)
    truth = Truth.of("regression", function.predictions()[:, 0], 0)
    clades = Clades.of_intervals(np.arange(N_FEATURES), np.array([0, 0]), np.array([4, 3]))
    part = HeldOutPart(function, np.arange(N_SAMPLES), truth, np.arange(N_SAMPLES).astype(str))

    increase = permuted_losses([part], clades.membership(N_FEATURES), N_SAMPLES, 1, 0).increase(truth.rows)

    np.testing.assert_array_equal(increase[1], increase[2])


def test_classes_weigh_the_same_in_the_loss():
    labels = np.array([0] * 9 + [1])
    truth = Truth.of("classification", labels, 2)
    predicted = np.tile([0.8, 0.2], (10, 1))

    mean = truth.losses(predicted).mean()

    np.testing.assert_allclose(mean, -(np.log(0.8) + np.log(0.2)) / 2)


def test_log_odds_are_of_the_second_of_two_classes():
    np.testing.assert_allclose(explained_outputs(np.array([[0.25, 0.75]]), False), [[np.log(3)]])
    assert explained_outputs(np.array([[0.2, 0.3, 0.5]]), False).shape == (1, 3)


@pytest.mark.parametrize("seed", range(3))
def test_permuted_targets_exchange_whole_groups_within_folds(seed):
    groups = np.array(["a", "a", "b", "b", "c", "d", "d", "e"])
    folds = np.array([0, 0, 0, 0, 0, 1, 1, 1])
    rows = np.array([1.0, 1, 2, 2, 3, 4, 4, 5])[:, None]

    permuted = permute_targets(rows, groups, folds, 20, seed)[:, :, 0]

    for draw in permuted:
        assert set(draw[:5]) == {1, 2, 3}
        assert set(draw[5:]) == {4, 5}
        assert all(len(set(draw[groups == group])) == 1 for group in "abd")
    assert len({tuple(draw) for draw in permuted}) > 3


def test_p_values_of_noise_are_uniform():
    p = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        counts, weights = rng.integers(1, 50, (40, N_FEATURES)).astype(float), rng.standard_normal(N_FEATURES)
        function = linear(counts, weights)
        truth = Truth.of("regression", rng.standard_normal(40), 0)
        groups = np.arange(40).astype(str)
        clades = Clades.of_features(np.arange(N_FEATURES))
        part = HeldOutPart(function, np.arange(40), truth, groups)
        losses = permuted_losses([part], clades.membership(N_FEATURES), 40, 1, seed)
        p.append(compare_with_null(losses, truth.rows, permute_targets(truth.rows, groups, np.zeros(40), 99, seed)).p)
    p = np.array(p)

    assert 0.02 < (p <= 0.05).mean() < 0.08
    assert 0.44 < p.mean() < 0.56


def test_false_discovery_rates_of_one_level_are_about_those_of_benjamini_and_hochberg():
    clades = Clades.of_features(np.arange(5))
    p = np.array([1e-6, 0.01, 0.04, 0.03, 0.005, 0.5])

    q = q_values(clades, p)

    assert (np.diff(q[1:][p[1:].argsort()]) >= 0).all()
    assert (q[1:] <= 1.06 * adjusted(p[1:])).all()  # which the discovery of all features helps a little
    assert q[3] > 0.015
    assert q[0] <= 1.1e-4


def test_sets_are_found_only_inside_those_that_are_found():
    clades = Clades.of_intervals(np.arange(6), np.array([0, 3]), np.array([3, 6]))
    p = np.full(len(clades), 0.001)
    p[1] = 0.9

    q = q_values(clades, p)

    inside = [number for number in range(len(clades)) if clades.parent[number] == 1]
    assert (q[inside] >= q[1]).all()
    assert q[1] > 0.8
    others = [number for number in range(len(clades)) if number != 1 and clades.parent[number] not in (1, -1)]
    assert (q[others] < 0.05).all()
