"""The rate at which a loss falls most steeply."""

import numpy as np

from aam.training.rate_finder import steepest_descent

RATES = np.geomspace(1e-6, 1, 100)


def test_a_dip_after_the_loss_has_blown_up_is_not_chosen():
    place = np.log10(RATES)
    losses = 1 - 0.5 / (1 + np.exp(-4 * (place + 4)))
    losses = np.where(place > -2.5, 3.0, losses)
    losses[(place > -1.8) & (place < -1.5)] = 1.0  # steeper than all before

    assert 1e-5 < steepest_descent(RATES, losses) < 1e-3
