"""The learning rate over a run."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import CosineAnnealingLR, CosineAnnealingWarmRestarts, LambdaLR, OneCycleLR

from aam.config.training import OptimisationConfig
from aam.training.optimiser import one_cycle, rate_factor_of, warmup_cosine


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
