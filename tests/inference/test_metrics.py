"""Reported metrics against scikit-learn and SciPy."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as oracle

from aam.data.target import TargetState
from aam.inference.metrics import evaluate


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
