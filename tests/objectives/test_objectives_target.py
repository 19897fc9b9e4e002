"""The user's target: units, losses and metrics against scikit-learn and SciPy."""

import numpy as np
import pytest
import torch
from scipy import special, stats
from scipy.special import huber
from sklearn import metrics as oracle

from aam.batch import TARGET, WEIGHT, Encoding, SampleEncoding
from aam.config.model import ModelConfig
from aam.config.target import NetworkHeadConfig, NumberConfig
from aam.objectives.objective import ValidationSummary
from aam.objectives.target import ClassificationTarget, RegressionTarget, TargetStatistics
from aam.target_transform import TargetTransform
from helpers.studies import make_batch, make_study

CONFIG = ModelConfig(embedding_dim=8, attention_heads=2, attention_layers=1, dropout=0.5)
AGES = np.array([31.0, 40.0, 22.0, 75.0, 58.0])
SITES = np.array([0, 2, 2, 1, 0])
CLASSES = ["gut", "skin", "tongue"]


def batch_of(truth):
    return make_batch(make_study(n_samples=5), targets={TARGET: lambda packed: truth})


def regression():
    return RegressionTarget(CONFIG, "age", TargetTransform(45.0, 20.0)).double().eval()


def classification():
    return ClassificationTarget(CONFIG, "site", CLASSES).double().eval()


def encoding_of(features):
    samples = SampleEncoding(torch.zeros(20, 8), 4 * torch.arange(6), torch.zeros(5, 8))
    return Encoding(samples, target_features=features)


def computed(metrics, predicted, truth):
    """Update metrics with unequal parts."""
    for metric in metrics.values():
        metric.set_dtype(torch.float64)
        for part in (slice(0, 2), slice(2, None)):
            metric.update(predicted[part], truth[part])
    return {name: metric.compute().item() for name, metric in metrics.items() if name != "confusion"}


@pytest.mark.parametrize(("target", "n_outputs"), [(regression(), 1), (classification(), 3)])
def test_every_sample_gets_its_outputs_from_its_own_features(target, n_outputs):
    features = torch.randn(5, 16, dtype=torch.float64)

    together = target(encoding_of(features), batch_of(AGES))

    order = torch.tensor([4, 1, 0, 3, 2])
    assert together.shape == (5, n_outputs)
    torch.testing.assert_close(
        target(encoding_of(features[order]), batch_of(AGES)), together[order], rtol=0, atol=1e-12
    )


def test_the_regression_loss_is_hubers_in_standard_deviations():
    prediction = torch.tensor([[-0.7], [1.9], [0.0], [-0.4], [0.65]], dtype=torch.float64)

    loss = regression().loss(prediction, batch_of(AGES))

    error = prediction[:, 0].numpy() - (AGES - 45) / 20
    assert np.abs(error).max() > 1 > np.abs(error).min()
    assert loss.item() == pytest.approx(huber(1.0, error).mean())


def test_the_units_of_a_column_do_not_change_its_loss():
    prediction = torch.randn(5, 1, dtype=torch.float64)
    in_days = RegressionTarget(CONFIG, "age", TargetTransform(45.0 * 365, 20.0 * 365))

    loss = in_days.loss(prediction, batch_of(AGES * 365))

    assert loss.item() == pytest.approx(regression().loss(prediction, batch_of(AGES)).item())


def test_predictions_come_back_in_own_units_in_double_precision():
    target = RegressionTarget(CONFIG, "time", TargetTransform(1.7e9, 3.0))

    values = target.in_own_units(torch.tensor([[0.5], [-1.0]], dtype=torch.float32), batch_of(AGES))

    assert values.dtype == torch.float64
    assert values.tolist() == [1.7e9 + 1.5, 1.7e9 - 3.0]


def test_a_perfect_regression_costs_nothing():
    perfect = torch.tensor((AGES - 45) / 20)[:, None]

    predicted, truth = regression().scored(perfect, batch_of(AGES))

    assert regression().loss(perfect, batch_of(AGES)).item() == pytest.approx(0, abs=1e-24)
    torch.testing.assert_close(predicted, truth)
    torch.testing.assert_close(truth, torch.tensor(AGES))


def test_regression_metrics_equal_those_of_the_libraries():
    predicted, truth = regression().scored(torch.randn(5, 1, dtype=torch.float64), batch_of(AGES))

    assert computed(regression().metrics(), predicted, truth) == pytest.approx(
        {
            "r2": oracle.r2_score(truth, predicted),
            "mae": oracle.mean_absolute_error(truth, predicted),
            "rmse": oracle.root_mean_squared_error(truth, predicted),
            "pearson": stats.pearsonr(truth, predicted).statistic,
            "spearman": stats.spearmanr(truth, predicted).statistic,
        }
    )


def test_the_classification_loss_is_scikit_learns_log_loss():
    logits = torch.randn(5, 3, dtype=torch.float64)

    loss = classification().loss(logits, batch_of(SITES))

    assert loss.item() == pytest.approx(oracle.log_loss(SITES, special.softmax(logits.numpy(), axis=1)))


