"""What an error of a predicted number costs, and the limits of outputs for numbers."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from aam.config.target import NumberConfig
from aam.target_transform import TargetTransform

Loss = Callable[[Tensor, Tensor, NumberConfig], Tensor]


def number_losses(
    prediction: Float[Tensor, "B C"], truth: Float[Tensor, "B"], options: NumberConfig
) -> Float[Tensor, "B"]:
    """Give the loss of each sample by ``options.loss_type``; all outputs are compared with the one truth."""
    return LOSSES[options.loss_type](prediction, truth[:, None].expand_as(prediction), options).mean(dim=1)


def monotone_quantiles(outputs: Float[Tensor, "B C"], middle: int) -> Float[Tensor, "B C"]:
    """Turn outputs into ones that increase: the middle one stays, the others are how far each is from its neighbour towards it."""
    if outputs.shape[1] == 1:
        return outputs
    centre, steps = outputs[:, middle : middle + 1], F.softplus(outputs)
    above = centre + steps[:, middle + 1 :].cumsum(dim=1)
    below = centre - steps[:, :middle].flip(1).cumsum(dim=1).flip(1)
    return torch.cat([below, centre, above], dim=1)


def _huber(prediction: Tensor, truth: Tensor, options: NumberConfig) -> Tensor:
    return F.huber_loss(prediction, truth, reduction="none")


def _squared(prediction: Tensor, truth: Tensor, options: NumberConfig) -> Tensor:
    return F.mse_loss(prediction, truth, reduction="none")


def _absolute(prediction: Tensor, truth: Tensor, options: NumberConfig) -> Tensor:
    return F.l1_loss(prediction, truth, reduction="none")


def _pinball(prediction: Tensor, truth: Tensor, options: NumberConfig) -> Tensor:
    """Koenker and Bassett (1978): least where a share q of the truths is below the output of quantile q."""
    level, error = prediction.new_tensor(options.levels), truth - prediction
    return torch.maximum(level * error, (level - 1) * error)


def _asymmetric(prediction: Tensor, truth: Tensor, options: NumberConfig) -> Tensor:
    penalty = torch.where(prediction > truth, options.over_penalty, options.under_penalty)
    return penalty * _huber(prediction, truth, options)


LOSSES: dict[str, Loss] = {
    "huber": _huber, "mse": _squared, "mae": _absolute, "quantile": _pinball, "asymmetric": _asymmetric,
}  # fmt: skip
"""By the choices of ``--loss-type``."""

LARGEST_EXPONENT = 40.0

LEAST = 1e-3
"""Nearest to an end of a range that an output starts from."""


@dataclass(frozen=True)
class Activation:
    """An increasing function, and its inverse."""

    apply: Callable[[Tensor], Tensor]
    undo: Callable[[float], float]


def _logit(value: float) -> float:
    value = min(max(value, LEAST), 1 - LEAST)
    return math.log(value / (1 - value))


ACTIVATIONS = {
    "none": Activation(lambda outputs: outputs, lambda value: value),
    "softplus": Activation(F.softplus, lambda value: max(value, LEAST) + math.log(-math.expm1(-max(value, LEAST)))),
    "sigmoid": Activation(torch.sigmoid, _logit),
    "exp": Activation(
        lambda outputs: outputs.clamp(max=LARGEST_EXPONENT).exp(), lambda value: math.log(max(value, LEAST))
    ),
}
"""By the choices of ``--output-activation``."""


@dataclass(frozen=True)
class OutputTransform:
    """What the outputs of a head for numbers are made of.

    Attributes
    ----------
    options
        Of the head.
    transform
        Between own units and those of the outputs.
    bounds
        Smallest and largest training value, in own units.
    """

    options: NumberConfig
    transform: TargetTransform
    bounds: tuple[float, float] | None

    def apply(self, outputs: Float[Tensor, "B C"], category: Int[Tensor, "B"] | None) -> Float[Tensor, "B C"]:
        """Limit outputs; the order of a sample's outputs stays."""
        if not self.options.bounded_targets:
            return ACTIVATIONS[self.options.output_activation].apply(outputs)
        low, high = (self._learned(outputs, bound, category) for bound in self._range())
        return low + (high - low) * torch.sigmoid(outputs)

    def in_own_units(self, outputs: Float[Tensor, "B C"], category: Int[Tensor, "B"] | None) -> Float[Tensor, "B C"]:
        """Undo the transform; bounded values do not leave the range by a rounding error either."""
        own = self.transform.to_own(outputs, category)
        return own.clip(*self._range()) if self.options.bounded_targets else own

    def start(self, guess: float) -> float | None:
        """Give the bias from which the outputs start at a guess in own units; None where it does not matter."""
        if self.options.bounded_targets:
            low, high = self._range()
            return _logit((guess - low) / (high - low))
        activation, learned = self.options.output_activation, self._plain(guess)
        starts_at_guess = activation != "none" or self.transform == TargetTransform()
        return ACTIVATIONS[activation].undo(learned) if starts_at_guess else None

    def _range(self) -> tuple[float, float]:
        assert self.bounds is not None, "the range of the training samples is not known"
        return self.bounds

    def _plain(self, value: float) -> float:
        return float(self.transform.to_learned(torch.tensor([value], dtype=torch.float64)))

    def _learned(self, outputs: Tensor, bound: float, category: Tensor | None) -> Tensor:
        own = torch.full((len(outputs),), bound, dtype=torch.float64, device=outputs.device)
        return self.transform.to_learned(own, category).to(outputs.dtype)[:, None]
