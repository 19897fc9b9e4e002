"""How metadata meet microbes: each fusion, on samples made up of a few ASVs."""

import dataclasses
import functools

import pytest
import torch

from aam.batch import CATEGORIES, NUMBERS, TARGET, Encoding, SampleEncoding
from aam.config.covariates import CovariatesConfig
from aam.config.model import ModelConfig
from aam.nn.covariates import CovariateConditioning, CovariateShape
from aam.nn.fusion import FUSIONS
from aam.objectives.target import RegressionTarget
from aam.target_transform import TargetTransform
from helpers.studies import make_batch, make_study

CONFIG = ModelConfig(embedding_dim=8, attention_heads=2, attention_layers=1, ffn_ratio=1.5, dropout=0.0)
WIDTH = 16
SHAPE = CovariateShape(sizes=[3, 2], parents=[-1, -1], n_numbers=1)
EACH = pytest.mark.parametrize("name", FUSIONS)


def options(name, **more):
    return CovariatesConfig(categorical_columns=("site", "sex"), categorical_fusion=name, **more)


def conditioning(name, shape=SHAPE, **more):
    torch.manual_seed(1)
    return CovariateConditioning(CONFIG, WIDTH, shape, options(name, **more)).double().eval()


def samples_of(lengths, seed=0):
    """Make ASVs in context, and features that a sample has of them."""
    stream = torch.Generator().manual_seed(seed)
    offsets = torch.tensor([0, *lengths]).cumsum(0)
    context = torch.randn(int(offsets[-1]), 8, generator=stream, dtype=torch.float64)
    means = torch.stack([part.mean(0) for part in context.split(list(lengths))])
    features = torch.cat([means, means.tanh()], dim=1)
    return features, SampleEncoding(context, offsets, means)


def batch_of(categories, numbers, truth=None):
    targets = {CATEGORIES: torch.as_tensor(categories), NUMBERS: torch.as_tensor(numbers, dtype=torch.float64)}
    targets |= {} if truth is None else {TARGET: truth}
    return dataclasses.replace(
        make_batch(make_study(n_samples=2)), targets=targets, sample_index=torch.arange(len(categories))
    )


BATCH = ([[0, 1], [2, 0], [-1, 1]], [[0.5], [float("nan")], [-1.0]])


@EACH
def test_features_keep_their_shape_and_depend_on_every_column(name):
    model, (features, samples) = conditioning(name), samples_of([4, 1, 6])

    with torch.no_grad():
        model.vectors.unknown_numbers[0].fill_(0.3)
        fused = model(features, samples, batch_of(*BATCH))
        others = [
            model(features, samples, batch_of([[1, 1], *BATCH[0][1:]], BATCH[1])),
            model(features, samples, batch_of([[0, 0], *BATCH[0][1:]], BATCH[1])),
            model(features, samples, batch_of(BATCH[0], [[0.7], *BATCH[1][1:]])),
        ]

    assert fused.shape == features.shape
    for other in others:
        assert not torch.allclose(other[0], fused[0])
        torch.testing.assert_close(other[1:], fused[1:], rtol=0, atol=1e-12)


@EACH
def test_the_order_of_asvs_and_the_other_samples_of_the_batch_do_not_matter(name):
    model, (features, samples) = conditioning(name), samples_of([4, 1, 6])
    whole = model(features, samples, batch_of(*BATCH))

    order = torch.cat([torch.randperm(4), torch.tensor([4]), 5 + torch.randperm(6)])
    shuffled = dataclasses.replace(samples, context=samples.context[order])
    alone = SampleEncoding(samples.context[5:], torch.tensor([0, 6]), samples.sample_vectors[2:])

    torch.testing.assert_close(model(features, shuffled, batch_of(*BATCH)), whole)
    last = model(features[2:], alone, batch_of(BATCH[0][2:], BATCH[1][2:]))
    torch.testing.assert_close(last, whole[2:])


@pytest.mark.parametrize("name", ["cross-attention", "perceiver"])
def test_attention_reads_the_asvs_of_the_sample(name):
    model, (features, samples) = conditioning(name), samples_of([4, 1, 6])
    before = model(features, samples, batch_of(*BATCH))

    changed = samples.context.clone()
    changed[0, 0] += 1  # normalisation takes away what all features have
    after = model(features, dataclasses.replace(samples, context=changed), batch_of(*BATCH))

    assert not torch.allclose(after[0], before[0])
    torch.testing.assert_close(after[1:], before[1:], rtol=0, atol=1e-12)


@EACH
def test_every_weight_and_the_microbes_get_a_gradient(name):
    model, (features, samples) = conditioning(name), samples_of([4, 1, 6])
    features.requires_grad_()
    samples.context.requires_grad_()

    model(features, samples, batch_of(*BATCH)).square().sum().backward()

    silent = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not silent
    assert features.grad.abs().sum(dim=1).all()
    assert (samples.context.grad is not None) == (name in ("cross-attention", "perceiver"))


@EACH
def test_no_sample_at_all_is_no_error(name):
    """A rank may have none."""
    model = conditioning(name)
    samples = SampleEncoding(torch.zeros(0, 8).double(), torch.tensor([0]), torch.zeros(0, 8).double())
    batch = batch_of(torch.zeros(0, 2, dtype=torch.int64), torch.zeros(0, 1))

    fused = model(torch.zeros(0, WIDTH).double(), samples, batch)
    fused.sum().backward()

    assert fused.shape == (0, WIDTH)


def problem(kind, n, seed):
    """Simulate samples of three ASVs, and a target that depends on the site, or on what the site makes of the microbes."""
    features, samples = samples_of([3] * n, seed)
    site = torch.randint(2, (n, 1), generator=torch.Generator().manual_seed(seed))
    sign, microbes = 2.0 * site[:, 0] - 1, samples.sample_vectors[:, 0] * 3**0.5
    truth = microbes + 2 * sign if kind == "shift" else sign * microbes
    return features, samples, batch_of(site, torch.zeros(n, 0), truth.double())


def outputs(head, model, features, samples, batch):
    fused = features if model is None else model(features, samples, batch)
    return head(Encoding(samples, target_features=fused), batch)


@functools.cache
def score(name, kind, steps=200):
    """Train on 100 samples, and give R² of 100 others."""
    torch.manual_seed(0)
    head = RegressionTarget(CONFIG, "y", TargetTransform()).double()
    model = None if name is None else conditioning(name, CovariateShape([2], [-1], 0)).train()
    optimizer = torch.optim.Adam([*head.parameters(), *([] if model is None else model.parameters())], lr=0.01)
    some, others = problem(kind, 100, 1), problem(kind, 100, 2)
    for _ in range(steps):
        optimizer.zero_grad()
        head.loss(outputs(head, model, *some), some[2]).backward()
        optimizer.step()
    if model is not None:
        model.eval()
    truth = others[2].targets[TARGET]
    with torch.no_grad():
        error = (head.in_own_units(outputs(head.eval(), model, *others), others[2]) - truth).square().mean()
    return 1 - float(error / truth.var(correction=0))


@pytest.mark.parametrize("kind", ["shift", "sign"])
@EACH
def test_what_depends_on_a_category_or_on_what_it_makes_of_microbes_is_learned(name, kind):
    assert score(None, kind) < 0.2
    assert score(name, kind) > 0.4
