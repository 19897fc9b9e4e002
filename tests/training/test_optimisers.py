"""Optimisers by name, and groups of weights that move at rates of their own."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from aam.config.covariates import CovariatesConfig
from aam.config.model import ModelConfig
from aam.config.training import TrainingConfig, TransferConfig
from aam.models.build import build_covariates, build_encoder, build_predictor
from aam.nn.covariates import CovariateShape
from aam.objectives.target import RegressionTarget
from aam.target_transform import TargetTransform
from aam.training.optimiser import Group, build_optimiser, depths_below_heads, group_parameters, numbered_by_module

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
