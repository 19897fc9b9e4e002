"""Streamed classification metrics against scikit-learn on all predictions at once."""

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn import metrics as oracle
from torchmetrics.classification import MulticlassAUROC

from aam.metrics.classification import BinnedAUROC, classification_metrics


def streamed(metrics, probability, truth, batch_size):
    for metric in metrics.values():
        metric.set_dtype(torch.float64)
        for some, true in zip(torch.tensor(probability).split(batch_size), truth.split(batch_size), strict=True):
            metric.update(some, true)
    return {name: metric.compute() for name, metric in metrics.items()}


def predictions(n, n_classes=4, sharpness=2.0, seed=0):
    stream = np.random.default_rng(seed)
    truth = stream.choice(n_classes, n, p=np.arange(1, n_classes + 1) / np.arange(1, n_classes + 1).sum())
    logits = stream.normal(size=(n, n_classes))
    logits[np.arange(n), truth] += 1
    return softmax(sharpness * logits, axis=1), torch.tensor(truth)


def auroc(probability, truth):
    return np.mean([oracle.roc_auc_score(truth == k, probability[:, k]) for k in np.unique(truth)])


@pytest.mark.parametrize("batch_size", [1, 7, 500])
def test_streamed_metrics_are_those_of_all_predictions_at_once(batch_size):
    probability, truth = predictions(500)

    values = streamed(classification_metrics(4), probability, truth, batch_size)

    predicted = probability.argmax(axis=1)
    assert values.pop("confusion").tolist() == oracle.confusion_matrix(truth, predicted).tolist()
    assert values.pop("auroc").item() == pytest.approx(auroc(probability, truth), abs=1e-3)
    assert {name: value.item() for name, value in values.items()} == pytest.approx(
        {
            "accuracy": oracle.accuracy_score(truth, predicted),
            "balanced_accuracy": oracle.balanced_accuracy_score(truth, predicted),
            "macro_f1": oracle.f1_score(truth, predicted, average="macro"),
        }
    )


@pytest.mark.parametrize("sharpness", [0.01, 1.0, 8.0, 200.0])
@pytest.mark.parametrize("n_bins", [16, 2048])
def test_the_auroc_is_within_the_stated_error(sharpness, n_bins):
    probability, truth = predictions(3000, sharpness=sharpness)
    metric = BinnedAUROC(4, n_bins)

    value = streamed({"auroc": metric}, probability, truth, 100)["auroc"].item()

    assert abs(value - auroc(probability, truth)) <= metric.error_bound() + 1e-12


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 8.0])
def test_by_default_the_auroc_is_wrong_in_the_fourth_digit_at_most(sharpness):
    probability, truth = predictions(3000, sharpness=sharpness)

    value = streamed(classification_metrics(4), probability, truth, 100)["auroc"].item()

    assert value == pytest.approx(auroc(probability, truth), abs=5e-4)


def test_the_auroc_is_torchmetrics_where_bins_hold_one_probability_each():
    stream = np.random.default_rng(0)
    first = stream.choice([0.1, 0.3, 0.6, 0.8], 50)
    probability, truth = np.stack([first, 1 - first], axis=1), torch.tensor(stream.integers(0, 2, 50))

    value = streamed({"auroc": BinnedAUROC(2)}, probability, truth, 9)["auroc"].item()

    expected = MulticlassAUROC(2, thresholds=[0.0, 0.2, 0.4, 0.7, 0.9, 1.0])(torch.tensor(probability), truth)
    assert value == pytest.approx(expected.item())


def test_one_class_alone_has_no_auroc_and_no_warning():
    probability, _ = predictions(9)

    values = streamed(classification_metrics(4), probability, torch.full((9,), 2), 4)

    assert torch.isnan(values.pop("auroc"))
    assert values["accuracy"] == values["balanced_accuracy"]


def test_a_class_without_samples_is_in_no_mean_of_the_auroc():
    probability, truth = predictions(200)
    some = (truth != 2).numpy()

    value = streamed({"auroc": BinnedAUROC(4)}, probability[some], truth[some], 20)["auroc"].item()

    assert value == pytest.approx(auroc(probability[some], truth[some].numpy()), abs=2e-3)


def test_certain_probabilities_are_counted():
    truth = torch.tensor([0, 1, 1, 0])

    value = streamed({"auroc": BinnedAUROC(2)}, np.eye(2)[[0, 1, 1, 1]], truth, 4)["auroc"].item()

    assert value == pytest.approx(oracle.roc_auc_score(truth, [0, 1, 1, 1]))


@pytest.mark.parametrize("name", list(classification_metrics(4)))
def test_halves_of_unequal_size_merge_to_the_whole_in_any_order(name):
    probability, truth = predictions(100)
    order = torch.randperm(100)
    whole = streamed({name: classification_metrics(4)[name]}, probability, truth, 100)[name]
    halves = [classification_metrics(4)[name] for _ in range(2)]
    for metric, part in zip(halves, (order[:13], order[13:]), strict=True):
        metric.set_dtype(torch.float64).update(torch.tensor(probability)[part], truth[part])

    first, second = halves
    first.merge_state(second)

    torch.testing.assert_close(first.compute(), whole)
