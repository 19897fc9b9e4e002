"""What an error of a predicted number costs: one row per loss, each sample by itself."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from aam.config.network_head import NumberConfig

Loss = Callable[[Tensor, Tensor, NumberConfig], Tensor]


def number_losses(
    prediction: Float[Tensor, "B C"], truth: Float[Tensor, "B"], options: NumberConfig
) -> Float[Tensor, "B"]:
    """Give the loss of each sample by ``options.loss_type``; all outputs are compared with the one truth."""
    return LOSSES[options.loss_type](prediction, truth[:, None].expand_as(prediction), options).mean(dim=1)


def increasing(outputs: Float[Tensor, "B C"], middle: int) -> Float[Tensor, "B C"]:
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
