"""Abundances as the model reads them, and standardisation that is learned and starts from data."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from aam.batch import Batch
from aam.config.model import ModelConfig


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
        """Return the standardised rows, [B, D]."""
        return (x - self.mean) * self.scale

    @torch.no_grad()
    def fit(self, x: Float[Tensor, "B D"]) -> None:
        """Set mean and scale from the moments of some rows, [B, D]; a feature that does not vary is only shifted."""
        std = x.std(dim=0, correction=0)
        self.mean.copy_(x.mean(dim=0))
        self.scale.copy_(torch.where(std > 1e-6 * std.max(), 1 / std.clamp(min=1e-12), torch.ones_like(std)))


TYPICAL_LOG_ABUNDANCE = -6.0
"""Middle of the natural logarithm of relative abundances in amplicon studies."""

LOG_ABUNDANCE_SPREAD = 2.0
"""Their typical standard deviation, by which they are divided."""


def log_abundance(batch: Batch) -> Float[Tensor, "T"]:
    """Compute the natural logarithm of each pair's relative abundance in its sample, float64 [T]."""
    counts = batch.counts.double()
    depth = counts.new_zeros(batch.n_samples).index_add(0, batch.sample_of_pair, counts)
    return counts.log() - depth.log()[batch.sample_of_pair]


def standardise(log_abundances: Tensor) -> Tensor:
    """Return logarithms of relative abundance, shifted and scaled to about zero mean and unit spread."""
    return (log_abundances - TYPICAL_LOG_ABUNDANCE) / LOG_ABUNDANCE_SPREAD


def unstandardise(standardised: Tensor) -> Tensor:
    """Return natural logarithms of relative abundance: the inverse of `standardise`."""
    return standardised * LOG_ABUNDANCE_SPREAD + TYPICAL_LOG_ABUNDANCE


class CountEmbedding(nn.Module):
    """Combine an ASV's abundance in a sample with its vector, in the way that ``--count-embedding`` names.

    With ``film`` the abundance scales and shifts the vector (Perez et al. 2018): so already a mean over the ASVs depends on how
    abundant each kind is, and not only on which kinds there are. ``add`` shifts it, ``concat`` lays both side by side before a
    linear layer, and ``none`` shows no abundance.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim, self.way = config.embedding_dim, config.count_embedding
        width = {"film": 2 * dim, "add": dim, "concat": dim, "none": 0}[self.way]
        if width:
            self.embedding = nn.Sequential(nn.Linear(1, dim), nn.GELU(), nn.Linear(dim, width))
            self.hidden = nn.Parameter(torch.randn(width) * dim**-0.5)
        if self.way == "concat":
            self.mix = nn.Linear(2 * dim, dim)

    def forward(
        self, vectors: Float[Tensor, "T D"], batch: Batch, hidden: Int[Tensor, "Q"] | None = None
    ) -> Float[Tensor, "T D"]:
        """Compute the vectors of all pairs with their abundances, [T, D]; those of ``hidden`` pairs are without."""
        if self.way == "none":
            return vectors
        abundance = self.embedding(standardise(log_abundance(batch)).to(vectors.dtype)[:, None])
        if hidden is not None:
            abundance = abundance.index_copy(0, hidden, self.hidden.to(abundance.dtype).expand(len(hidden), -1))
        if self.way == "concat":
            return self.mix(torch.cat([vectors, abundance], dim=1))
        if self.way == "add":
            return vectors + abundance
        gain, shift = abundance.chunk(2, dim=1)
        return vectors * (1 + gain) + shift
