"""Standardisation that is learned, and that starts from data."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Standardise(nn.Module):
    """Shift and scale every feature; both are learned, from where `fit` sets them.

    Vectors of one kind share a large common part, and what tells them apart is small beside it. Layer normalisation keeps that
    common part; subtracting the mean over data removes it. Unlike batch normalisation, the statistics are those of one batch
    before training (Salimans & Kingma 2016), so a sample never depends on its neighbours.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(dim))
        self.scale = nn.Parameter(torch.ones(dim))

    def forward(self, x: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        """Standardise the rows."""
        return (x - self.mean) * self.scale

    @torch.no_grad()
    def fit(self, x: Float[Tensor, "B D"]) -> None:
        """Start from the mean and the standard deviation of some rows; a feature that does not vary is only shifted."""
        std = x.std(dim=0, correction=0)
        self.mean.copy_(x.mean(dim=0))
        self.scale.copy_(torch.where(std > 1e-6 * std.max(), 1 / std.clamp(min=1e-12), torch.ones_like(std)))
