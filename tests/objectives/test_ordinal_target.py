"""Classes with an order: proportional odds against SciPy's logistic distribution, and what the order is good for."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.stats import logistic

from aam.batch import TARGET, Encoding, SampleEncoding
from aam.config.model import ModelConfig
from aam.objectives.target import ClassificationTarget
from aam.objectives.target_kinds import OrdinalTarget
from conftest import make_batch, make_study

CONFIG = ModelConfig(embedding_dim=4, attention_heads=2, attention_layers=1, dropout=0.0)
STAGES = ["none", "mild", "moderate", "severe", "fatal"]


def encoding_of(features):
    samples = SampleEncoding(torch.zeros(2, 4), torch.arange(3), torch.zeros(2, 4))
    return Encoding(samples, target_features=torch.as_tensor(features, dtype=torch.float32))


def batch_of(truth):
    return dataclasses.replace(make_batch(make_study(n_samples=2)), targets={TARGET: torch.as_tensor(truth)})


def test_probabilities_are_differences_of_the_logistic_distribution():
    target = OrdinalTarget(CONFIG, "stage", STAGES).double()
    torch.nn.init.normal_(target.steps)
    score = torch.linspace(-4, 4, 7, dtype=torch.float64)[:, None]

    probability = target.log_probabilities(score).exp().detach().numpy()

    below = logistic.cdf(np.array([-np.inf, *target.thresholds(), np.inf]) - score.numpy())
    np.testing.assert_allclose(probability, np.diff(below, axis=1), atol=1e-14)
    np.testing.assert_allclose(probability.sum(axis=1), 1)


def test_at_first_all_classes_are_as_likely():
    target = OrdinalTarget(CONFIG, "stage", STAGES)

    probability = target.log_probabilities(torch.zeros(1, 1)).exp()

    torch.testing.assert_close(probability, torch.full((1, 5), 0.2))


@pytest.mark.parametrize("score", [-200.0, 200.0])
def test_a_score_far_from_all_thresholds_has_a_finite_loss_and_gradient(score):
    target = OrdinalTarget(CONFIG, "stage", STAGES)
    scores = torch.full((5, 1), score, requires_grad=True)

    loss = target.loss(target.log_probabilities(scores), batch_of(np.arange(5)))
    loss.backward()

    assert loss.isfinite()
    assert scores.grad.isfinite().all()


def test_two_classes_are_a_logistic_regression():
    target = OrdinalTarget(CONFIG, "stage", ["no", "yes"])

    probability = target.log_probabilities(torch.tensor([[0.7]])).exp()

    assert probability[0].tolist() == pytest.approx([logistic.cdf(-0.7), logistic.cdf(0.7)])


def test_a_higher_score_never_makes_a_lower_class_likelier():
    target = OrdinalTarget(CONFIG, "stage", STAGES)
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
    target, batch = kind(CONFIG, "stage", STAGES), batch_of(label[few])
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
