"""Trial steps before training, to find how many samples memory holds in one."""

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
    """Find the largest number from `least` to `most` that fits, if every number below one that fits does, too.

    Parameters
    ----------
    fits
        Function that tries a number.
    least, most
        Range of numbers to try.

    Returns
    -------
    int or None
        Largest number that fits; None if the least does not.

    Examples
    --------
    >>> largest_that_fits(lambda n: n <= 37, least=2, most=1000)
    37
    """
    largest, candidate = None, least
    while fits(candidate):
        largest, candidate = candidate, min(2 * candidate, most)
        if largest == candidate:
            return largest
    if largest is None:
        return None
    while candidate - largest > 1:
        middle = (largest + candidate) // 2
        largest, candidate = (middle, candidate) if fits(middle) else (largest, middle)
    return largest


@contextmanager
def trying(module: TrainingModule, budget: float, ranks: Ranks) -> Iterator[Callable[[Batch], bool]]:
    """Set the process up for trial steps, of the forward pass, the backward pass and the optimiser, on all ranks.

    Parameters
    ----------
    module
        Copy of the module that will be trained; its weights change.
    budget
        Bytes of a GPU that a step may take.
    ranks
        Ranks that try together, each on its part of the batch.

    Yields
    ------
    Callable
        Function that runs a step on a batch, and returns whether memory held it on all ranks.
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
    """Return the bytes of the GPU that this process may take: those that are free, and those that it holds."""
    free, _ = torch.cuda.mem_get_info()
    return float(free + torch.cuda.memory_reserved())


@contextmanager
def _limited_to(budget: float) -> Iterator[None]:
    """Limit the memory of the GPU to a number of bytes within the block, and free it at its end."""
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
