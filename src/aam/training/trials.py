"""Steps that are tried before training, to see of how many samples memory holds one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from aam.batch import Batch
from aam.distributed.ranks import Ranks
from aam.training.memory import fits
from aam.training.module import TrainingModule
from aam.training.optimiser import build_optimiser
from aam.training.precision import autocast, device_type, kernel_of_attention, weight_type


def largest_that_fits(fits: Callable[[int], bool], least: int, most: int) -> int | None:
    """Find the largest number that fits, where whatever is smaller than one that fits does, too; None if the least does not.

    Examples
    --------
    >>> largest_that_fits(lambda n: n <= 37, least=2, most=1000)
    37
    """
    held, tried = None, least
    while fits(tried):
        held, tried = tried, min(2 * tried, most)
        if held == tried:
            return held
    if held is None:
        return None
    while tried - held > 1:
        middle = (held + tried) // 2
        held, tried = (middle, tried) if fits(middle) else (held, middle)
    return held


@contextmanager
def trying(module: TrainingModule, budget: float, ranks: Ranks) -> Iterator[Callable[[Batch], bool]]:
    """Give a function that says whether memory holds a step on a batch: forwards, backwards, and of the optimiser, on all ranks.

    Parameters
    ----------
    module
        A copy of what will be trained; its weights change.
    budget
        Bytes that it may take of a GPU.
    ranks
        Who tries together, each on its part of the batch.
    """
    config = module.training_config
    device, arithmetic = torch.device(device_type()), autocast(config)

    def step(batch: Batch) -> None:
        module.train().to(device, weight_type(config))
        optimiser = build_optimiser(config, module.parameter_groups())
        for _ in range(2):  # from the second on, the state of the optimiser is there while gradients are computed
            module.zero_grad(set_to_none=True)
            with arithmetic:
                loss = module.total_loss(batch.to(device))[0]
            loss.backward()
            ranks.average_gradients(module)
            module.configure_gradient_clipping(optimiser)
            optimiser.step()

    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices), kernel_of_attention(config), _limited_to(budget):
        yield lambda batch: fits(lambda: step(batch), ranks.strategy is not None)


def free_on_gpu() -> float:
    """Give the bytes of the GPU that this process may take: those that are free, and those that it has."""
    free, _ = torch.cuda.mem_get_info()
    return float(free + torch.cuda.memory_reserved())


@contextmanager
def _limited_to(budget: float) -> Iterator[None]:
    """Let the GPU have no more memory than that; then let go of all that was taken."""
    if not torch.cuda.is_available():
        yield
        return
    _, total = torch.cuda.mem_get_info()
    torch.cuda.set_per_process_memory_fraction(min(1.0, budget / total))
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()
