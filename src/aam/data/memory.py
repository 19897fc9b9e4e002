"""How much memory a training step takes, estimated from the shape of the model and of the batch."""

import math
from dataclasses import dataclass

from aam.config.model import ModelConfig

BYTES_PER_NUMBER = {"auto": 4, "32-true": 4, "64-true": 8, "bf16-mixed": 4, "16-mixed": 4}
"""By precision. The mixed ones hold some activations in 2 bytes and others, beside copies, in 4; counted in full."""
STATE_PER_WEIGHT = 4
"""A weight, its gradient, and two moments of AdamW."""

# Calibrated by benchmarks/memory_estimate.py.
OVERHEAD_BYTES = 20 * 2**20
"""Buffers of the libraries."""
FRAGMENTATION = 1.1
"""What the allocator holds beside what is in use."""
SHARE_LEFT_BEHIND = 0.2
"""With recomputation, what a chunk of ASVs leaves allocated while the next is read."""
SHARE_NOT_REUSED = 0.4
"""With recomputation, the larger of the ASV encoder and the layers above it takes this share of the smaller one's memory anew."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Estimates the peak memory of a step, beside the program itself and the study.

    Attributes
    ----------
    config
        Shape of the model.
    n_weights
        Numbers in the model.
    n_positions
        Nucleotides of the longest ASV.
    share_read_again
        Share of the distinct ASVs that are read a second time, with masked nucleotides.
    sample_passes
        How often the layers above the ASV encoder run: once, and once more where abundances, or ASVs, are hidden.
    precision
        Arithmetic of training.
    is_base_frozen
        Nothing below the heads learns, so nothing is kept for their gradients.
    """

    config: ModelConfig
    n_weights: int
    n_positions: int
    share_read_again: float = 0.0
    sample_passes: int = 1
    precision: str = "32-true"
    is_base_frozen: bool = False

    @property
    def fixed(self) -> int:
        """Bytes that every step takes."""
        return OVERHEAD_BYTES + STATE_PER_WEIGHT * self.n_weights * BYTES_PER_NUMBER[self.precision]

    def of_batch(self, n_pairs: float, n_asvs: float) -> int:
        """Bytes that a batch takes beside `fixed`.

        Parameters
        ----------
        n_pairs
            ASVs of its samples, added up, T.
        n_asvs
            Its distinct ASVs, U.
        """
        above = self._above(n_pairs)
        if self.config.gradient_checkpointing:
            size = self.config.asv_chunk_size
            chunk = self._asvs(min(size, n_asvs) * (1 + self.share_read_again))
            another = self._asvs(min(size, max(0.0, n_asvs - size)))
            parts = sorted([above, chunk + SHARE_LEFT_BEHIND * another])
            in_use = parts[1] + SHARE_NOT_REUSED * parts[0]
        else:
            in_use = above + self._asvs(n_asvs * (1 + self.share_read_again))
        vectors = n_asvs * self.config.embedding_dim
        return int(FRAGMENTATION * (in_use + vectors) * BYTES_PER_NUMBER[self.precision])

    def of_share(self, n_pairs: float, n_asvs: float, n_ranks: int, shares_asvs: bool) -> int:
        """Bytes that a batch takes beside `fixed` on each of several ranks.

        Parameters
        ----------
        n_pairs, n_asvs
            Of the whole batch.
        n_ranks
            Ranks that divide it.
        shares_asvs
            Whether they divide its ASVs; each holds the vectors of all.
        """
        n_encoded = n_asvs / n_ranks if shares_asvs else n_asvs
        others = (n_asvs - n_encoded) * self.config.embedding_dim * BYTES_PER_NUMBER[self.precision]
        return self.of_batch(n_pairs / n_ranks, n_encoded) + int(FRAGMENTATION * others)

    def _asvs(self, n_asvs: float) -> float:
        """Count the numbers that reading ASVs keeps for the backward pass, and that a layer of a chunk needs meanwhile."""
        positions = math.ceil(self.n_positions / self.config.patch_size)
        at_once = min(n_asvs, self.config.asv_chunk_size) * positions * self._in_flight
        if self.is_base_frozen:
            return at_once
        kept = (
            self.config.attention_layers * self._per_layer + 4 * self.config.embedding_dim
        )  # 4: the last norm, and pooling
        return n_asvs * positions * kept + at_once

    def _above(self, n_pairs: float) -> float:
        """Count the same for the two transformers above; 12: abundances, norms, and pooling."""
        if self.is_base_frozen:
            return n_pairs * self._in_flight
        kept = 2 * self.config.attention_layers * self._per_layer + 12 * self.config.embedding_dim
        return n_pairs * (self.sample_passes * kept + self._in_flight)

    @property
    def _per_layer(self) -> float:
        """Numbers a block keeps per position: 2 inputs, 2 norms, queries, keys, values, what they give, the hidden layer twice."""
        return self.config.embedding_dim * (8 + 2 * self.config.ffn_ratio)

    @property
    def _in_flight(self) -> float:
        """Numbers per position that the backward pass of one feed-forward layer holds at once."""
        return self.config.embedding_dim * (3 + 2 * self.config.ffn_ratio)
