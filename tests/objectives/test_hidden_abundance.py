"""Hidden abundances: what is compared with what, and in which units."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy import special, stats
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from aam.batch import Encoding, SampleEncoding
from aam.data.batching.batches import Masking
from aam.objectives.hidden_abundance import HiddenAbundance
from aam.objectives.objective import ValidationSummary
from helpers.studies import make_batch, make_study


@pytest.fixture
def batch():
    return make_batch(make_study(n_samples=3), masking=Masking(count_mask_ratio=0.5))


@pytest.fixture
def objective():
    return HiddenAbundance(8).double()


def true_logs(batch):
    """The natural logarithms of the hidden relative abundances, from the counts alone."""
    counts, sample = batch.counts.numpy().astype(float), batch.sample_of_pair.numpy()
    return np.log(counts / np.bincount(sample, weights=counts)[sample])[batch.hidden.numpy()]


def encoding_of(hidden_context):
    samples = SampleEncoding(torch.zeros(12, 8), 4 * torch.arange(4), torch.zeros(3, 8))
    return Encoding(samples, hidden_context=hidden_context)


def test_the_loss_is_the_mean_squared_error_in_spreads_of_the_logarithm(batch, objective):
    prediction = torch.randn(len(batch.hidden), dtype=torch.float64)

    loss = objective.loss(prediction, batch)

    in_logs = 2.0 * prediction.numpy() - 6.0
    assert loss.item() == pytest.approx(mean_squared_error(true_logs(batch), in_logs) / 2.0**2)


def test_a_perfect_prediction_costs_nothing_and_is_scored_as_perfect(batch, objective):
    perfect = torch.tensor((true_logs(batch) + 6.0) / 2.0)

    predicted, truth = objective.scored(perfect, batch)

    assert objective.loss(perfect, batch).item() == pytest.approx(0, abs=1e-20)
    torch.testing.assert_close(predicted, truth)
    np.testing.assert_allclose(truth.numpy(), true_logs(batch), rtol=1e-12)


def test_one_number_per_hidden_pair_from_its_own_context_alone(batch, objective):
    context = torch.randn(len(batch.hidden), 8, dtype=torch.float64)

    together = objective(encoding_of(context), batch)

    alone = torch.stack([objective(encoding_of(row[None]), batch)[0] for row in context])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-12)


def test_metrics_equal_scikit_learns_however_the_pairs_are_divided(batch, objective):
    predicted, truth = objective.scored(torch.randn(len(batch.hidden), dtype=torch.float64), batch)
    metrics = objective.metrics()

    for metric in metrics.values():
        metric.set_dtype(torch.float64)
        for part in (slice(0, 2), slice(2, None)):
            metric.update(predicted[part], truth[part])

    assert metrics["r2"].compute().item() == pytest.approx(r2_score(truth, predicted))
    assert metrics["mae"].compute().item() == pytest.approx(mean_absolute_error(truth, predicted))


def test_a_deeper_sample_of_the_same_composition_has_the_same_truth(batch, objective):
    prediction = torch.zeros(len(batch.hidden), dtype=torch.float64)
    deeper = dataclasses.replace(batch, counts=batch.counts * 9)

    assert objective.loss(prediction, deeper).item() == pytest.approx(objective.loss(prediction, batch).item())


def test_the_picture_shows_logarithms(batch, objective):
    predicted, truth = objective.scored(torch.zeros(len(batch.hidden), dtype=torch.float64), batch)

    axes = objective.draw(predicted, truth, ValidationSummary(len(truth), {"r2": torch.tensor(0.25)})).axes[0]

    assert axes.get_xlabel() == "true ln relative abundance of a hidden ASV"
    np.testing.assert_allclose(axes.collections[0].get_offsets()[:, 0], true_logs(batch))


def test_a_batch_that_hides_nothing_is_our_own_mistake(batch, objective):
    with pytest.raises(AssertionError, match="hides no abundance"):
        objective(encoding_of(None), batch)
    with pytest.raises(AssertionError, match="hides no abundance"):
        objective.loss(torch.zeros(2), dataclasses.replace(batch, hidden=None))


def test_the_multinomial_likelihood_is_scipys_but_for_what_the_counts_settle(batch):
    objective, prediction = HiddenAbundance(8, is_compositional=True).double(), torch.randn(len(batch.hidden)).double()

    loss = objective.loss(prediction, batch)

    sample, counts = batch.sample_of_pair[batch.hidden].numpy(), batch.counts[batch.hidden].numpy()
    expected = 0.0
    for number in range(batch.n_samples):
        reads, weight = counts[sample == number], np.exp(2.0 * prediction.numpy()[sample == number])
        likelihood = stats.multinomial.logpmf(reads, reads.sum(), weight / weight.sum())
        arrangements = special.gammaln(reads.sum() + 1) - special.gammaln(reads + 1).sum()
        expected -= (likelihood - arrangements) / reads.sum() / batch.n_samples
    assert loss.item() == pytest.approx(expected)


def test_compositional_predictions_are_scored_with_the_total_that_is_shown(batch):
    objective = HiddenAbundance(8, is_compositional=True).double()
    perfect_but_for_a_factor = torch.tensor((true_logs(batch) + 6.0) / 2.0) + 5

    predicted, truth = objective.scored(perfect_but_for_a_factor, batch)

    torch.testing.assert_close(predicted, truth)
