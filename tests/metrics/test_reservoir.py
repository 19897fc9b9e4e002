"""The sample that is drawn: uniform, repeatable, the same however the predictions come in batches."""

import numpy as np
import pytest
import torch
from scipy import stats

from aam.metrics.reservoir import Reservoir


def filled(size, n, batch_size, seed=0):
    reservoir = Reservoir(size, np.random.default_rng(seed))
    for part in torch.arange(n).split(batch_size):
        reservoir.add(part.double() / 2, part)
    return reservoir


def test_every_prediction_has_the_same_chance():
    counts = np.zeros(60)
    for seed in range(1000):
        counts[filled(12, 60, 7, seed).points[1]] += 1

    # each draw takes 12 of 60 without replacement: counts vary less than a multinomial's, by the factor 48/59
    statistic = float((np.square(counts - 200) / 200).sum()) * 59 / 48
    assert 0.01 < stats.chi2(59).sf(statistic) < 0.99


def test_pairs_of_predictions_have_the_same_chance():
    together = np.zeros((6, 6))
    for seed in range(3000):
        kept = filled(2, 6, 2, seed).points[1].tolist()
        together[kept[0], kept[1]] += 1

    observed = together[np.triu_indices(6, 1)]
    assert observed.sum() == 3000
    assert stats.chisquare(observed).pvalue > 0.01


@pytest.mark.parametrize("batch_size", [1, 7, 100, 1000])
def test_a_seed_keeps_the_same_points_whatever_the_batches(batch_size):
    kept = filled(20, 1000, batch_size).points

    expected = filled(20, 1000, 13).points
    assert torch.equal(kept[1], expected[1])
    assert torch.equal(kept[0], kept[1] / 2)


def test_another_seed_keeps_others():
    assert not torch.equal(filled(20, 1000, 10, seed=1).points[1], filled(20, 1000, 10).points[1])


@pytest.mark.parametrize("n", [1, 5, 20])
def test_few_predictions_are_all_kept_in_their_order(n):
    reservoir = filled(20, n, 3)

    assert reservoir.points[1].tolist() == list(range(n))
    assert reservoir.n_seen == n


def test_empty_batches_and_rows_of_probabilities_are_taken():
    reservoir = Reservoir(2, np.random.default_rng(0))

    reservoir.add(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64))
    reservoir.add(torch.eye(3), torch.arange(3))

    prediction, truth = reservoir.points
    assert torch.equal(prediction.argmax(dim=1), truth)
    assert (len(truth), reservoir.n_seen) == (2, 3)
