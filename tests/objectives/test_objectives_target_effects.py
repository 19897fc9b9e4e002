"""What each option of the network's head does to predictions, on features that stay as they are."""

import dataclasses

import numpy as np
import pytest
import torch

from aam.batch import CATEGORY, SCALING, TARGET, WEIGHT, Encoding, SampleEncoding
from aam.config.model import ModelConfig
from aam.config.target import ClassConfig, NetworkHeadConfig, NumberConfig
from aam.objectives.target import ClassificationTarget, RegressionTarget, TargetStatistics
from aam.target_transform import TargetTransform
from helpers.studies import make_batch, make_study

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
        loss = "huber" if over == under else "asymmetric"
        target, batch = number(loss_type=loss, over_penalty=over, under_penalty=under), batch_of(truth)
        means[over, under] = target.in_own_units(learn(target, features, batch), batch).mean().item()

    assert means[5.0, 1.0] < means[1.0, 1.0] - 0.2
    assert means[1.0, 5.0] > means[1.0, 1.0] + 0.2


def test_quantiles_hold_their_shares_where_the_spread_differs():
    rng = np.random.default_rng(1)
    features = rng.normal(size=(N, 8))
    truth = features[:, 0] + np.exp(features[:, 1] / 2) * rng.normal(size=N)
    target, batch = number(loss_type="quantile", quantiles=(0.05, 0.25, 0.5, 0.9, 0.95)), batch_of(truth)

    outputs = learn(target, features, batch)

    columns = {name: column.numpy() for name, column in target.extra_columns(outputs, batch).items()}
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

    columns = target.extra_columns(outputs, batch)
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
    return ClassificationTarget(
        CONFIG,
        "y",
        ["a", "b"],
        NetworkHeadConfig(classes=ClassConfig(**options)),
        TargetStatistics(class_weights=weights),
    )


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


@pytest.fixture(scope="module")
def known():
    """Features that say a value from 2 to 12, evenly spread."""
    rng = np.random.default_rng(4)
    features = rng.normal(size=(N, 8))
    return features, 7 + 5 * np.tanh(features[:, 0])


@pytest.mark.parametrize("transform", [OWN, TargetTransform(7.0, 3.0), TargetTransform(2.0, 0.4, is_log=True)])
@pytest.mark.parametrize("loss", ["huber", "quantile"])
def test_bounded_outputs_never_leave_the_range_of_training(known, transform, loss):
    features, truth = known
    options = NetworkHeadConfig(numbers=NumberConfig(bounded_targets=True, loss_type=loss))
    target = RegressionTarget(
        CONFIG, "y", transform, options, TargetStatistics(truth.mean(), (truth.min(), truth.max()))
    )
    batch = batch_of(truth)

    outputs = learn(target, features, batch, steps=150)
    far = target(encoding_of(50 * np.sign(features)), batch).detach()

    inside = target.in_own_units(outputs, batch)
    assert np.corrcoef(inside, truth)[0, 1] > 0.9
    at_the_ends = target.in_own_units(far, batch)
    for own in (at_the_ends, *target.extra_columns(far, batch).values()):
        assert truth.min() <= own.min() <= own.max() <= truth.max()
    assert at_the_ends.max() - at_the_ends.min() > 0.9 * np.ptp(truth)


def test_bounds_are_in_own_units_whatever_the_category():
    transform = TargetTransform(50.0, 30.0, centres=(10.0, 90.0), scales=(2.0, 5.0))
    options = NetworkHeadConfig(numbers=NumberConfig(bounded_targets=True))
    target = RegressionTarget(CONFIG, "y", transform, options, TargetStatistics(50.0, (0.0, 100.0)))
    batch = batch_of(np.zeros(3), **{CATEGORY: np.array([0, 1, -1])})

    for sign, end in ((-1.0, 0.0), (1.0, 100.0)):
        torch.nn.init.constant_(target.linear.bias, sign * 1000)
        own = target.in_own_units(target(encoding_of(np.zeros((3, 8))), batch), batch)
        assert own.tolist() == pytest.approx([end] * 3, abs=1e-4)
        assert 0 <= own.min() <= own.max() <= 100


