"""Optimisers by name, groups of weights at rates of their own, and the learning rate over a run."""

import copy
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, CosineAnnealingWarmRestarts, LambdaLR, OneCycleLR

from aam.config.covariates import CovariatesConfig
from aam.config.model import ModelConfig
from aam.config.training import OptimisationConfig, TrainingConfig, TransferConfig
from aam.models.build import build_covariates, build_encoder, build_predictor
from aam.nn.covariates import CovariateShape
from aam.objectives.target import RegressionTarget
from aam.target_transform import TargetTransform
from aam.training.optimiser import (
    Group,
    build_optimiser,
    depths_below_heads,
    group_parameters,
    is_of_metadata,
    numbered_by_module,
    one_cycle,
    rate_factor_of,
    warmup_cosine,
)

PRETRAINED = Path("pretrained")  # is not read here
SHAPE = ModelConfig(embedding_dim=8, attention_heads=2, attention_layers=2, ffn_ratio=1.5, max_bp=11)


def rates_of(model, transfer, training=None):
    """Give the rate and the first epoch of each parameter, by name."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = group_parameters(model, SHAPE, training or TrainingConfig(lr=0.1), transfer)
    return {names[id(p)]: (group.lr, group.first_epoch) for group in groups for p in group.parameters}


def test_each_block_learns_more_slowly_and_begins_later_than_the_one_above():
    model = build_encoder(SHAPE, ["nucleotides"])

    rates = rates_of(model, TransferConfig(pretrained=PRETRAINED, head_lr=0.5, layer_decay=0.5, unfreeze_epochs=3))

    for name, depth in depths_below_heads(model, SHAPE).items():
        assert rates[name] == (pytest.approx(0.1 * 0.5 ** (depth - 1)) if depth else 0.5, 3 * depth)


def test_by_default_all_learn_alike_from_the_start():
    model = build_encoder(SHAPE, ["nucleotides"])

    assert set(rates_of(model, TransferConfig()).values()) == {(0.1, 0)}


@pytest.mark.parametrize(("category_lr", "expected"), [(None, 0.5), (0.9, 0.9)])
def test_what_metadata_add_learns_at_its_own_rate_or_as_the_heads(category_lr, expected):
    options = CovariatesConfig(categorical_columns=("city",), categorical_fusion="gmu")
    base, target = build_encoder(SHAPE, []), RegressionTarget(SHAPE, "age", TargetTransform())
    model = build_predictor(
        base, target, (), conditioning=build_covariates(SHAPE, CovariateShape([3], [-1], 0), options)
    )

    rates = rates_of(
        model, TransferConfig(pretrained=PRETRAINED, head_lr=0.5, category_lr=category_lr, unfreeze_epochs=2)
    )

    of_metadata = {name for name in rates if name.startswith("conditioning.")}
    assert {"conditioning.vectors.tables.0", "conditioning.fusion.gate.weight"} <= of_metadata
    assert {rates[name] for name in of_metadata} == {(expected, 0)}
    assert rates["objectives.target.linear.weight"] == (0.5, 0)


def test_frozen_weights_are_in_no_group():
    model = build_encoder(SHAPE, ["nucleotides"])
    model.asv_encoder.requires_grad_(False)

    assert not any(name.startswith("asv_encoder") for name in rates_of(model, TransferConfig()))


def problem(optimizer, steps=40, rate=0.05):
    """Minimise a quadratic form of a matrix and a vector; give the losses, the weights and the optimiser."""
    torch.manual_seed(0)
    matrix, vector = nn.Parameter(torch.randn(4, 6)), nn.Parameter(torch.randn(5))
    config = TrainingConfig(optimizer=optimizer, lr=rate, precision="32-true")
    groups = [Group([matrix], rate, 0.0, 0, True), Group([vector], rate, 0.0, 0, False)]
    optimiser = build_optimiser(config, groups)
    losses = [step(optimiser, matrix, vector) for _ in range(steps)]
    return losses, (matrix, vector), optimiser


def step(optimiser, matrix, vector):
    optimiser.zero_grad()
    loss = (matrix - 1).square().sum() + (vector + 1).square().sum()
    loss.backward()
    optimiser.step()
    return loss.item()


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "muon"])
def test_every_optimiser_learns(optimizer):
    losses, _, _ = problem(optimizer, steps=60, rate=0.2)

    assert losses[-1] < 0.2 * losses[0]


def test_muons_step_of_a_matrix_is_orthogonal_and_that_of_a_vector_adamws():
    _, (_, muons), optimiser = problem("muon", steps=1)
    _, (_, adamws), _ = problem("adamw", steps=1)

    torch.testing.assert_close(muons, adamws)
    torch.manual_seed(0)
    before = torch.randn(4, 6)
    moved = before - optimiser.param_groups[0]["params"][0].detach()
    singular = torch.linalg.svdvals(moved)
    assert singular.max() < 2 * singular.min()  # five steps of Newton and Schulz come near


def test_muon_follows_the_rates_of_its_groups():
    _, (matrix, vector), optimiser = problem("muon", steps=1)
    before = matrix.detach().clone(), vector.detach().clone()
    optimiser.param_groups[0]["lr"] = 0.0

    step(optimiser, matrix, vector)

    assert torch.equal(matrix, before[0])
    assert not torch.equal(vector, before[1])


def test_muon_continues_from_its_state_to_the_bit():
    _, (matrix, vector), optimiser = problem("muon", steps=3)
    saved = copy.deepcopy(optimiser.state_dict())
    _, others, other = problem("muon", steps=0)
    with torch.no_grad():
        others[0].copy_(matrix)
        others[1].copy_(vector)
    other.load_state_dict(saved)

    for _ in range(3):
        step(optimiser, matrix, vector)
        step(other, *others)

    assert torch.equal(matrix, others[0])
    assert torch.equal(vector, others[1])


def test_a_state_is_numbered_by_the_module_and_that_of_a_weight_at_rest_is_zeros():
    module = nn.Module()
    module.matrix, module.unused = nn.Parameter(torch.ones(4, 6)), nn.Parameter(torch.ones(5))
    groups = [Group([module.unused], 0.1, 0.0, 0, False), Group([module.matrix], 0.1, 0.0, 0, False)]
    optimiser = build_optimiser(TrainingConfig(precision="32-true"), groups)
    module.matrix.square().sum().backward()
    optimiser.step()
    plain = copy.deepcopy(optimiser.state_dict())

    numbered = numbered_by_module(plain, optimiser, module)

    assert [group["params"] for group in numbered["param_groups"]] == [[1], [0]]
    assert torch.equal(numbered["state"][0]["exp_avg"], plain["state"][1]["exp_avg"])
    assert {name: part.tolist() for name, part in numbered["state"][1].items()} == {
        "step": 0.0, "exp_avg": [0.0] * 5, "exp_avg_sq": [0.0] * 5,
    }  # fmt: skip
    optimiser.load_state_dict(numbered)
    assert torch.equal(optimiser.state[module.matrix]["exp_avg"], plain["state"][1]["exp_avg"])


def test_depth_grows_from_the_heads_to_the_nucleotides():
    model = build_predictor(
        build_encoder(SHAPE, ["nucleotides"]), RegressionTarget(SHAPE, "age", TargetTransform(44.0, 20.0)), []
    )

    depths = depths_below_heads(model, SHAPE)

    expected = {
        "objectives.target.linear.weight": 0,
        "pooling.query": 0,
        "base_model.objectives.nucleotides.head.0.weight": 0,
        "base_model.pooling.query": 1,
        "base_model.scale": 1,
        "base_model.encoder.norm.weight": 1,
        "base_model.encoder.blocks.1.feed_forward.1.weight": 1,
        "base_model.encoder.blocks.0.feed_forward.1.weight": 2,
        "base_model.sample_encoder.transformer.blocks.1.attention_norm.weight": 3,
        "base_model.sample_encoder.transformer.blocks.0.attention_norm.weight": 4,
        "base_model.sample_encoder.counts.embedding.0.weight": 4,
        "base_model.asv_encoder.pooling.query": 5,
        "base_model.asv_encoder.transformer.blocks.0.attention_norm.weight": 6,
        "base_model.asv_encoder.stem.in_patch": 6,
    }
    assert {name: depths[name] for name in expected} == expected
    assert set(depths) == {name for name, _ in model.named_parameters()}


def test_an_encoder_alone_has_the_depths_of_a_base():
    encoder = build_encoder(SHAPE, ["nucleotides"])
    model = build_predictor(encoder, RegressionTarget(SHAPE, "age", TargetTransform(44.0, 20.0)), [])

    alone, within = depths_below_heads(encoder, SHAPE), depths_below_heads(model, SHAPE)

    assert {f"base_model.{name}": depth for name, depth in alone.items()}.items() <= within.items()


def test_what_metadata_add_is_as_near_as_the_heads_and_is_told_from_them():
    options = CovariatesConfig(categorical_columns=("city",), numeric_columns=("age",), categorical_fusion="perceiver")
    base, target = build_encoder(SHAPE, []), RegressionTarget(SHAPE, "age", TargetTransform(44.0, 20.0))
    model = build_predictor(
        base, target, (), conditioning=build_covariates(SHAPE, CovariateShape([3], [-1], 1), options)
    )

    depths = depths_below_heads(model, SHAPE)

    of_metadata = {name for name in depths if is_of_metadata(name)}
    assert of_metadata == {f"conditioning.{name}" for name, _ in model.conditioning.named_parameters()}
    assert {depths[name] for name in of_metadata} == {0}


def rates(schedule_of, n_steps, peak=0.3):
    """Give the learning rate that an optimiser has at each step."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=peak)
    schedule, seen = schedule_of(optimizer), []
    for _ in range(n_steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return seen


def test_after_the_warm_up_it_is_torchs_cosine():
    n_steps, n_warmup = 50, 10

    ours = rates(lambda optimizer: LambdaLR(optimizer, warmup_cosine(n_steps, 0.2)), n_steps)

    torchs = rates(lambda optimizer: CosineAnnealingLR(optimizer, T_max=n_steps - n_warmup), n_steps - n_warmup)
    assert ours[n_warmup:] == pytest.approx(torchs, abs=1e-12)


def test_the_warm_up_rises_by_equal_steps_to_the_peak():
    ours = rates(lambda optimizer: LambdaLR(optimizer, warmup_cosine(50, 0.2)), 10, peak=1.0)

    assert ours == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])


