"""Distances between sample vectors, against SciPy, and what leaves them unchanged."""

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from aam.batch import Encoding, SampleEncoding
from aam.objectives.objective import ValidationSummary
from aam.objectives.sample_distance import SAMPLE_DISTANCE, SampleDistance
from helpers.studies import make_batch, make_study

TRUTH = squareform(np.arange(1.0, 11.0) / 10)


@pytest.fixture
def batch():
    return make_batch(make_study(n_samples=5), targets={SAMPLE_DISTANCE: lambda packed: TRUTH})


@pytest.fixture
def vectors():
    return torch.randn(5, 8, dtype=torch.float64)


def objective_with(unshared):
    """Give the head, with one amount that each sample shares with no other."""
    head = SampleDistance(8).double()
    head.unshared[1].bias.data.fill_(np.log(np.expm1(unshared)))  # of which softplus makes it
    return head


def distances(vectors, batch, unshared=0.25):
    samples = SampleEncoding(vectors, torch.arange(6), vectors)
    return objective_with(unshared)(Encoding(samples), batch)


def test_distances_and_truths_are_in_scipys_order_of_pairs(vectors, batch):
    predicted, truth = SampleDistance(8).scored(distances(vectors, batch).detach(), batch)

    expected = np.sqrt(pdist(vectors.numpy(), "sqeuclidean") / 8 + 0.25)
    np.testing.assert_allclose(predicted.detach().numpy(), expected, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(truth.numpy(), squareform(TRUTH))


def test_without_a_part_of_their_own_samples_lie_as_far_apart_as_their_vectors(vectors, batch):
    turn, _ = torch.linalg.qr(torch.randn(8, 8, dtype=torch.float64))

    found = distances(vectors, batch, unshared=1e-16)

    torch.testing.assert_close(found, torch.pdist(vectors) / 8**0.5, rtol=0, atol=1e-7)
    torch.testing.assert_close(distances(vectors @ turn + 7, batch, unshared=1e-16), found, rtol=0, atol=1e-7)


def test_what_each_sample_shares_with_no_other_is_read_from_its_vector(vectors, batch):
    head = objective_with(0.1)
    torch.nn.init.normal_(head.unshared[1].weight)
    samples = SampleEncoding(vectors, torch.arange(6), vectors)

    found = head(Encoding(samples), batch)

    own = torch.nn.functional.softplus(head.unshared(vectors)).squeeze(1).detach().numpy()
    pairs = np.array([(own[i] + own[j]) / 2 for i in range(5) for j in range(i + 1, 5)])
    expected = np.sqrt(pdist(vectors.numpy(), "sqeuclidean") / 8 + pairs)
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=0, atol=1e-12)


def test_two_samples_with_one_vector_can_be_learned_from(vectors, batch):
    alike = vectors[[0, 0, 2, 3, 4]].requires_grad_()

    prediction = distances(alike, batch)
    SampleDistance(8).loss(prediction, batch).backward()

    assert prediction[0].item() == pytest.approx(0.5)
    assert torch.isfinite(alike.grad).all()


def test_a_step_along_the_gradient_brings_distances_nearer_to_the_truth(vectors, batch):
    vectors.requires_grad_()
    before = SampleDistance(8).loss(distances(vectors, batch), batch)
    before.backward()

    after = SampleDistance(8).loss(distances((vectors - 0.1 * vectors.grad).detach(), batch), batch)

    assert after < before


def test_metrics_equal_those_of_the_libraries(vectors, batch):
    predicted, truth = SampleDistance(8).scored(distances(vectors, batch).detach(), batch)
    metrics = SampleDistance(8).metrics()

    for metric in metrics.values():
        metric.set_dtype(torch.float64)
        for part in (slice(0, 3), slice(3, None)):
            metric.update(predicted[part], truth[part])

    assert {name: metric.compute().item() for name, metric in metrics.items()} == pytest.approx(
        {
            "r2": r2_score(truth, predicted),
            "mae": mean_absolute_error(truth, predicted),
            "rmse": root_mean_squared_error(truth, predicted),
            "pearson": stats.pearsonr(truth, predicted).statistic,
            "spearman": stats.spearmanr(truth, predicted).statistic,
        }
    )


def test_the_picture_compares_distances(vectors, batch):
    predicted, truth = SampleDistance(8).scored(distances(vectors, batch).detach(), batch)

    axes = SampleDistance(8).draw(predicted, truth, ValidationSummary(45, {"r2": torch.tensor(0.25)})).axes[0]

    assert axes.get_title() == "R² = 0.250, 10 of 45 pairs of samples shown"
    assert axes.get_xlabel() == "true distance between samples"
    assert len(axes.collections[0].get_offsets()) == 10
