"""Distances between sample vectors, against SciPy, and what leaves them unchanged."""

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from aam.encoding import Encoding, SampleEncoding
from aam.objectives.objective import Overall
from aam.objectives.sample_distance import TARGET, SampleDistance
from conftest import make_batch, make_study

TRUTH = squareform(np.arange(1.0, 11.0) / 10)


@pytest.fixture
def batch():
    return make_batch(make_study(n_samples=5), targets={TARGET: lambda packed: TRUTH})


@pytest.fixture
def vectors():
    return torch.randn(5, 8, dtype=torch.float64)


def distances(vectors, batch):
    samples = SampleEncoding(vectors, torch.arange(6), vectors)
    return SampleDistance()(Encoding(samples), batch)


def test_distances_and_truths_are_in_scipys_order_of_pairs(vectors, batch):
    predicted, truth = SampleDistance().scored(distances(vectors, batch), batch)

    np.testing.assert_allclose(predicted.numpy(), pdist(vectors.numpy()) / np.sqrt(8), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(truth.numpy(), squareform(TRUTH))


def test_vectors_that_are_moved_turned_or_mirrored_keep_their_distances(vectors, batch):
    turn, _ = torch.linalg.qr(torch.randn(8, 8, dtype=torch.float64))

    torch.testing.assert_close(distances(vectors @ turn + 7, batch), distances(vectors, batch), rtol=0, atol=1e-12)


def test_distances_grow_with_their_vectors_and_not_with_the_width(vectors, batch):
    wider = vectors.repeat(1, 3)

    torch.testing.assert_close(distances(3 * vectors, batch), 3 * distances(vectors, batch))
    torch.testing.assert_close(distances(wider, batch), distances(vectors, batch))


def test_two_samples_with_one_vector_can_be_learned_from(vectors, batch):
    alike = vectors[[0, 0, 2, 3, 4]].requires_grad_()

    prediction = distances(alike, batch)
    SampleDistance().loss(prediction, batch).backward()

    assert prediction[0] == 0
    assert torch.isfinite(alike.grad).all()


def test_a_step_along_the_gradient_brings_distances_nearer_to_the_truth(vectors, batch):
    vectors.requires_grad_()
    before = SampleDistance().loss(distances(vectors, batch), batch)
    before.backward()

    after = SampleDistance().loss(distances((vectors - 0.1 * vectors.grad).detach(), batch), batch)

    assert after < before


def test_metrics_equal_those_of_the_libraries(vectors, batch):
    predicted, truth = SampleDistance().scored(distances(vectors, batch), batch)
    metrics = SampleDistance().metrics()

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


def test_the_head_has_no_weights():
    assert not list(SampleDistance().state_dict())


def test_the_picture_compares_distances(vectors, batch):
    predicted, truth = SampleDistance().scored(distances(vectors, batch), batch)

    axes = SampleDistance().draw(predicted, truth, Overall(45, {"r2": torch.tensor(0.25)})).axes[0]

    assert axes.get_title() == "R² = 0.250, 10 of 45 pairs of samples shown"
    assert axes.get_xlabel() == "true distance between samples"
    assert len(axes.collections[0].get_offsets()) == 10
