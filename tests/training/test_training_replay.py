"""What is not finite in a batch is found: the samples, the part of the model, and the operation of the backward pass."""

import math

import pytest
import torch

from aam.data.batching.batches import BatchPlan
from aam.distributed.ranks import SINGLE_PROCESS
from aam.training.replay import replay_batch
from aam.training.steps import seed_dropout
from helpers.steps import plan

ROWS = (4, 0, 7)


def replay(module, train):
    return replay_batch(module, train.dataset[BatchPlan(0, ROWS)], 0, 1, SINGLE_PROCESS)


def test_a_batch_with_nothing_wrong_is_finite_throughout():
    module, (train, _) = plan()

    found = replay(module, train)

    assert math.isfinite(found.losses["loss"])
    assert found.losses["loss"] == found.losses["target"]
    assert (found.weights, found.first_module, found.backward) == ([], None, None)
    assert found.samples == {"sample vector": [], "target": []}


def test_the_sample_that_spoils_a_loss_is_named():
    def spoil(head, arguments, output):
        return output + torch.where(arguments[1].sample_index == 0, torch.inf, 0.0)[:, None]

    module, (train, _) = plan()
    module.model.target.register_forward_hook(spoil)

    found = replay(module, train)

    assert found.losses == {"target": math.inf, "loss": math.inf}
    assert found.samples == {"sample vector": [], "target": [0]}
    assert found.weights == []


def test_the_sample_whose_vector_is_spoilt_is_named():
    module, (train, _) = plan()
    module.model.base_model.pooling.register_forward_hook(
        lambda _, arguments, output: output * torch.tensor([1.0, 1.0, torch.nan], dtype=output.dtype)[:, None]
    )

    found = replay(module, train)

    assert found.samples == {"sample vector": [7], "target": [7]}
    assert found.first_module == "base_model.pooling"
    assert math.isnan(found.losses["loss"])


def test_weights_are_named():
    module, (train, _) = plan()
    with torch.no_grad():
        module.model.base_model.scale.fill_(torch.nan)

    assert replay(module, train).weights == ["base_model.scale"]


def test_an_operation_whose_gradient_alone_is_spoilt_is_named():
    module, (train, _) = plan()
    module.model.target.register_forward_hook(lambda _, arguments, output: output + (output * 0).sqrt())  # ∞ · 0

    found = replay(module, train)

    assert math.isfinite(found.losses["loss"])
    assert found.first_module is None
    assert found.backward is not None
    assert found.backward.startswith("Function 'MulBackward0' returned nan values in its 0th output (aam/")


def test_dropout_is_that_of_the_batch():
    module, (train, _) = plan()
    module.model.target.dropout.p = 0.5
    batch = train.dataset[BatchPlan(3, ROWS)]
    module.double().train()
    seed_dropout(module.training_config.seed, 3, 1, 0)
    expected = module.total_loss(batch)[0].item()

    assert replay_batch(module, batch, 3, 1, SINGLE_PROCESS).losses["loss"] == expected
    assert replay_batch(module, batch, 3, 2, SINGLE_PROCESS).losses["loss"] != expected


def test_other_errors_are_raised():
    module, (train, _) = plan()
    module.model.target.register_forward_hook(
        lambda _, arguments, output: output.register_hook(lambda _: 1 / 0) and None
    )

    with pytest.raises(ZeroDivisionError):
        replay(module, train)
