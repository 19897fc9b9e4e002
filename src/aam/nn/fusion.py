"""Fusion of covariates with the features of a sample: one class per choice of ``--categorical-fusion``."""

from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from aam.batch import SampleEncoding
from aam.config.model import ModelConfig
from aam.nn.attention import Packed, PaddedLayout, attend_padded
from aam.nn.transformer import Block

N_LATENTS = 4
"""Number of the perceiver's learned vectors, which read columns and ASVs."""


class Fusion(nn.Module):
    """Change the features of samples by the vectors of their covariates.

    Parameters
    ----------
    config
        Shape of the model.
    width
        Width of the features, F.
    n_vectors
        Number of vectors per sample, M.
    """

    @staticmethod
    def vector_width(config: ModelConfig, width: int) -> int:
        """Return the width of the vectors of covariates, W."""
        return config.embedding_dim

    @abstractmethod
    def forward(
        self, features: Float[Tensor, "B F"], vectors: Float[Tensor, "B M W"], samples: SampleEncoding
    ) -> Float[Tensor, "B F"]:
        """Compute the changed features, [B, F], from the features, the vectors of covariates and the samples' ASVs."""


class Concat(Fusion):
    """Concatenate features and vectors, and apply a linear layer that at first returns the features."""

    def __init__(self, config: ModelConfig, width: int, n_vectors: int) -> None:
        super().__init__()
        self.mix = nn.Linear(width + n_vectors * config.embedding_dim, width)
        with torch.no_grad():
            self.mix.weight[:, :width] = torch.eye(width)

    def forward(
        self, features: Float[Tensor, "B F"], vectors: Float[Tensor, "B M W"], samples: SampleEncoding
    ) -> Float[Tensor, "B F"]:
        """Apply the linear layer, [B, F]."""
        return self.mix(torch.cat([features, vectors.flatten(1)], dim=1))


class Add(Fusion):
    """Add the vectors to the features."""

    def __init__(self, config: ModelConfig, width: int, n_vectors: int) -> None:
        super().__init__()

    @staticmethod
    def vector_width(config: ModelConfig, width: int) -> int:
        """Return the width of the features."""
        return width

    def forward(
        self, features: Float[Tensor, "B F"], vectors: Float[Tensor, "B M W"], samples: SampleEncoding
    ) -> Float[Tensor, "B F"]:
        """Compute the sum, [B, F]."""
        return features + vectors.sum(dim=1)


class GatedUnit(Fusion):
    """Gated multimodal unit (Arevalo et al. 2017): ``z · tanh(A f) + (1 − z) · tanh(B m)``, the gate ``z = σ(C [f, m])``."""

    def __init__(self, config: ModelConfig, width: int, n_vectors: int) -> None:
        super().__init__()
        width_of_vectors = n_vectors * config.embedding_dim
        self.of_features = nn.Linear(width, width)
        self.of_vectors = nn.Linear(width_of_vectors, width)
        self.gate = nn.Linear(width + width_of_vectors, width)

    def forward(
        self, features: Float[Tensor, "B F"], vectors: Float[Tensor, "B M W"], samples: SampleEncoding
    ) -> Float[Tensor, "B F"]:
        """Compute the gated sum, [B, F]."""
        flat = vectors.flatten(1)
        share = self.gate(torch.cat([features, flat], dim=1)).sigmoid()
        return share * self.of_features(features).tanh() + (1 - share) * self.of_vectors(flat).tanh()


class Reader(nn.Module):
    """Multi-head attention of a few queries per sample to the sample's set of vectors; padded, as few queries cost little."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim, self.heads = config.embedding_dim, config.attention_heads
        self.query = nn.Linear(dim, dim)
        self.key_and_value = nn.Linear(dim, 2 * dim)
        self.project_out = nn.Linear(dim, dim)

    def forward(
        self, queries: Float[Tensor, "B M D"], read: Float[Tensor, "T D"], layout: Packed
    ) -> Float[Tensor, "B M D"]:
        """Compute the attention of each query to its sample's set, [B, M, D]."""
        key, value = self.key_and_value(read).unflatten(-1, (2, self.heads, -1)).unbind(-3)
        query = self.query(queries).flatten(0, 1).unflatten(-1, (self.heads, -1))
        if not len(query):  # a rank without samples: nothing, with the gradients, zeros, that the others have
            attended = query * (key.sum() + value.sum())
        else:
            ends = queries.shape[1] * torch.arange(len(queries) + 1, device=query.device)
            attended = attend_padded(query, key, value, ends, layout.offsets)
        return self.project_out(attended.flatten(1)).unflatten(0, queries.shape[:2])


class CrossAttention(Fusion):
    """Attend from each column's vector to the sample's ASVs, so that each category may look for other ASVs; add the result."""

    def __init__(self, config: ModelConfig, width: int, n_vectors: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.embedding_dim)
        self.reader = Reader(config)
        self.project = nn.Linear(n_vectors * config.embedding_dim, width)

    def forward(
        self, features: Float[Tensor, "B F"], vectors: Float[Tensor, "B M W"], samples: SampleEncoding
    ) -> Float[Tensor, "B F"]:
        """Add the columns' vectors and their attention to the ASVs, projected, to the features; [B, F]."""
        attended = vectors + self.reader(self.norm(vectors), samples.context, Packed(samples.sample_offsets))
        return features + self.project(attended.flatten(1))


class Perceiver(Fusion):
    """Attend from a few learned vectors to columns and ASVs, then to each other (Jaegle et al. 2021); add their mean."""

    def __init__(self, config: ModelConfig, width: int, n_vectors: int) -> None:
        super().__init__()
        dim = config.embedding_dim
        self.latents = nn.Parameter(torch.randn(N_LATENTS, dim))
        self.norm, self.norm_of_latents = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.reader = Reader(config)
        self.block = Block(config)
        self.project = nn.Linear(dim, width)

    def forward(
        self, features: Float[Tensor, "B F"], vectors: Float[Tensor, "B M W"], samples: SampleEncoding
    ) -> Float[Tensor, "B F"]:
        """Add the mean of the learned vectors, projected, to the features; [B, F]."""
        read, layout = _join(vectors, samples)
        latents = self.latents.to(features.dtype).expand(len(features), -1, -1)
        latents = latents + self.reader(self.norm_of_latents(latents), self.norm(read), layout)
        return features + self.project(self.block(latents, PaddedLayout()).mean(dim=1))


def _join(vectors: Float[Tensor, "B M D"], samples: SampleEncoding) -> tuple[Float[Tensor, "N D"], Packed]:
    """Put the vectors of each sample before its ASVs, packed."""
    n_samples, n_vectors, _ = vectors.shape
    number = torch.arange(n_samples, device=vectors.device)
    of_asvs = torch.repeat_interleave(number, samples.sample_offsets.diff(), output_size=len(samples.context))
    order = torch.cat([number.repeat_interleave(n_vectors), of_asvs]).argsort(stable=True)
    joined = torch.cat([vectors.flatten(0, 1), samples.context.to(vectors.dtype)]).index_select(0, order)
    return joined, Packed(samples.sample_offsets + n_vectors * torch.arange(n_samples + 1, device=vectors.device))


FUSIONS: dict[str, type[Fusion]] = {
    "concat": Concat, "add": Add, "gmu": GatedUnit, "cross-attention": CrossAttention, "perceiver": Perceiver,
}  # fmt: skip
"""Fusions by the choices of ``--categorical-fusion``."""
