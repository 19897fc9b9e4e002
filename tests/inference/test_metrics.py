"""Reported metrics against scikit-learn and SciPy."""

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn import metrics as oracle

from aam.config.model import ModelConfig
from aam.inference.metrics import evaluate
from aam.labels.target import TargetState
from aam.objectives.target import ClassificationTarget, RegressionTarget
from aam.target_transform import TargetTransform


def test_regression_metrics_equal_those_of_the_libraries():
    rng = np.random.default_rng(0)
    truth = rng.normal(50, 9, 17)
    prediction = truth + rng.normal(0, 5, 17)

    computed = evaluate(TargetState("age", "regression", guess=48.0), prediction, truth)

    assert computed == pytest.approx(
        {
            "n": 17,
            "r2": oracle.r2_score(truth, prediction),
            "mae": oracle.mean_absolute_error(truth, prediction),
            "rmse": oracle.root_mean_squared_error(truth, prediction),
            "pearson": stats.pearsonr(prediction, truth).statistic,
            "spearman": stats.spearmanr(prediction, truth).statistic,
            "guess_mae": oracle.mean_absolute_error(truth, np.full(17, 48.0)),
            "guess_r2": oracle.r2_score(truth, np.full(17, 48.0)),
        }
    )


def test_classification_metrics_equal_those_of_the_libraries():
    rng = np.random.default_rng(1)
    truth = np.array([0, 1, 2, 2, 1, 0, 2, 1, 0, 0, 2])
    probability = rng.dirichlet(np.ones(3), 11)
    predicted = probability.argmax(1)
    target = TargetState("site", "classification", guess="skin", classes=("gut", "skin", "tongue"))

    computed = evaluate(target, probability, truth)

    assert computed["accuracy"] == pytest.approx(oracle.accuracy_score(truth, predicted))
    assert computed["balanced_accuracy"] == pytest.approx(oracle.balanced_accuracy_score(truth, predicted))
    assert computed["macro_f1"] == pytest.approx(oracle.f1_score(truth, predicted, average="macro"))
    assert computed["auroc"] == pytest.approx(oracle.roc_auc_score(truth, probability, multi_class="ovr"))
    assert computed["log_loss"] == pytest.approx(oracle.log_loss(truth, probability))
    assert computed["guess_accuracy"] == pytest.approx(3 / 11)
    assert computed["confusion"]["rows_true_columns_predicted"] == oracle.confusion_matrix(truth, predicted).tolist()


def test_constant_predictions_have_no_correlation():
    computed = evaluate(TargetState("age", "regression", guess=1.0), np.ones(4), np.arange(4.0))

    assert np.isnan(computed["pearson"])
    assert np.isnan(computed["spearman"])


def test_a_class_that_is_only_predicted_counts_as_in_the_libraries():
    truth, predicted = np.array([0, 2, 2, 0, 2]), [0, 2, 1, 0, 0]
    target = TargetState("site", "classification", guess="skin", classes=("gut", "skin", "tongue", "nobody's"))

    computed = evaluate(target, np.eye(4)[predicted], truth)

    assert computed["balanced_accuracy"] == pytest.approx(
        oracle.recall_score(truth, predicted, labels=[0, 2], average="macro")
    )
    assert computed["macro_f1"] == pytest.approx(oracle.f1_score(truth, predicted, average="macro"))


def streamed(objective, prediction, truth):
    """Metrics of an objective over unequal batches."""
    metrics = objective.metrics()
    for metric in metrics.values():
        metric.set_dtype(torch.float64)
        for part in (slice(0, 1), slice(1, 30), slice(30, None)):
            metric.update(torch.tensor(prediction[part]), torch.tensor(truth[part]))
    return {name: metric.compute() for name, metric in metrics.items()}


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_training_and_evaluation_name_and_score_numbers_alike(offset):
    rng = np.random.default_rng(2)
    truth = offset + rng.normal(size=150)
    prediction = truth + rng.normal(size=150)

    during = streamed(RegressionTarget(ModelConfig(), "age", TargetTransform(0.0, 1.0)), prediction, truth)

    after = evaluate(TargetState("age", "regression", guess=0.0), prediction, truth)
    assert {name: value.item() for name, value in during.items()} == pytest.approx(
        {name: after[name] for name in during}, rel=1e-9, abs=1e-9
    )


@pytest.mark.parametrize("n_present", [4, 3, 1])
def test_training_and_evaluation_name_and_score_classes_alike(n_present):
    rng = np.random.default_rng(3)
    truth, probability = rng.integers(0, n_present, 150), rng.dirichlet(np.ones(4), 150)
    classes = ("a", "b", "c", "d")

    during = streamed(ClassificationTarget(ModelConfig(), "site", classes), probability, truth)

    after = evaluate(TargetState("site", "classification", guess="a", classes=classes), probability, truth)
    assert during.pop("confusion").tolist() == after["confusion"]["rows_true_columns_predicted"]
    assert during.pop("auroc").item() == pytest.approx(after["auroc"], abs=1e-3, nan_ok=True)
    assert {name: value.item() for name, value in during.items()} == pytest.approx(
        {name: after[name] for name in during}
    )


@pytest.mark.parametrize("value", [0.1, 1e6 + 0.1])
def test_a_constant_truth_has_no_r_squared(value):
    rng = np.random.default_rng(4)

    computed = evaluate(TargetState("age", "regression", guess=1.0), rng.normal(size=7), np.full(7, value))

    assert np.isnan([computed[name] for name in ("r2", "pearson", "spearman", "guess_r2")]).all()
