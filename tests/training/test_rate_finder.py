"""The rate at which a loss falls most steeply."""

from contextlib import nullcontext

import numpy as np
import torch

from aam.config.training import TrainingConfig
from aam.training.optimiser import Group
from aam.training.rate_finder import find_learning_rate, steepest_descent

RATES = np.geomspace(1e-6, 1, 100)


def test_a_dip_after_the_loss_has_blown_up_is_not_chosen():
    place = np.log10(RATES)
    losses = 1 - 0.5 / (1 + np.exp(-4 * (place + 4)))
    losses = np.where(place > -2.5, 3.0, losses)
    losses[(place > -1.8) & (place < -1.5)] = 1.0  # steeper than all before

    assert 1e-5 < steepest_descent(RATES, losses) < 1e-3


class Diverging(torch.nn.Linear):
    """A module whose first loss is not finite."""

    training_config = TrainingConfig(lr=0.5, precision="32-true")
    device = torch.device("cpu")

    def parameter_groups(self):
        return [Group(list(self.parameters()), 0.5, 0.0, 0, False)]

    def total_loss(self, batch):
        return self.weight.sum() * float("nan"), {}


def test_a_loss_that_is_never_finite_leaves_the_rate_that_was_asked_for(tmp_path, caplog):
    rate = find_learning_rate(Diverging(2, 1), [torch.zeros(1)], torch.device("cpu"), nullcontext(), tmp_path / "p.png")

    assert rate == 0.5
    assert "diverged after 0 of 100 steps" in caplog.text
    assert not (tmp_path / "p.png").exists()
