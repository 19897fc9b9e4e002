"""Losses of predicted numbers, and the transforms that limit a head's outputs."""

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
"""Computes the loss of each output from predictions and truths, [B, C] each."""


def number_losses(
    prediction: Float[Tensor, "B C"], truth: Float[Tensor, "B"], options: NumberConfig
) -> Float[Tensor, "B"]:
    """Compute the loss of each sample by ``options.loss_type``, [B]; all its outputs are compared with the same truth."""
    return LOSSES[options.loss_type](prediction, truth[:, None].expand_as(prediction), options).mean(dim=1)


def monotone_quantiles(outputs: Float[Tensor, "B C"], middle: int) -> Float[Tensor, "B C"]:
    """Compute increasing outputs, [B, C], from any outputs.

    The middle one stays; the softplus of each other is its distance to its neighbour towards the middle.
    """
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
    """Compute the loss of Koenker and Bassett (1978): least where a share q of the truths is below the output of quantile q."""
    level, error = prediction.new_tensor(options.levels), truth - prediction
    return torch.maximum(level * error, (level - 1) * error)


def _asymmetric(prediction: Tensor, truth: Tensor, options: NumberConfig) -> Tensor:
    penalty = torch.where(prediction > truth, options.over_penalty, options.under_penalty)
    return penalty * _huber(prediction, truth, options)


LOSSES: dict[str, Loss] = {
    "huber": _huber, "mse": _squared, "mae": _absolute, "quantile": _pinball, "asymmetric": _asymmetric,
}  # fmt: skip
"""Losses by the choices of ``--loss-type``."""

LARGEST_EXPONENT = 40.0
"""Outputs beyond it are cut before the exponential is taken."""

LEAST = 1e-3
"""Least distance of a start value from the end of a range."""


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
"""Activations by the choices of ``--output-activation``."""


@dataclass(frozen=True)
class OutputTransform:
    """Limits of a head's outputs for numbers, and their conversion to own units.

    Attributes
    ----------
    options
        Options of the head.
    transform
        Transform between own units and those of the outputs.
    bounds
        Smallest and largest training value, in own units.
    """

    options: NumberConfig
    transform: TargetTransform
    bounds: tuple[float, float] | None

    def apply(self, outputs: Float[Tensor, "B C"], category: Int[Tensor, "B"] | None) -> Float[Tensor, "B C"]:
        """Compute limited outputs, [B, C]; the order of a sample's outputs stays."""
        if not self.options.bounded_targets:
            return ACTIVATIONS[self.options.output_activation].apply(outputs)
        low, high = (self._learned(outputs, bound, category) for bound in self._range())
        return low + (high - low) * torch.sigmoid(outputs)

    def in_own_units(self, outputs: Float[Tensor, "B C"], category: Int[Tensor, "B"] | None) -> Float[Tensor, "B C"]:
        """Return outputs in own units, [B, C]; bounded ones do not leave the range by a rounding error either."""
        values = self.transform.to_own(outputs, category)
        return values.clip(*self._range()) if self.options.bounded_targets else values

    def start(self, guess: float) -> float | None:
        """Return the bias with which the outputs start at a guess in own units; None where it does not matter."""
        if self.options.bounded_targets:
            low, high = self._range()
            return _logit((guess - low) / (high - low))
        activation, learned = self.options.output_activation, self._learned_value(guess)
        starts_at_guess = activation != "none" or self.transform == TargetTransform()
        return ACTIVATIONS[activation].undo(learned) if starts_at_guess else None

    def _range(self) -> tuple[float, float]:
        assert self.bounds is not None, "the range of the training samples is not known"
        return self.bounds

    def _learned_value(self, value: float) -> float:
        return float(self.transform.to_learned(torch.tensor([value], dtype=torch.float64)))

    def _learned(self, outputs: Tensor, bound: float, category: Tensor | None) -> Tensor:
        bounds = torch.full((len(outputs),), bound, dtype=torch.float64, device=outputs.device)
        return self.transform.to_learned(bounds, category).to(outputs.dtype)[:, None]
