"""Spearman's correlation: exact while it can be, within its stated error beyond, whatever the order."""

import numpy as np
import pytest
import torch
from scipy import stats

from aam.metrics.rank_correlation import MOST_CELLS, Spearman

KINDS = {
    "normal": lambda s, n: (s.normal(size=n), s.normal(size=n)),
    "far from 0": lambda s, n: (1e6 + s.normal(size=n), s.normal(size=n)),
    "skewed": lambda s, n: (np.exp(2 * s.normal(size=n)), np.exp(s.normal(size=n))),
    "heavy tails": lambda s, n: (s.standard_cauchy(n), s.standard_cauchy(n)),
    "integers": lambda s, n: (s.integers(18, 90, n).astype(float), 9 * s.normal(size=n)),
    "shares": lambda s, n: (s.beta(8, 2, n), 0.1 * s.normal(size=n)),
}
"""Truths, and noise to predict them with."""


def pairs(kind, n, seed=0):
    truth, noise = KINDS[kind](np.random.default_rng(seed), n)
    return (truth * noise if kind == "skewed" else truth + noise), truth


def streamed(prediction, truth, batch_size, most_cells):
    metric = Spearman(most_cells).set_dtype(torch.float64)
    for part in np.split(np.arange(len(truth)), range(batch_size, len(truth), batch_size)):
        metric.update(torch.tensor(prediction[part]), torch.tensor(truth[part]))
    return metric


@pytest.mark.parametrize("kind", KINDS)
def test_the_correlation_of_few_pairs_is_scipys(kind):
    prediction, truth = pairs(kind, 500)

    metric = streamed(prediction, truth, 7, most_cells=500)

    assert metric.compute().item() == pytest.approx(stats.spearmanr(prediction, truth).statistic, abs=1e-12)
    assert metric.error_bound() == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("most_cells", [20, 300, 3000])
def test_the_correlation_of_many_pairs_is_within_the_stated_error(kind, most_cells):
    prediction, truth = pairs(kind, 20_000)

    metric = streamed(prediction, truth, 1000, most_cells)

    error = abs(metric.compute().item() - stats.spearmanr(prediction, truth).statistic)
    assert error <= metric.error_bound()
    assert metric.error_bound() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_by_default_a_hundred_thousand_pairs_are_wrong_in_the_fourth_digit_at_most(kind):
    prediction, truth = pairs(kind, 3 * MOST_CELLS)

    metric = streamed(prediction, truth, 1000, MOST_CELLS)

    assert metric.compute().item() == pytest.approx(stats.spearmanr(prediction, truth).statistic, abs=5e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_neither_order_nor_batches_change_it_even_where_it_is_a_sketch(kind):
    prediction, truth = pairs(kind, 3000)
    order = np.random.default_rng(1).permutation(3000)

    first = streamed(prediction, truth, 3, most_cells=40)
    second = streamed(prediction[order], truth[order], 700, most_cells=40)

    assert second.compute().item() == pytest.approx(first.compute().item(), abs=1e-12)
    assert second.error_bound() == pytest.approx(first.error_bound(), abs=1e-12)


@pytest.mark.parametrize("n_first", [10, 900, 2000])
def test_sketches_of_unequal_parts_merge_to_the_sketch_of_the_whole(n_first):
    prediction, truth = pairs("normal", 3000)
    first = streamed(prediction[:n_first], truth[:n_first], 100, most_cells=60)
    second = streamed(prediction[n_first:], truth[n_first:], 100, most_cells=60)
    whole = streamed(prediction, truth, 100, most_cells=60)

    first.merge_state(second)

    assert first.compute().item() == pytest.approx(whole.compute().item(), abs=1e-12)


def test_negative_zero_is_zero():
    metric = streamed(np.array([-0.0, 0.0, 1.0, 2.0]), np.array([0.0, 1.0, -0.0, 3.0]), 2, most_cells=100)

    expected = stats.spearmanr([0, 0, 1, 2], [0, 1, 0, 3]).statistic
    assert metric.compute().item() == pytest.approx(expected)


def test_a_prediction_that_is_no_number_has_no_rank():
    metric = streamed(np.array([1.0, np.nan, 2.0, 0.5]), np.arange(4.0), 2, most_cells=100)

    assert np.isnan(metric.compute().item())


def test_what_is_held_is_bounded():
    metric, stream = Spearman(100), np.random.default_rng(0)
    most = 0
    for _ in range(200):
        metric.update(*torch.tensor(stream.normal(size=(2, 30))))
        most = max(most, sum(part.numel() for part in metric.cells))

    assert most <= 3 * (2 * 100 + 30)
