"""Try learning rates on training batches, and choose the one at which the loss falls most steeply (Smith 2017)."""

import copy
import itertools
import logging
import math
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from tqdm import tqdm

from aam.batch import Batch
from aam.distributed.ranks import SINGLE_PROCESS, Ranks
from aam.storage.atomic import atomic_path
from aam.training.module import TrainingModule
from aam.training.optimiser import build_optimiser

logger = logging.getLogger(__name__)

LEAST, MOST, N_STEPS = 1e-6, 1.0, 100

_MEMORY = 0.9  # of the running mean of losses

_DIVERGED = 4.0  # times the least loss

_SETTLING = 10  # first steps, of which the mean is still of few losses

_LEAST_STEPS = 2 * _SETTLING


def find_learning_rate(
    module: TrainingModule,
    batches: Iterable[Batch],
    device: torch.device,
    arithmetic: AbstractContextManager,
    path: Path,
    ranks: Ranks = SINGLE_PROCESS,
) -> float:
    """Choose a peak learning rate for a module, whose weights stay the same, and draw the losses it was chosen from.

    Parameters
    ----------
    module
        Module that is not trained yet.
    batches
        Training batches; repeated if they are fewer than `N_STEPS`.
    device
        Device to train on.
    arithmetic
        Context of the forward pass, such as autocast.
    path
        Picture to write.
    ranks
        Ranks that try rates together, each on its part of every batch; the first one's choice is that of all.

    Returns
    -------
    float
        Learning rate; that of the module's config if the loss diverges too early.
    """
    state = copy.deepcopy(module.state_dict())
    with torch.random.fork_rng():
        rates, losses = _try_rates(module.to(device).train(), batches, arithmetic, ranks)
    module.load_state_dict(state)
    module.zero_grad(set_to_none=True)
    if len(rates) < _LEAST_STEPS:
        logger.warning("--find-lr: the loss diverged after %d of %d steps; --lr is used.", len(rates), N_STEPS)
        return module.training_config.lr
    rate = ranks.from_first(steepest_descent(rates, losses))
    if ranks.is_first:
        path.parent.mkdir(exist_ok=True)
        with atomic_path(path) as temporary:
            _draw(rates, losses, rate).savefig(temporary, format="png")
    logger.info("--find-lr: the loss falls most steeply at --lr %.2g (%s).", rate, path)
    return rate


def steepest_descent(rates: np.ndarray, losses: np.ndarray) -> float:
    """Find the learning rate at which the loss falls most steeply, before it reaches its minimum.

    The slope is taken against the logarithm of the rate. The first `_SETTLING` steps do not count.

    Parameters
    ----------
    rates
        Learning rates, increasing, float [N].
    losses
        Running mean of the loss at each rate, float [N].

    Returns
    -------
    float
        One of the rates.

    Examples
    --------
    >>> rates = np.geomspace(1e-6, 1, 100)
    >>> round(np.log10(steepest_descent(rates, -np.tanh(np.log10(rates) + 3))))
    -3
    """
    least = _SETTLING + int(np.argmin(losses[_SETTLING:]))
    slope = np.gradient(losses, np.log(rates))[_SETTLING : least + 1]
    return float(rates[_SETTLING + int(np.argmin(slope))])


def _try_rates(
    module: TrainingModule, batches: Iterable[Batch], arithmetic: AbstractContextManager, ranks: Ranks
) -> tuple[np.ndarray, np.ndarray]:
    """Train with a rate that rises each step; return the rates and the running means of the loss, up to divergence, [N] each."""
    optimiser = build_optimiser(module.training_config, module.parameter_groups())
    peaks = [group["lr"] / module.training_config.lr for group in optimiser.param_groups]
    rates = np.geomspace(LEAST, MOST, N_STEPS)
    mean, means = 0.0, []
    for step, batch in enumerate(
        tqdm(itertools.islice(_again(batches), N_STEPS), "learning rates", N_STEPS, disable=None)
    ):
        for group, peak in zip(optimiser.param_groups, peaks, strict=True):
            group["lr"] = peak * rates[step]
        optimiser.zero_grad()
        with arithmetic:
            loss = module.total_loss(batch.to(module.device))[0]
        mean = _MEMORY * mean + (1 - _MEMORY) * loss.item()
        means.append(mean / (1 - _MEMORY ** (step + 1)))
        if not math.isfinite(means[-1]) or means[-1] > _DIVERGED * min(means):
            break
        loss.backward()
        ranks.average_gradients(module)
        module.configure_gradient_clipping(optimiser)
        optimiser.step()
    n = len(means) - (not math.isfinite(means[-1]))
    return rates[:n], np.array(means[:n])


def _again(batches: Iterable[Batch]) -> Iterable[Batch]:
    while True:
        yield from batches


def _draw(rates: np.ndarray, losses: np.ndarray, chosen: float) -> Figure:
    figure = Figure(figsize=(5, 4), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    axes.plot(rates, losses)
    axes.axvline(chosen, color="#b03a2e", linestyle="--", label=f"{chosen:.2g}")
    axes.set(xscale="log", xlabel="learning rate", ylabel="running mean of the training loss")
    axes.legend(frameon=False)
    return figure
