"""One vector per ASV, from its nucleotides."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from aam import vocabulary
from aam.config.model import ModelConfig
from aam.nn.pooling import AttentionPooling
from aam.nn.transformer import Transformer


class ASVEncoder(nn.Module):
    """Read the nucleotides of an ASV with a transformer, and pool them into one vector.

    A position is embedded as its nucleotide, plus its place, plus this nucleotide at this place: from the first step on, ASVs that
    differ in a nucleotide have different vectors (amplicons of one region are nearly aligned).
    ASVs are read in chunks of ``asv_chunk_size``, each recomputed in the backward pass if ``gradient_checkpointing``; neither
    changes a number.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(vocabulary.SIZE, config.embedding_dim, padding_idx=vocabulary.PAD)
        self.position_embedding = nn.Embedding(config.max_bp + 1, config.embedding_dim)
        self.nucleotide_embedding = nn.Embedding((config.max_bp + 1) * vocabulary.SIZE, config.embedding_dim)
        self.transformer = Transformer(config)
        self.pooling = AttentionPooling(config)
        for embedding in (self.token_embedding, self.position_embedding, self.nucleotide_embedding):
            nn.init.normal_(embedding.weight, std=config.embedding_dim**-0.5)

    def forward(self, tokens: Int[Tensor, "U L"]) -> Float[Tensor, "U D"]:
        """Give one vector per ASV."""
        return self._in_chunks(self._pooled, tokens)

    def at_positions(self, tokens: Int[Tensor, "R L"], columns: Int[Tensor, "R K"]) -> Float[Tensor, "R K D"]:
        """Give the vectors of some positions of each ASV, and of no others."""
        return self._in_chunks(self._gathered, tokens, columns)

    def _in_chunks(self, encode: Callable[..., Tensor], *rows: Tensor) -> Tensor:
        recompute = self.config.gradient_checkpointing and torch.is_grad_enabled()
        encoded = [
            checkpoint(encode, *chunk, use_reentrant=False) if recompute else encode(*chunk)
            for chunk in zip(*(part.split(self.config.asv_chunk_size) for part in rows), strict=True)
        ]
        return torch.cat(encoded)  # type: ignore[arg-type]

    def _pooled(self, tokens: Tensor) -> Tensor:
        nucleotides, mask = self._read(tokens)
        return self.pooling(nucleotides, mask)

    def _gathered(self, tokens: Tensor, columns: Tensor) -> Tensor:
        nucleotides, _ = self._read(tokens)
        index = (columns + 1)[:, :, None].expand(-1, -1, nucleotides.shape[-1])  # 1: after the start token
        return nucleotides.gather(1, index)

    def _read(self, tokens: Tensor) -> tuple[Tensor, Tensor | None]:
        tokens = nn.functional.pad(tokens, (1, 0), value=vocabulary.START)
        mask = tokens != vocabulary.PAD
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        embedded = self.token_embedding(tokens) + self.position_embedding(positions)
        embedded = embedded + self.nucleotide_embedding(positions * vocabulary.SIZE + tokens)
        mask = None if bool(mask.all()) else mask  # equal lengths need no mask, and run faster without
        return self.transformer(embedded, mask), mask
