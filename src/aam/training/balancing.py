"""How the losses of several objectives are added up: with fixed weights, or with variances that are learned."""

import torch
from torch import Tensor, nn

STEEPEST = 10.0
"""Largest size of a log-variance; a loss that is always 0 would else weigh without bound."""


class LossBalance(nn.Module):
    """Add up losses: ``fixed`` Σ w·L, or ``uncertainty`` Σ w·(e⁻ˢ·L + s), with a log-variance s learned for each.

    (Kendall et al. 2018, who halve the terms of squared errors; a constant factor moves only the s at which a term rests.) At rest
    e⁻ˢ·L is 1 for every objective: each weighs by the share, not by the amount, by which its loss can fall. Log-variances are part
    of training and its checkpoints, not of the model.

    Parameters
    ----------
    weights
        By objective.
    kind
        ``fixed`` or ``uncertainty``.
    """

    def __init__(self, weights: dict[str, float], kind: str = "fixed") -> None:
        super().__init__()
        self.weights = weights
        self.is_learned = kind == "uncertainty"
        self.log_variances = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(())) for name in weights} if self.is_learned else {}
        )

    @torch.no_grad()
    def calibrate(self, losses: dict[str, Tensor]) -> None:
        """Start where every term of a first batch is at rest, so that training does not begin with a search for it."""
        for name, log_variance in self.log_variances.items():
            if losses[name] > 0:
                log_variance.copy_(losses[name].log().clamp(-STEEPEST, STEEPEST))

    def forward(self, losses: dict[str, Tensor]) -> Tensor:
        """Add up the losses of a training batch."""
        return torch.stack([self.weights[name] * self._term(name, loss) for name, loss in losses.items()]).sum()

    def fixed(self, losses: dict[str, Tensor]) -> Tensor:
        """Add up losses with the fixed weights alone, so that sums of two epochs can be compared."""
        return torch.stack([self.weights[name] * loss for name, loss in losses.items()]).sum()

    def _term(self, name: str, loss: Tensor) -> Tensor:
        if not self.is_learned:
            return loss
        log_variance = self.log_variances[name].clamp(-STEEPEST, STEEPEST)
        return torch.exp(-log_variance) * loss + log_variance
