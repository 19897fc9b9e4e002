"""Streamed errors and correlations against NumPy, SciPy and scikit-learn on all predictions at once."""

import warnings

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn import metrics as oracle

from aam.metrics.regression import R2, Pearson, regression_metrics


def streamed(metrics, prediction, truth, parts):
    """Update metrics part by part, in double precision, and give their values."""
    for metric in metrics.values():
        metric.set_dtype(torch.float64)
        for part in parts:
            metric.update(torch.tensor(prediction[part]), torch.tensor(truth[part]))
    return {name: metric.compute().item() for name, metric in metrics.items()}


def at_once(prediction, truth):
    return {
        "r2": oracle.r2_score(truth, prediction),
        "mae": oracle.mean_absolute_error(truth, prediction),
        "rmse": oracle.root_mean_squared_error(truth, prediction),
        "pearson": stats.pearsonr(prediction, truth).statistic,
        "spearman": stats.spearmanr(prediction, truth).statistic,
    }


def unequal_parts(n, seed=0):
    cuts = np.sort(np.random.default_rng(seed).choice(np.arange(1, n), 5, replace=False))
    return np.split(np.arange(n), cuts)


@pytest.fixture
def stream():
    return np.random.default_rng(0)


@pytest.mark.parametrize(
    ("offset", "spread"), [(0, 1), (45, 20), (1e6, 1), (-1e9, 1), (0, 1e-6), (0, 1e6), (1.7e9, 3e4)]
)
@pytest.mark.parametrize("cut", [unequal_parts, lambda n: np.split(np.arange(n), n), lambda n: [np.arange(n)]])
def test_streamed_metrics_are_those_of_all_predictions_at_once(offset, spread, cut, stream):
    truth = offset + spread * stream.normal(size=400)
    prediction = truth + spread * stream.normal(size=400)

    values = streamed(regression_metrics(), prediction, truth, cut(400))

    digits_lost = abs(offset) / spread
    assert values == pytest.approx(at_once(prediction, truth), rel=1e-9, abs=1e-15 * max(1, digits_lost))


def test_tied_values_share_their_ranks(stream):
    truth, prediction = stream.integers(0, 4, size=(2, 300)).astype(float)

    values = streamed(regression_metrics(), prediction, truth, unequal_parts(300))

    assert values["spearman"] == pytest.approx(stats.spearmanr(prediction, truth).statistic, abs=1e-12)


def test_the_order_of_the_predictions_does_not_matter(stream):
    truth, prediction = 1e6 + stream.normal(size=(2, 500))
    order = stream.permutation(500)

    first = streamed(regression_metrics(), prediction, truth, unequal_parts(500))
    second = streamed(regression_metrics(), prediction[order], truth[order], unequal_parts(500, seed=1))

    assert second == pytest.approx(first, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("n_first", [0, 1, 17])
@pytest.mark.parametrize("name", list(regression_metrics()))
def test_halves_of_unequal_size_merge_to_the_whole(name, n_first, stream):
    truth = 1e6 + stream.normal(size=60)
    prediction = truth + stream.normal(size=60)
    halves = [regression_metrics()[name].set_dtype(torch.float64) for _ in range(2)]
    for metric, part in zip(halves, (slice(n_first), slice(n_first, None)), strict=True):
        if len(truth[part]):
            metric.update(torch.tensor(prediction[part]), torch.tensor(truth[part]))

    first, second = halves
    first.merge_state(second)

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The ``compute`` method")  # an empty half was never updated
        assert first.compute().item() == pytest.approx(at_once(prediction, truth)[name], rel=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 + 0.1])
@pytest.mark.parametrize("parts", [[slice(1)], [slice(3), slice(3, 7)], [slice(1), slice(1, 7)]])
def test_a_constant_truth_has_errors_but_no_score_and_no_warning(value, parts, stream):
    truth, prediction = np.full(7, value), stream.normal(size=7)

    values = streamed(regression_metrics(), prediction, truth, parts)

    assert {name for name, each in values.items() if np.isnan(each)} == {"r2", "pearson", "spearman"}


def test_constant_predictions_have_no_correlation_but_an_r2(stream):
    truth, prediction = stream.normal(size=7), np.full(7, 0.1)

    values = streamed(regression_metrics(), prediction, truth, unequal_parts(7))

    assert {name for name, each in values.items() if np.isnan(each)} == {"pearson", "spearman"}
    assert values["r2"] == pytest.approx(oracle.r2_score(truth, prediction))


@pytest.mark.parametrize("metric", [R2, Pearson])
def test_what_is_held_does_not_grow(metric):
    ours = metric()
    sizes = set()
    for _ in range(3):
        ours.update(torch.randn(1000), torch.randn(1000))
        sizes.add(sum(state.numel() for state in ours.metric_state.values()))

    assert sizes == {11}
