"""A pre-norm transformer encoder on scaled dot-product attention, recomputation of its blocks, and attention pooling."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from aam.config.model import ModelConfig
from aam.nn.attention import Packed, PaddedLayout

INITIAL_STD = 0.02
"""Standard deviation of the initial weights that write into the residual stream, before depth is taken into account."""


class SelfAttention(nn.Module):
    """Multi-head self-attention inside rows or sets; positions outside the layout do not matter."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.heads = config.attention_heads
        self.project_in = nn.Linear(config.embedding_dim, 3 * config.embedding_dim)
        self.project_out = nn.Linear(config.embedding_dim, config.embedding_dim)

    def forward(self, x: Float[Tensor, "*A D"], layout: PaddedLayout | Packed) -> Float[Tensor, "*A D"]:
        """Attend from every position to every real position of its row or set, [*A, D]."""
        query, key, value = self.project_in(x).unflatten(-1, (3, self.heads, -1)).unbind(-3)  # *A D -> *A H D/H
        return self.project_out(layout.attend(query, key, value).flatten(-2))


class Block(nn.Module):
    """Self-attention and a feed-forward layer; each normalises its input and adds its result to it."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim = config.embedding_dim
        hidden_dim = max(1, round(config.ffn_ratio * dim))
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = SelfAttention(config)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(dim),
            nn.Linear(dim, hidden_dim),
            nn.GELU(),
            nn.Linear(hidden_dim, dim),
        )

    def start_small(self, n_layers: int) -> None:
        """Draw small last weights for both branches, so that a new stack passes its input on (Radford et al. 2019)."""
        for last in (self.attention.project_out, self.feed_forward[-1]):
            nn.init.normal_(last.weight, std=INITIAL_STD / (2 * n_layers) ** 0.5)  # type: ignore[arg-type]
            nn.init.zeros_(last.bias)  # type: ignore[arg-type]

    def forward(self, x: Float[Tensor, "*A D"], layout: PaddedLayout | Packed) -> Float[Tensor, "*A D"]:
        """Add attention and feed-forward layer to every position, [*A, D]."""
        x = x + self.attention(self.attention_norm(x), layout)
        return x + self.feed_forward(x)


def recomputed(run: Callable[..., Tensor], *arguments: Any) -> Tensor:
    """Return ``run(*arguments)``, keeping only the arguments for the backward pass, which recomputes the rest.

    Chen et al. 2016, Training deep nets with sublinear memory cost. Recomputation stops before the last product, whose result no
    gradient needs. ``run`` must not draw random numbers: it would draw others the second time.
    """
    if not torch.is_grad_enabled():
        return run(*arguments)
    return checkpoint(run, *arguments, use_reentrant=False, preserve_rng_state=False)  # type: ignore[no-any-return]


class Transformer(nn.Module):
    """A stack of blocks with a final normalisation; the order of positions matters only if their embeddings encode it.

    With ``gradient_checkpointing`` each block is recomputed in the backward pass, one at a time; this changes no number.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.recomputes = config.gradient_checkpointing
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.attention_layers))
        self.norm = nn.LayerNorm(config.embedding_dim)
        for block in self.blocks:
            block.start_small(config.attention_layers)  # type: ignore[operator]

    def forward(self, x: Float[Tensor, "*A D"], layout: PaddedLayout | Packed) -> Float[Tensor, "*A D"]:
        """Encode every position in the context of its row or set, [*A, D]; some sets at a time, which changes no number."""
        parts = [self._in_context(positions, part) for positions, part in layout.parts(x)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _in_context(self, x: Tensor, layout: PaddedLayout | Packed) -> Tensor:
        for block in self.blocks:
            x = recomputed(block, x, layout) if self.recomputes else block(x, layout)
        return self.norm(x)

    def compile_blocks(self) -> None:
        """Compile the blocks for rows of any size; all blocks share the compiled code."""
        for block in self.blocks:
            block.compile(dynamic=True)


class AttentionPooling(nn.Module):
    """Pool the positions of each row or set by a learned query (Lee et al. 2019, Set Transformer, with one seed vector)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim, self.heads = config.embedding_dim, config.attention_heads
        self.query = nn.Parameter(torch.randn(self.heads, dim // self.heads) * (dim // self.heads) ** -0.5)
        self.key_and_value = nn.Linear(dim, 2 * dim)
        self.project_out = nn.Linear(dim, dim)

    def forward(self, x: Float[Tensor, "*A D"], layout: PaddedLayout | Packed) -> Float[Tensor, "B D"]:
        """Average the real positions, weighted by attention to the query; [B, D]."""
        key, value = self.key_and_value(x).unflatten(-1, (2, self.heads, -1)).unbind(-3)
        query = self.query.to(key.dtype)
        if isinstance(layout, PaddedLayout):
            pooled = layout.attend(query.expand(len(x), 1, -1, -1), key, value)[:, 0]
        else:
            pooled = layout.attend(query.expand(len(layout.offsets) - 1, -1, -1), key, value)
        return self.project_out(pooled.flatten(1))
