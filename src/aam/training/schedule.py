"""The learning rate over a run: a warm-up, and what follows it."""

import math
from collections.abc import Callable

from aam.config.optimisation import OptimisationConfig

Share = Callable[[int], float]
"""Gives the learning rate at a step as a share of its peak."""

ONE_CYCLE_START, ONE_CYCLE_END = 1 / 25, 1 / 25e4
"""Shares at the ends of one cycle, as in PyTorch's OneCycleLR."""


def share_of_peak(config: OptimisationConfig, n_steps: int) -> Share:
    """Give the schedule of a run; a plateau's, which depends on losses, is constant here."""
    if config.schedule == "one-cycle":
        return one_cycle(n_steps, config.warmup_fraction)
    n_cycles = {"cosine": 1, "restarts": config.cycles}.get(config.schedule, 0)
    return warmup_cosine(n_steps, config.warmup_fraction, n_cycles)


def warmup_cosine(n_steps: int, warmup_fraction: float, n_cycles: int = 1) -> Share:
    """Rise linearly, then fall ``n_cycles`` times along a cosine (Loshchilov & Hutter 2017); with none, stay.

    Examples
    --------
    >>> share = warmup_cosine(n_steps=10, warmup_fraction=0.2)
    >>> [round(share(step), 2) for step in (0, 1, 2, 6, 10)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    n_warmup = max(1, round(warmup_fraction * n_steps))

    def share(step: int) -> float:
        if step < n_warmup:
            return (step + 1) / n_warmup
        done = min(1.0, (step - n_warmup) / max(1, n_steps - n_warmup))
        in_cycle = 1.0 if done == 1.0 else done * n_cycles % 1
        return 0.5 * (1 + math.cos(math.pi * in_cycle)) if n_cycles else 1.0

    return share


def one_cycle(n_steps: int, rise_fraction: float) -> Share:
    """Rise and fall along cosines (Smith & Topin 2018).

    Examples
    --------
    >>> share = one_cycle(n_steps=11, rise_fraction=0.5)
    >>> [round(share(step), 2) for step in (0, 5, 10)]
    [0.04, 0.98, 0.0]
    """
    top = rise_fraction * n_steps - 1
    last = n_steps - 1

    def share(step: int) -> float:
        if step <= top:
            return _between(ONE_CYCLE_START, 1.0, step / top if top > 0 else 1.0)
        return _between(1.0, ONE_CYCLE_END, min(1.0, (step - top) / max(1e-9, last - top)))

    return share


def _between(start: float, end: float, done: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * done))


def from_step(share: Share, first: int, step: int) -> float:
    """Give the share of the peak of a group of weights that rests until it is unfrozen."""
    return share(step) if step >= first else 0.0