def test_without_a_warm_up_the_first_step_is_the_peak():
    assert warmup_cosine(20, 0.0)(0) == 1.0


def test_a_run_of_one_step_learns_with_the_peak():
    assert warmup_cosine(1, 0.1)(0) == 1.0


@settings(max_examples=100, deadline=None)
@given(n_steps=st.integers(1, 400), fraction=st.floats(0, 0.99))
def test_it_rises_then_falls_and_every_step_learns_something(n_steps, fraction):
    share = warmup_cosine(n_steps, fraction)

    shares = [share(step) for step in range(n_steps)]

    top = shares.index(max(shares))
    assert max(shares) == 1.0
    assert all(0 < value <= 1 for value in shares)
    assert shares[:top] == sorted(shares[:top])
    assert shares[top:] == sorted(shares[top:], reverse=True)


@pytest.mark.parametrize("step", [10, 11, 1000])
def test_after_the_last_step_it_stays_at_zero(step):
    assert math.isclose(warmup_cosine(10, 0.2)(step), 0, abs_tol=1e-15)


def test_restarts_are_torchs_after_the_warm_up():
    config = OptimisationConfig(schedule="restarts", cycles=3, warmup_fraction=0.1)

    ours = rates(lambda optimizer: LambdaLR(optimizer, rate_factor_of(config, 100)), 100)

    assert ours[10:] == pytest.approx(rates(lambda optimizer: CosineAnnealingWarmRestarts(optimizer, T_0=30), 90))


@pytest.mark.parametrize(("n_steps", "fraction"), [(20, 0.3), (57, 0.5), (11, 0.1)])
def test_one_cycle_is_torchs(n_steps, fraction):
    ours = rates(lambda optimizer: LambdaLR(optimizer, one_cycle(n_steps, fraction)), n_steps)

    torchs = rates(
        lambda optimizer: OneCycleLR(optimizer, 0.3, n_steps, pct_start=fraction, cycle_momentum=False), n_steps - 1
    )
    assert ours[:-1] == pytest.approx(torchs)
    assert ours[-1] == pytest.approx(0.3 / 25e4)


def test_a_constant_rate_stays_at_its_peak_after_the_warm_up():
    share = rate_factor_of(OptimisationConfig(schedule="constant", warmup_fraction=0.2), 10)

    assert [share(step) for step in range(10)] == [0.5] + [1.0] * 9
