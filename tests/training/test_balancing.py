"""Sums of losses: fixed weights, and variances that are learned."""

import math

import pytest
import torch

from aam.training.losses import LossBalance

WEIGHTS = {"a": 1.0, "b": 0.5}
LOSSES = {"a": torch.tensor(40.0), "b": torch.tensor(0.02)}


def test_fixed_weights_add_up_the_losses():
    assert LossBalance(WEIGHTS)(LOSSES).item() == pytest.approx(40 + 0.01)
    assert not list(LossBalance(WEIGHTS).parameters())


def test_log_variances_come_to_rest_at_the_logarithm_of_their_loss():
    balance = LossBalance(WEIGHTS, "uncertainty")
    optimizer = torch.optim.Adam(balance.parameters(), lr=0.1)

    for _ in range(400):
        optimizer.zero_grad()
        balance(LOSSES).backward()
        optimizer.step()

    assert {name: s.item() for name, s in balance.log_variances.items()} == pytest.approx(
        {"a": math.log(40), "b": math.log(0.02)}, abs=0.01
    )


def test_at_rest_losses_of_any_size_weigh_by_their_share():
    balance = LossBalance({"a": 1.0, "b": 1.0}, "uncertainty")
    balance.calibrate(LOSSES)
    losses = {name: loss.clone().requires_grad_() for name, loss in LOSSES.items()}

    balance(losses).backward()

    assert (losses["a"].grad * losses["a"]).item() == pytest.approx(1)
    assert (losses["b"].grad * losses["b"]).item() == pytest.approx(1)


def test_a_loss_of_nothing_does_not_weigh_without_bound():
    balance = LossBalance(WEIGHTS, "uncertainty")
    losses = {"a": torch.tensor(0.0), "b": torch.tensor(1.0)}

    balance.calibrate(losses)

    assert torch.isfinite(balance(losses))
    assert balance.log_variances["a"].item() == 0


def test_epochs_are_compared_by_fixed_weights():
    balance = LossBalance(WEIGHTS, "uncertainty")
    balance.calibrate(LOSSES)

    assert balance.fixed(LOSSES).item() == pytest.approx(40.01)