@pytest.mark.parametrize(("activation", "most"), [("softplus", np.inf), ("exp", np.inf), ("sigmoid", 1.0)])
def test_an_activation_keeps_outputs_positive(activation, most):
    options = NetworkHeadConfig(numbers=NumberConfig(output_activation=activation))
    target = RegressionTarget(CONFIG, "y", OWN, options, TargetStatistics(0.4, (0.1, 0.9)))
    batch = batch_of(np.zeros(40))
    started = target.in_own_units(target(encoding_of(np.zeros((40, 8))), batch), batch)

    torch.nn.init.normal_(target.linear.weight, std=20.0)
    own = target.in_own_units(target(encoding_of(torch.randn(40, 8)), batch), batch)

    torch.testing.assert_close(started, torch.full((40,), 0.4, dtype=torch.float64), rtol=1e-5, atol=0)
    assert 0 <= own.min() <= own.max() <= most
    assert own.isfinite().all()


def test_own_units_far_from_0_are_learned_from_the_median_on():
    truth = 5000 + np.random.default_rng(5).normal(size=N)
    target, batch = (
        RegressionTarget(CONFIG, "y", OWN, fitted=TargetStatistics(float(np.median(truth)))),
        batch_of(truth),
    )

    predicted = target.in_own_units(target(encoding_of(np.zeros((N, 8))), batch), batch)

    assert predicted.mean().item() == pytest.approx(5000, abs=1)


def test_hidden_layers_have_the_widths_that_are_asked_for():
    target = RegressionTarget(CONFIG, "y", OWN, NetworkHeadConfig(regressor_hidden_dims=(7, 5), head_dropout=0.25))

    layers = [layer for layer in target.hidden if isinstance(layer, torch.nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in layers] == [(8, 7), (7, 5), (5, 1)]
    assert [layer.p for layer in target.hidden if isinstance(layer, torch.nn.Dropout)] == [0.25, 0.25]
    assert target.dropout.p == CONFIG.dropout


def test_without_its_linear_map_a_head_still_learns(known):
    features, truth = known
    target, batch = (
        RegressionTarget(CONFIG, "y", TargetTransform(7.0, 3.0), NetworkHeadConfig(regressor_residual=False)),
        batch_of(truth),
    )

    predicted = target.in_own_units(learn(target, features, batch, steps=250), batch)

    assert not any(name.startswith("linear") for name in target.state_dict())
    assert np.corrcoef(predicted, truth)[0, 1] > 0.9


def test_a_head_with_a_linear_map_is_linear_at_first():
    target, batch = (
        RegressionTarget(CONFIG, "y", OWN, NetworkHeadConfig(regressor_hidden_dims=(9, 6))).eval(),
        batch_of(np.zeros(5)),
    )
    features = torch.randn(5, 8)

    torch.testing.assert_close(target(encoding_of(features), batch), target.linear(features))


def test_dropout_of_hidden_layers_is_not_that_of_their_inputs():
    target = RegressionTarget(CONFIG, "y", OWN, NetworkHeadConfig(head_dropout=0.9)).train()
    batch, encoding = batch_of(np.zeros(5)), encoding_of(torch.randn(5, 8))
    torch.testing.assert_close(target(encoding, batch), target(encoding, batch))  # the hidden layer gives nothing yet

    torch.nn.init.normal_(target.hidden[-1].weight)

    assert not torch.equal(target(encoding, batch), target(encoding, batch))


def test_studies_that_measure_differently_are_learned_with_a_scale_each():
    rng = np.random.default_rng(6)
    features, study = rng.normal(size=(N, 8)), np.arange(N) % 2
    truth = np.where(study == 0, features[:, 0], 2 + 3 * features[:, 0])
    errors = []
    for n_scaled in (0, 2):
        target = RegressionTarget(CONFIG, "y", OWN, fitted=TargetStatistics(n_scaled=n_scaled))
        batch = batch_of(truth, **{SCALING: study})
        predicted = target.in_own_units(learn(target, features, batch), batch).numpy()
        errors.append(np.abs(predicted - truth).mean())

    assert errors[1] < 0.2 * errors[0]


def test_a_sample_of_no_category_is_not_scaled():
    target = RegressionTarget(CONFIG, "y", OWN, fitted=TargetStatistics(n_scaled=2))
    torch.nn.init.normal_(target.scaling)
    encoding = encoding_of(torch.randn(3, 8))

    scaled = target(encoding, batch_of(np.zeros(3), **{SCALING: np.array([0, -1, 1])}))
    plain = target(encoding, batch_of(np.zeros(3)))

    assert (scaled == plain).flatten().tolist() == [False, True, False]