def test_probabilities_are_those_of_the_softmax_and_sum_to_one():
    logits = torch.tensor([[1000.0, 0.0, -1000.0], [0.3, 0.2, 0.1]])

    probability = classification().in_own_units(logits, batch_of(SITES))

    assert probability.dtype == torch.float64
    np.testing.assert_allclose(probability.numpy(), special.softmax(logits.double().numpy(), axis=1), atol=1e-15)


@pytest.mark.parametrize(
    ("truth", "predicted"),
    [
        ([0, 2, 2, 1, 0], [0, 2, 1, 1, 2]),
        ([0, 2, 2, 2, 0], [0, 2, 1, 2, 2]),  # no sample is of a class that was predicted
        ([0, 2, 2, 2, 0], [0, 2, 0, 2, 2]),  # nor was it predicted
    ],
    ids=["all classes", "a class predicted only", "a class nowhere"],
)
def test_classification_metrics_equal_scikit_learns(truth, predicted):
    truth, probability = torch.tensor(truth), torch.eye(3, dtype=torch.float64)[predicted]

    values = computed(classification().metrics(), probability, truth)

    assert values == pytest.approx(
        {
            "accuracy": oracle.accuracy_score(truth, predicted),
            "balanced_accuracy": oracle.recall_score(truth, predicted, average="macro", labels=np.unique(truth)),
            "macro_f1": oracle.f1_score(truth, predicted, average="macro"),
            "auroc": np.mean([oracle.roc_auc_score(truth == k, probability[:, k]) for k in truth.unique()]),
        }
    )


def test_pictures_are_named_after_the_column():
    some = torch.randn(5, dtype=torch.float64), torch.tensor(AGES)
    scatter = regression().draw(*some, ValidationSummary(7, {"r2": torch.tensor(0.25)})).axes[0]
    counts = torch.tensor([[1.0, 0, 1], [0, 1, 0], [0, 1, 1]], dtype=torch.float64)
    confusion = (
        classification().draw(torch.eye(3), torch.arange(3), ValidationSummary(5, {"confusion": counts})).axes[0]
    )

    assert scatter.get_xlabel() == "true age"
    assert scatter.get_title() == "R² = 0.250, 5 of 7 samples shown"
    assert [label.get_text() for label in confusion.get_yticklabels()] == CLASSES
    assert confusion.get_title() == "balanced accuracy = 0.667, n = 5"


def test_a_model_without_a_target_is_our_own_mistake():
    with pytest.raises(AssertionError, match="the model has no target"):
        regression()(encoding_of(None), batch_of(AGES))


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_the_quantile_loss_is_scikit_learns(level):
    options = NumberConfig(loss_type="quantile", quantiles=(0.1, 0.5, 0.9))
    target = RegressionTarget(CONFIG, "age", TargetTransform(), NetworkHeadConfig(numbers=options)).double()
    outputs = torch.randn(5, 3, dtype=torch.float64)

    losses = [
        oracle.mean_pinball_loss(AGES, outputs[:, place].numpy(), alpha=q) for place, q in enumerate(options.quantiles)
    ]

    assert target.loss(outputs, batch_of(AGES)).item() == pytest.approx(np.mean(losses))


@pytest.mark.parametrize(
    ("loss", "expected"),
    [("mse", oracle.mean_squared_error), ("mae", oracle.mean_absolute_error)],
)
def test_losses_of_numbers_are_scikit_learns(loss, expected):
    options = NetworkHeadConfig(numbers=NumberConfig(loss_type=loss))
    target = RegressionTarget(CONFIG, "age", TargetTransform(), options).double()
    outputs = torch.randn(5, 1, dtype=torch.float64)

    assert target.loss(outputs, batch_of(AGES)).item() == pytest.approx(expected(AGES, outputs[:, 0].numpy()))


def test_weighted_classes_and_samples_cost_by_their_weights():
    by_class, by_sample = np.array([0.5, 2.0, 3.0]), np.array([1.0, 0.2, 3.0, 1.0, 0.7])
    target = ClassificationTarget(
        CONFIG, "site", CLASSES, fitted=TargetStatistics(class_weights=tuple(by_class))
    ).double()
    logits = torch.randn(5, 3, dtype=torch.float64)
    batch = make_batch(make_study(n_samples=5), targets={TARGET: lambda _: SITES, WEIGHT: lambda _: by_sample})

    loss = target.loss(logits, batch)

    weights = by_class[SITES] * by_sample
    expected = oracle.log_loss(SITES, special.softmax(logits.numpy(), axis=1), sample_weight=weights, normalize=False)
    assert loss.item() == pytest.approx(expected / 5, rel=1e-6)


def test_weights_of_classes_are_no_part_of_the_model():
    weighted = ClassificationTarget(CONFIG, "site", CLASSES, fitted=TargetStatistics(class_weights=(0.5, 2.0, 3.0)))

    assert weighted.state_dict().keys() == classification().state_dict().keys()
