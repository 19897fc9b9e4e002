"""What each option of the network's head does to predictions, on features that stay as they are."""

import dataclasses

import numpy as np
import pytest
import torch

from aam.config.model import ModelConfig
from aam.config.network_head import ClassConfig, NetworkHeadConfig, NumberConfig
from aam.encoding import Encoding, SampleEncoding
from aam.objectives.target import CATEGORY, TARGET, WEIGHT, ClassificationTarget, RegressionTarget
from aam.target_transform import TargetTransform
from conftest import make_batch, make_study

CONFIG = ModelConfig(embedding_dim=4, attention_heads=2, attention_layers=1, dropout=0.0)
N = 300
OWN = TargetTransform()


def encoding_of(features):
    samples = SampleEncoding(torch.zeros(2, 4), torch.arange(3), torch.zeros(2, 4))
    return Encoding(samples, target_features=torch.as_tensor(features, dtype=torch.float32))


def batch_of(truth, **more):
    targets = {TARGET: torch.as_tensor(truth)} | {name: torch.as_tensor(value) for name, value in more.items()}
    return dataclasses.replace(make_batch(make_study(n_samples=2)), targets=targets)


def learn(target, features, batch, steps=400):
    """Train the head, and give it in evaluation with its outputs."""
    optimizer = torch.optim.Adam(target.parameters(), lr=0.03)
    encoding = encoding_of(features)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 0.03 * (1 - step / steps) + 1e-4
        optimizer.zero_grad()
        target.loss(target(encoding, batch), batch).backward()
        optimizer.step()
    with torch.no_grad():
        return target.eval()(encoding, batch)


def number(transform=OWN, **options):
    return RegressionTarget(CONFIG, "y", transform, NetworkHeadConfig(numbers=NumberConfig(**options)))


@pytest.fixture(scope="module")
def nothing():
    """Features that say nothing, and skewed values."""
    return np.zeros((N, 8)), np.random.default_rng(0).gamma(1.0, size=N)


@pytest.mark.parametrize(("loss", "statistic"), [("mse", np.mean), ("mae", np.median)])
def test_without_knowledge_a_loss_predicts_its_statistic(nothing, loss, statistic):
    features, truth = nothing
    target, batch = number(loss_type=loss), batch_of(truth)

    predicted = target.in_own_units(learn(target, features, batch), batch)

    assert predicted.mean().item() == pytest.approx(statistic(truth), abs=0.03)


def test_penalties_move_predictions_to_the_cheaper_side(nothing):
    features, truth = nothing
    means = {}
    for over, under in ((5.0, 1.0), (1.0, 1.0), (1.0, 5.0)):
        target, batch = number(loss_type="asymmetric", over_penalty=over, under_penalty=under), batch_of(truth)
        means[over, under] = target.in_own_units(learn(target, features, batch), batch).mean().item()

    assert means[5.0, 1.0] < means[1.0, 1.0] - 0.2
    assert means[1.0, 5.0] > means[1.0, 1.0] + 0.2


def test_quantiles_hold_their_shares_where_the_spread_differs():
    rng = np.random.default_rng(1)
    features = rng.normal(size=(N, 8))
    truth = features[:, 0] + np.exp(features[:, 1] / 2) * rng.normal(size=N)
    target, batch = number(loss_type="quantile", quantiles=(0.05, 0.25, 0.5, 0.9, 0.95)), batch_of(truth)

    outputs = learn(target, features, batch)

    columns = {name: column.numpy() for name, column in target.columns(outputs, batch).items()}
    assert list(columns) == ["lower", "upper", "quantile:0.25", "quantile:0.9"]
    assert np.mean((columns["lower"] <= truth) & (truth <= columns["upper"])) == pytest.approx(0.9, abs=0.04)
    assert np.mean(truth <= columns["quantile:0.9"]) == pytest.approx(0.9, abs=0.04)
    wide = features[:, 1] > 0
    widths = columns["upper"] - columns["lower"]
    assert widths[wide].mean() > 1.3 * widths[~wide].mean()


@pytest.mark.parametrize("transform", [TargetTransform(2.0, 3.0), TargetTransform(is_log=True)])
def test_quantiles_never_cross(transform):
    target, batch = number(transform, loss_type="quantile", quantiles=(0.1, 0.3, 0.5, 0.7, 0.9)), batch_of(np.zeros(50))
    torch.nn.init.normal_(target.linear.weight, std=5.0)

    outputs = target(encoding_of(torch.randn(50, 8)), batch)

    columns = target.columns(outputs, batch)
    ordered = [
        columns["lower"],
        columns["quantile:0.3"],
        target.in_own_units(outputs, batch),
        columns["quantile:0.7"],
        columns["upper"],
    ]
    assert (torch.stack(ordered).diff(dim=0) >= 0).all()


def test_a_category_is_learned_as_how_far_a_sample_is_from_its_level():
    rng = np.random.default_rng(2)
    features, site = rng.normal(size=(N, 8)), np.arange(N) % 2
    truth = np.array([10.0, 5000.0])[site] + np.array([1.0, 200.0])[site] * features[:, 0]
    transform = TargetTransform(2500.0, 2500.0, centres=(10.0, 5000.0), scales=(1.0, 200.0))
    target, batch = number(transform), batch_of(truth, **{CATEGORY: site})

    predicted = target.in_own_units(learn(target, features, batch), batch).numpy()

    for level in (0, 1):
        assert np.corrcoef(predicted[site == level], truth[site == level])[0, 1] > 0.99


def test_weights_let_each_category_count_the_same():
    site = np.repeat([0, 1], [270, 30])
    truth, weights = site * 1.0, np.array([300 / (2 * 270), 300 / (2 * 30)])[site]
    means = []
    for more in ({}, {WEIGHT: weights}):
        target, batch = number(loss_type="mse"), batch_of(truth, **more)
        means.append(target.in_own_units(learn(target, np.zeros((N, 8)), batch), batch).mean().item())

    assert means == pytest.approx([0.1, 0.5], abs=0.02)


@pytest.fixture(scope="module")
def rare():
    """A class of one in ten that overlaps with the common one."""
    rng = np.random.default_rng(3)
    label = (np.arange(N) % 10 == 0).astype(np.int64)
    features = rng.normal(size=(N, 8))
    features[:, 0] += 1.5 * label
    return features, label


def classes(weights=(), **options):
    return ClassificationTarget(CONFIG, "y", ["a", "b"], NetworkHeadConfig(classes=ClassConfig(**options)), weights)


def test_balanced_weights_find_more_of_a_rare_class(rare):
    features, label = rare
    recall = []
    for weights in ((), (300 / (2 * 270), 300 / (2 * 30))):
        target, batch = classes(weights), batch_of(label)
        predicted = learn(target, features, batch, steps=60).argmax(dim=1).numpy()
        recall.append((predicted[label == 1] == 1).mean())

    assert recall[1] > recall[0] + 0.2


def test_smoothed_labels_give_less_sure_probabilities(rare):
    features, label = rare
    sure = []
    for smoothing in (0.0, 0.2):
        target, batch = classes(label_smoothing=smoothing), batch_of(label)
        probability = target.in_own_units(learn(target, features, batch), batch)
        sure.append(probability.max(dim=1).values.mean().item())

    assert sure[1] < sure[0] - 0.03
    assert sure[1] < 0.92  # 1 − smoothing / 2, and a little
