"""Attention pooling: one vector for a set of vectors."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from aam.config.model import ModelConfig


class AttentionPooling(nn.Module):
    """A learned query reads the positions of each row (Lee et al. 2019, Set Transformer, with one seed vector)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim, self.heads = config.embedding_dim, config.attention_heads
        self.query = nn.Parameter(torch.randn(self.heads, 1, dim // self.heads) * (dim // self.heads) ** -0.5)
        self.key_and_value = nn.Linear(dim, 2 * dim)
        self.project_out = nn.Linear(dim, dim)

    def forward(self, x: Float[Tensor, "B A D"], mask: Bool[Tensor, "B A"] | None = None) -> Float[Tensor, "B D"]:
        """Average the real positions, weighted by how well they answer the query."""
        key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.key_and_value(x).chunk(2, dim=-1)
        )
        pooled = F.scaled_dot_product_attention(
            self.query.expand(len(x), -1, -1, -1),
            key,
            value,
            attn_mask=None if mask is None else mask[:, None, None, :],
        )  # B H 1 D/H
        return self.project_out(pooled.transpose(1, 2).flatten(1))
