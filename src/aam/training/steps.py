"""Compute the gradients of a batch, or, where memory does not hold it, of one half after the other."""

import logging
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from aam.batch import Batch
from aam.data.batching.batches import BatchPlan, EpochSampler
from aam.data.rarefaction import generator
from aam.distributed.collective import average_gradients
from aam.training.memory import ADVICE, StepTooLargeError, fits

logger = logging.getLogger(__name__)

LossValues = dict[str, Tensor]

PartialBatch = tuple[Batch, float]
"""A batch or a half of it, and the fraction of the samples of the step's batch that it holds."""


def seed_dropout(seed: int, epoch: int, batch_idx: int, rank: int) -> None:
    """Seed dropout for one batch on one rank."""
    torch.manual_seed(int(generator(seed, "dropout", epoch, batch_idx, rank).integers(2**63)))


def learn_from(module: Any, batch: Batch, batch_idx: int, scale: Tensor) -> list[tuple[LossValues, int]]:
    """Add the gradients of a batch to those of the weights.

    If memory does not hold the batch on some rank, its gradients are discarded, and it is run in two halves, each as the batch that
    its samples would have formed: losses that compare samples compare those of a half. Gradients of the halves are weighted by the
    number of samples; for losses that are means over samples, that gives those of the whole batch.

    Parameters
    ----------
    module
        A `TrainingModule` in training.
    batch, batch_idx
        The batch, or a rank's part of it, and its number in the epoch.
    scale
        Factor of the losses, a scalar.

    Returns
    -------
    list of tuple of dict and int
        Losses by name and number of samples, of all ranks, for the batch or for each half.

    Raises
    ------
    StepTooLargeError
        Memory does not hold the halves either.
    """
    if module.device_mesh is not None:  # FSDP gathers and divides weights on the way, and could not give up in step
        return [(module.add_gradients(batch, scale), batch.n_samples_of_all_ranks)]
    earlier = _put_aside(module)
    has_others = module.trainer.world_size > 1
    losses_of_parts: list[tuple[LossValues, int]] = []

    def run(parts: Iterable[PartialBatch]) -> None:
        module.zero_grad(set_to_none=True)
        for part, share in parts:
            module.on_train_batch_start(part, batch_idx)  # the same dropout, however often it was tried
            losses_of_parts.append((module.add_gradients(part, share * scale), part.n_samples_of_all_ranks))
        if has_others:
            average_gradients(module.parameters())

    if not fits(lambda: run([(batch, 1.0)]), has_others):
        losses_of_parts.clear()
        plan = _plan(module, batch_idx)
        if len(plan.samples) < 2 or not fits(lambda: run(_halves(module, plan)), has_others):
            raise _too_large(module, batch_idx, len(plan.samples))
        _note_halving(module, batch_idx, plan)
    _add_back(earlier)
    return losses_of_parts


def _put_aside(module: nn.Module) -> dict[nn.Parameter, Tensor]:
    """Detach the gradients of earlier accumulated batches, which a step that is given up must not change."""
    earlier = {weight: weight.grad for weight in module.parameters() if weight.grad is not None}
    for weight in earlier:
        weight.grad = None
    return earlier


@torch.no_grad()
def _add_back(earlier: dict[nn.Parameter, Tensor]) -> None:
    for weight, gradient in earlier.items():
        weight.grad = gradient if weight.grad is None else weight.grad.add_(gradient)


def _plan(module: Any, batch_idx: int) -> BatchPlan:
    sampler = module.trainer.train_dataloader.sampler
    plans = sampler.plans(module.current_epoch) if isinstance(sampler, EpochSampler) else sampler
    return plans[batch_idx]


def _halves(module: Any, plan: BatchPlan) -> Iterator[PartialBatch]:
    maker = module.trainer.train_dataloader.dataset
    for samples in np.array_split(np.array(plan.samples), 2):
        half = maker[BatchPlan(plan.epoch, tuple(samples.tolist()))]
        yield half.to(module.device), len(samples) / len(plan.samples)


def _note_halving(module: Any, batch_idx: int, plan: BatchPlan) -> None:
    module.n_halved += 1
    if module.n_halved == 1:
        logger.warning(
            "Memory did not hold batch %d of epoch %d, %d samples: it was trained on in two halves, one after the other, and "
            "distances between the halves were left out. Should this happen often, pass a smaller --batch-size. Later ones are "
            "counted, and told at the end.",
            batch_idx + 1, module.current_epoch + 1, len(plan.samples),
        )  # fmt: skip


def _too_large(module: Any, batch_idx: int, n_samples: int) -> StepTooLargeError:
    batch = f"the {n_samples:,} samples of batch {batch_idx + 1} of epoch {module.current_epoch + 1}"
    halves = ", nor each half of them" if n_samples > 1 else ""
    return StepTooLargeError(f"Memory does not hold a step on {batch}{halves}. {ADVICE}")
