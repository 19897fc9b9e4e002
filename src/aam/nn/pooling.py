"""Attention pooling: one vector for a set of vectors."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from aam.config.model import ModelConfig
from aam.nn.attention import Packed, Rows


class AttentionPooling(nn.Module):
    """A learned query reads the positions of each row or set (Lee et al. 2019, Set Transformer, with one seed vector)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim, self.heads = config.embedding_dim, config.attention_heads
        self.query = nn.Parameter(torch.randn(self.heads, dim // self.heads) * (dim // self.heads) ** -0.5)
        self.key_and_value = nn.Linear(dim, 2 * dim)
        self.project_out = nn.Linear(dim, dim)

    def forward(self, x: Float[Tensor, "*A D"], layout: Rows | Packed) -> Float[Tensor, "B D"]:
        """Average the real positions, weighted by how well they answer the query."""
        key, value = self.key_and_value(x).unflatten(-1, (2, self.heads, -1)).unbind(-3)
        query = self.query.to(key.dtype)
        if isinstance(layout, Rows):
            pooled = layout.attend(query.expand(len(x), 1, -1, -1), key, value)[:, 0]
        else:
            pooled = layout.attend(query.expand(len(layout.offsets) - 1, -1, -1), key, value)
        return self.project_out(pooled.flatten(1))
