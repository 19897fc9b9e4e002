"""Several numeric columns, each as it would be alone, and classes with an order."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.stats import logistic

from aam.batch import CATEGORY, SCALING, TARGET, WEIGHT, Batch, Encoding, SampleEncoding
from aam.config.model import ModelConfig
from aam.config.target import NetworkHeadConfig, NumberConfig
from aam.metrics.regression import regression_metrics
from aam.models.build import build_encoder, build_predictor
from aam.objectives.objective import ValidationSummary
from aam.objectives.target import ClassificationTarget, RegressionTarget, TargetStatistics
from aam.objectives.target_kinds import JointRegression, OrdinalTarget
from aam.target_transform import TargetTransform
from helpers.studies import make_batch, make_study

CONFIG = ModelConfig(embedding_dim=8, attention_heads=2, attention_layers=1, ffn_ratio=1.5, dropout=0.0, max_bp=11)
AGES = np.array([31.0, np.nan, 22.0, 75.0, 58.0])
LOADS = np.array([0.0, 900.0, np.nan, 12.0, 40.0])
LOG = TargetTransform(3.0, 2.0, is_log=True)
AGE = TargetTransform(45.0, 20.0, centres=(40.0, 50.0), scales=(18.0, 22.0))
BY_SITE = np.array([[0, 1], [1, 1], [-1, 0], [0, -1], [1, 0]])
QUANTILES = NetworkHeadConfig(numbers=NumberConfig(loss_type="quantile"))


def age_head(options=QUANTILES):
    return RegressionTarget(CONFIG, "age", AGE, options, TargetStatistics(guess=40.0, n_scaled=2))


def load_head(options=QUANTILES):
    return RegressionTarget(CONFIG, "load.ml", LOG, options, TargetStatistics(guess=20.0, n_scaled=2))


def batch_of(truth, category=BY_SITE):
    given = {TARGET: truth, CATEGORY: category, SCALING: category, WEIGHT: np.array([1.0, 2.0, 0.5, 1.0, 0.5])}
    return make_batch(make_study(n_samples=5), targets={name: lambda packed, v=v: v for name, v in given.items()})


def predictor(target):
    torch.manual_seed(5)
    return build_predictor(build_encoder(CONFIG, []), target, []).double()


def of_one(batch: Batch, place: int, rows=slice(None)) -> Batch:
    targets = {n: v[rows, place] if v.ndim == 2 else v[rows] for n, v in batch.targets.items()}
    return dataclasses.replace(batch, targets=targets)


def stirred(*heads):
    """Let nothing be zero that training would move."""
    for head in heads:
        for weight in head.parameters():
            torch.nn.init.normal_(weight, std=0.3)
    return heads


def test_each_column_is_predicted_by_its_head_alone():
    joint = JointRegression(stirred(age_head(), load_head()), [2.0, 0.5]).double()
    model, batch = predictor(joint), batch_of(np.stack([AGES, LOADS], axis=1))
    encoding = model(batch)

    outputs = joint(encoding, batch)

    own, further = joint.in_own_units(outputs, batch), joint.extra_columns(outputs, batch)
    assert own.shape == (5, 2)
    assert list(further) == ["lower:age", "upper:age", "lower:load.ml", "upper:load.ml"]
    for place, head in enumerate(joint.heads):
        alone = of_one(batch, place)
        of_head = head(encoding, alone)
        assert torch.equal(own[:, place], head.in_own_units(of_head, alone))
        for name, values in head.extra_columns(of_head, alone).items():
            assert torch.equal(further[f"{name}:{head.column}"], values)


def test_the_loss_is_the_sum_over_the_values_that_there_are():
    joint = JointRegression(stirred(age_head(), load_head()), [2.0, 0.5]).double()
    batch = batch_of(np.stack([AGES, LOADS], axis=1))
    outputs = joint(predictor(joint)(batch), batch)

    loss = joint.loss(outputs, batch)

    expected, weights = 0.0, batch.targets[WEIGHT]
    for place, (head, part) in enumerate(zip(joint.heads, outputs.split(3, dim=1), strict=True)):
        rows = ~batch.targets[TARGET][:, place].isnan()
        losses = head.losses(part[rows], of_one(batch, place, rows))
        expected += [2.0, 0.5][place] * (losses * weights[rows]).sum() / 5
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)


def test_a_column_that_a_batch_lacks_wholly_leaves_the_gradients_of_the_other_as_they_are():
    ages = AGES.copy()
    ages[1] = 50.0
    (age, load) = stirred(age_head(), load_head())
    single, joint = predictor(age).double(), None
    batch = batch_of(np.stack([ages, np.full(5, np.nan)], axis=1))
    alone = of_one(batch, 0)
    age.loss(age(single(alone), alone), alone).backward()
    expected = {
        name: weight.grad.clone() for name, weight in single.base_model.named_parameters() if weight.grad is not None
    }
    of_head = [weight.grad.clone() for weight in age.parameters()]
    single.zero_grad()

    joint = JointRegression([age, load], [1.0, 3.0]).double()
    model = build_predictor(single.base_model, joint, [])
    model.pooling.load_state_dict(single.pooling.state_dict())
    model.double()
    loss = joint.loss(joint(model(batch), batch), batch)
    loss.backward()

    assert expected
    for name, gradient in expected.items():
        torch.testing.assert_close(dict(model.base_model.named_parameters())[name].grad, gradient, rtol=0, atol=1e-14)
    for weight, gradient in zip(age.parameters(), of_head, strict=True):
        torch.testing.assert_close(weight.grad, gradient, rtol=0, atol=1e-14)
    assert all(not weight.grad.any() for weight in load.parameters())


def test_metrics_are_of_each_column_over_the_samples_that_have_it():
    joint = JointRegression([age_head(), load_head()], [2.0, 0.5]).double()
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(9, 2))
    truth[[1, 4], 0] = np.nan
    truth[:3, 1] = np.nan  # none in the first part
    predicted = truth + rng.normal(size=(9, 2))
    predicted[np.isnan(predicted)] = 0.0
    metrics = joint.metrics()
    for part in (slice(0, 3), slice(3, 9)):
        for metric in metrics.values():
            metric.set_dtype(torch.float64).update(torch.from_numpy(predicted[part]), torch.from_numpy(truth[part]))

    for place, column in enumerate(["age", "load_ml"]):
        rows = ~np.isnan(truth[:, place])
        for name, alone in regression_metrics().items():
            own = (torch.from_numpy(values[rows, place]) for values in (predicted, truth))
            alone.set_dtype(torch.float64).update(*own)
            found = metrics[f"{column}_{name}"]
            torch.testing.assert_close(found.compute().double(), alone.compute().double(), rtol=1e-7, atol=0)
            assert found.higher_is_better is alone.higher_is_better
    assert [name for name in metrics if joint.is_headline(name)] == ["age_r2", "load_ml_r2"]


def test_a_metric_forgets_on_reset():
    metric = JointRegression([age_head(), load_head()], [2.0, 0.5]).metrics()["age_mae"].set_dtype(torch.float64)
    truth = torch.tensor([[1.0, 2.0]])
    metric.update(truth + 5, truth)
    metric.reset()

    metric.update(truth + 1, truth)

    assert metric.compute() == 1.0


def test_the_picture_has_a_panel_for_each_column_and_no_point_for_what_is_missing():
    joint = JointRegression([age_head(), load_head()], [2.0, 0.5])
    truth = torch.from_numpy(np.stack([AGES, LOADS], axis=1))
    overall = ValidationSummary(5, {"age_r2": torch.tensor(0.5), "load_ml_r2": torch.tensor(0.25)})

    figure = joint.draw(torch.zeros(5, 2, dtype=torch.float64), truth, overall)

    assert [axes.get_title() for axes in figure.axes] == ["R² = 0.500, 4 samples shown", "R² = 0.250, 4 samples shown"]
    assert [len(axes.collections[0].get_offsets()) for axes in figure.axes] == [4, 4]


NARROW = ModelConfig(embedding_dim=4, attention_heads=2, attention_layers=1, dropout=0.0)
STAGES = ["none", "mild", "moderate", "severe", "fatal"]


def encoding_of(features):
    samples = SampleEncoding(torch.zeros(2, 4), torch.arange(3), torch.zeros(2, 4))
    return Encoding(samples, target_features=torch.as_tensor(features, dtype=torch.float32))


def labelled_batch(truth):
    return dataclasses.replace(make_batch(make_study(n_samples=2)), targets={TARGET: torch.as_tensor(truth)})


def test_probabilities_are_differences_of_the_logistic_distribution():
    target = OrdinalTarget(NARROW, "stage", STAGES).double()
    torch.nn.init.normal_(target.steps)
    score = torch.linspace(-4, 4, 7, dtype=torch.float64)[:, None]

    probability = target.log_probabilities(score).exp().detach().numpy()

    below = logistic.cdf(np.array([-np.inf, *target.thresholds(), np.inf]) - score.numpy())
    np.testing.assert_allclose(probability, np.diff(below, axis=1), atol=1e-14)
    np.testing.assert_allclose(probability.sum(axis=1), 1)


def test_at_first_all_classes_are_as_likely():
    target = OrdinalTarget(NARROW, "stage", STAGES)

    probability = target.log_probabilities(torch.zeros(1, 1)).exp()

    torch.testing.assert_close(probability, torch.full((1, 5), 0.2))


@pytest.mark.parametrize("score", [-200.0, 200.0])
def test_a_score_far_from_all_thresholds_has_a_finite_loss_and_gradient(score):
    target = OrdinalTarget(NARROW, "stage", STAGES)
    scores = torch.full((5, 1), score, requires_grad=True)

    loss = target.loss(target.log_probabilities(scores), labelled_batch(np.arange(5)))
    loss.backward()

    assert loss.isfinite()
    assert scores.grad.isfinite().all()


def test_two_classes_are_a_logistic_regression():
    target = OrdinalTarget(NARROW, "stage", ["no", "yes"])

    probability = target.log_probabilities(torch.tensor([[0.7]])).exp()

    assert probability[0].tolist() == pytest.approx([logistic.cdf(-0.7), logistic.cdf(0.7)])


def test_a_higher_score_never_makes_a_lower_class_likelier():
    target = OrdinalTarget(NARROW, "stage", STAGES)
    torch.nn.init.normal_(target.steps)

    below = target.log_probabilities(torch.linspace(-5, 5, 50)[:, None]).exp().cumsum(dim=1)

    assert (below.diff(dim=0) <= 1e-6).all()


def rank_error(kind, seed):
    """Train briefly on 60 samples of five classes that follow one feature of eight, and predict 400 others."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(460, 8))
    label = np.searchsorted([-1.2, -0.4, 0.4, 1.2], features[:, 0] + 0.3 * rng.logistic(size=460))
    few, others = slice(0, 60), slice(60, None)
    torch.manual_seed(seed)
    target, batch = kind(NARROW, "stage", STAGES), labelled_batch(label[few])
    optimizer = torch.optim.Adam(target.parameters(), lr=0.03)
    for _ in range(40):
        optimizer.zero_grad()
        target.loss(target(encoding_of(features[few]), batch), batch).backward()
        optimizer.step()
    outputs = target.eval()(encoding_of(features[others]), batch)
    return np.abs(target.in_own_units(outputs, batch).argmax(dim=1).numpy() - label[others]).mean()


def test_the_order_makes_smaller_mistakes_from_few_samples():
    with_order, without = (
        np.mean([rank_error(kind, seed) for seed in range(4)]) for kind in (OrdinalTarget, ClassificationTarget)
    )

    assert with_order < 0.95 * without
