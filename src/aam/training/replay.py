"""Replay of a batch whose loss was not finite, to find which of its numbers are not finite."""

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
    """Numbers of a replayed batch, and those of them that are not finite.

    Attributes
    ----------
    losses
        Losses by objective, and their weighted sum as ``loss``.
    weights
        Names of weights that are not finite.
    first_module
        Name of the first part of the model whose output is not finite; None if all are finite.
    samples
        Rows, in the study, of samples whose vector or prediction is not finite, by `VECTOR` or the name of the objective.
    backward
        First operation of the backward pass that returns NaN, and the line that it belongs to; None if there is none.
    """

    losses: Mapping[str, float]
    weights: list[str]
    first_module: str | None
    samples: Mapping[str, list[int]]
    backward: str | None


def replay_batch(module: TrainingModule, batch: Batch, epoch: int, batch_idx: int, ranks: Ranks) -> Replayed:
    """Compute a batch as training did, forwards and backwards, and record which numbers are not finite.

    Parameters
    ----------
    module
        Module with the weights of the step that failed.
    batch
        Batch, or a rank's part of it.
    epoch, batch_idx
        Epoch and number of the batch, from 0, which seed dropout.
    ranks
        Ranks that compute the batch together.

    Returns
    -------
    Replayed
        Losses, and all that is not finite on any rank.
    """
    config = module.training_config
    device = torch.device(device_type())
    module.to(device, weight_type(config)).train()
    batch = batch.to(device)
    seed_dropout(module.training_config.seed, epoch, batch_idx, ranks.process.rank)
    with kernel_of_attention(config), _watched(module, batch) as samples, _anomalies() as caught:
        with autocast(config):
            first_module, losses = first_non_finite(module, batch)
            total = module.balance(losses)
        backward = _backward(total, caught)
    weights = [name for name, weight in module.model.named_parameters() if not weight.isfinite().all()]
    results_of_ranks = ranks.gather((first_module, dict(samples), backward))
    return Replayed(
        losses={name: loss.item() for name, loss in {**losses, "loss": total}.items()},
        weights=weights,
        first_module=next((module_name for module_name, _, _ in results_of_ranks if module_name is not None), None),
        samples={
            name: [row for _, rows, _ in results_of_ranks for row in rows.get(name, [])] for name in (VECTOR, *losses)
        },
        backward=next((operation for _, _, operation in results_of_ranks if operation is not None), None),
    )


@contextmanager
def _watched(module: TrainingModule, batch: Batch) -> Iterator[dict[str, list[int]]]:
    """Record the rows of samples whose vectors, or whose predictions, are not finite, by name."""
    rows_by_name: dict[str, list[int]] = {}

    def note(name: str, values: Tensor) -> None:
        if len(values) == batch.n_samples:
            is_nonfinite = ~values.flatten(1).isfinite().all(dim=1) if values.ndim > 1 else ~values.isfinite()
            rows_by_name[name] = batch.sample_index[is_nonfinite].tolist()

    def note_output(name: str) -> Any:
        return lambda part, inputs, output: note(name, output)

    def note_encoding(model: Any, inputs: Any, encoding: Encoding) -> None:
        note(VECTOR, encoding.samples.sample_vectors)

    handles = [module.model.register_forward_hook(note_encoding)]
    objectives = module.model.active_objectives()
    handles += [objectives[name].register_forward_hook(note_output(name)) for name in module.weights]
    try:
        yield rows_by_name
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _anomalies() -> Iterator[list[warnings.WarningMessage]]:
    """Make the backward pass raise at its first NaN; the warnings caught with it hold the lines of the forward pass."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with torch.autograd.detect_anomaly():
            yield caught


def _backward(total: Tensor, caught: list[warnings.WarningMessage]) -> str | None:
    """Compute the gradients; return the first operation that returns NaN, and its line in the model."""
    try:
        total.backward()
    except RuntimeError as error:
        if not str(error).startswith("Function "):  # as an anomaly is told
            raise
        lines = [match for warning in caught for match in _LINE.findall(str(warning.message))]
        position = f" ({lines[-1][0]}, line {lines[-1][1]})" if lines else ""
        return f"{str(error).rstrip('.')}{position}"
    return None
