"""Every score is scikit-learn's or scipy's."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn import metrics

from aam.metrics import scores


@pytest.fixture(params=[0, 1])
def values(request):
    stream = np.random.default_rng(request.param)
    truth = stream.integers(0, 9, size=30).astype(float)
    return truth + stream.normal(size=30).round(), truth


@pytest.fixture(params=[2, 4])
def classes(request):
    stream = np.random.default_rng(request.param)
    probability = stream.dirichlet(np.ones(request.param), size=40).round(2) + 1e-3
    return probability / probability.sum(axis=1, keepdims=True), stream.integers(0, request.param, size=40)


def test_scores_of_numbers(values):
    prediction, truth = values

    assert scores.r_squared(prediction, truth) == pytest.approx(metrics.r2_score(truth, prediction))
    assert scores.mean_absolute_error(prediction, truth) == pytest.approx(
        metrics.mean_absolute_error(truth, prediction)
    )
    expected = metrics.root_mean_squared_error(truth, prediction)
    assert scores.root_mean_square_error(prediction, truth) == pytest.approx(expected)
    assert scores.spearman(prediction, truth) == pytest.approx(spearmanr(prediction, truth).statistic)


def test_scores_of_classes_in_an_order(classes):
    probability, truth = classes
    named = probability.argmax(axis=1)

    expected = metrics.cohen_kappa_score(named, truth, weights="quadratic")
    assert scores.quadratic_kappa(probability, truth) == pytest.approx(expected)
    assert scores.rank_error(probability, truth) == pytest.approx(metrics.mean_absolute_error(truth, named))


def test_scores_of_classes(classes):
    probability, truth = classes
    named = probability.argmax(axis=1)

    assert scores.accuracy(probability, truth) == pytest.approx(metrics.accuracy_score(truth, named))
    assert scores.balanced_accuracy(probability, truth) == pytest.approx(metrics.balanced_accuracy_score(truth, named))
    assert scores.macro_f1(probability, truth) == pytest.approx(metrics.f1_score(truth, named, average="macro"))
    areas = [metrics.roc_auc_score(truth == k, probability[:, k]) for k in range(probability.shape[1])]
    assert scores.auroc(probability, truth) == pytest.approx(np.mean(areas))


def test_a_class_that_is_absent_is_in_no_mean_of_recalls_and_areas():
    probability, truth = np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.6, 0.3, 0.1]]), np.array([0, 1, 1])

    assert scores.balanced_accuracy(probability, truth) == pytest.approx((1 + 0.5) / 2)
    assert scores.auroc(probability, truth) == 1.0


def test_what_is_not_defined_is_nan():
    constant = np.ones(4)

    assert np.isnan(scores.r_squared(np.arange(4.0), constant))
    assert np.isnan(scores.spearman(constant, np.arange(4.0)))
    assert np.isnan(scores.auroc(np.full((4, 2), 0.5), np.zeros(4, dtype=int)))
