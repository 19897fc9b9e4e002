"""The exponential moving average of the weights over the optimiser's steps."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

WARM_UP = 10
"""The average after t steps reaches back over about a tenth of them, until that is what the decay says."""


class WeightAverage(nn.Module):
    """``average ← d·average + (1 − d)·weight`` after each step, d = min(decay, (1 + t)/(10 + t)) after t earlier steps.

    Its state is in buffers, so a checkpoint holds it. Weights that do not learn are left out.

    Parameters
    ----------
    model
        Whose weights are averaged; those that it has now are where the average begins.
    decay
        d, after the warm-up.
    """

    n_steps: Tensor

    def __init__(self, model: nn.Module, decay: float) -> None:
        super().__init__()
        self.decay = decay
        self.register_buffer("n_steps", torch.tensor(0))
        for name, weight in _learning(model).items():
            self.register_buffer(_buffer_of(name), weight.detach().clone())

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the weights after a step."""
        n = int(self.n_steps)
        decay = min(self.decay, (1 + n) / (WARM_UP + n))
        averages, weights = self.weights_of(model), _learning(model)
        for name, average in averages.items():
            average.lerp_(weights[name], 1 - decay)
        self.n_steps += 1

    def weights_of(self, model: nn.Module) -> dict[str, Tensor]:
        """Give the averages by the names that the model has for its weights."""
        return {name: self.get_buffer(_buffer_of(name)) for name in _learning(model)}

    @contextmanager
    def lent_to(self, model: nn.Module) -> Iterator[None]:
        """Let a model compute with the averages, and give it its weights back."""
        self._exchange(model)
        try:
            yield
        finally:
            self._exchange(model)

    def _exchange(self, model: nn.Module) -> None:
        for weight, average in zip(_learning(model).values(), self.weights_of(model).values(), strict=True):
            weight.data, average.data = average.data, weight.data


def _learning(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def _buffer_of(name: str) -> str:
    return name.replace(".", "/")  # a buffer's name has no dots
