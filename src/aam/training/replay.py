"""A batch whose loss was not finite, computed once more to see what is not finite in it."""

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from aam.batch import Batch, Encoding
from aam.distributed.ranks import Ranks
from aam.training.module import TrainingModule
from aam.training.nonfinite import first_non_finite
from aam.training.precision import autocast, device_type, kernel_of_attention, weight_type
from aam.training.steps import seed_dropout

VECTOR = "sample vector"

_LINE = re.compile(r'File "[^"]*?(aam/[^"]+)", line (\d+)')


@dataclass(frozen=True)
class Replayed:
    """What is, and what is not finite.

    Attributes
    ----------
    losses
        Each loss, and their weighted sum as ``loss``.
    weights
        Names of weights that are not finite.
    first_module
        The first part of the model whose output is not finite, if any.
    samples
        Rows of the study of the samples whose vector, or for which an objective's prediction, is not finite, by what it is.
    backward
        The first operation of the backward pass that gives no number, and the line that it belongs to; None if all give one.
    """

    losses: Mapping[str, float]
    weights: list[str]
    first_module: str | None
    samples: Mapping[str, list[int]]
    backward: str | None


def replay_batch(module: TrainingModule, batch: Batch, epoch: int, batch_idx: int, ranks: Ranks) -> Replayed:
    """Compute a batch as training did, forwards and backwards, and look at all that comes up.

    Parameters
    ----------
    module
        With the weights that the batch met.
    batch
        The batch, or a rank's part of it.
    epoch, batch_idx
        Where training came to it, which decides what dropout drops.
    ranks
        Who computes it together.
    """
    config = module.training_config
    device = torch.device(device_type())
    module.to(device, weight_type(config)).train()
    batch = batch.to(device)
    seed_dropout(module.training_config.seed, epoch, batch_idx, ranks.process.rank)
    with kernel_of_attention(config), _watched(module, batch) as samples, _anomalies() as said:
        with autocast(config):
            first, losses = first_non_finite(module, batch)
            total = module.balance(losses)
        backward = _backward(total, said)
    weights = [name for name, weight in module.model.named_parameters() if not weight.isfinite().all()]
    of_ranks = ranks.gather((first, dict(samples), backward))
    return Replayed(
        losses={name: loss.item() for name, loss in {**losses, "loss": total}.items()},
        weights=weights,
        first_module=next((each for each, _, _ in of_ranks if each is not None), None),
        samples={name: [row for _, each, _ in of_ranks for row in each.get(name, [])] for name in (VECTOR, *losses)},
        backward=next((each for _, _, each in of_ranks if each is not None), None),
    )


@contextmanager
def _watched(module: TrainingModule, batch: Batch) -> Iterator[dict[str, list[int]]]:
    """Note the samples whose vectors, or predictions one by one, are not finite."""
    found: dict[str, list[int]] = {}

    def note(name: str, values: Tensor) -> None:
        if len(values) == batch.n_samples:
            is_bad = ~values.flatten(1).isfinite().all(dim=1) if values.ndim > 1 else ~values.isfinite()
            found[name] = batch.sample_index[is_bad].tolist()

    def look(name: str) -> Any:
        return lambda part, inputs, output: note(name, output)

    def look_at_encoding(model: Any, inputs: Any, encoding: Encoding) -> None:
        note(VECTOR, encoding.samples.sample_vectors)

    handles = [module.model.register_forward_hook(look_at_encoding)]
    objectives = module.model.active_objectives()
    handles += [objectives[name].register_forward_hook(look(name)) for name in module.weights]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _anomalies() -> Iterator[list[warnings.WarningMessage]]:
    """Let the backward pass say where it first gives no number; the warnings that are given then hold lines of the forward pass."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with torch.autograd.detect_anomaly():
            yield said


def _backward(total: Tensor, said: list[warnings.WarningMessage]) -> str | None:
    """Take the gradients; say which operation gives no number, and where in the model it is."""
    try:
        total.backward()
    except RuntimeError as error:
        if not str(error).startswith("Function "):  # as an anomaly is told
            raise
        lines = [found for warning in said for found in _LINE.findall(str(warning.message))]
        where = f" ({lines[-1][0]}, line {lines[-1][1]})" if lines else ""
        return f"{str(error).rstrip('.')}{where}"
    return None
