"""Floating-point operations of the model, by formula from the shapes, and the most per second that the machine reaches."""

import time
from dataclasses import dataclass

import numpy as np
import torch

from aam import vocabulary
from aam.batch import IGNORED, Batch
from aam.config.model import ModelConfig


@dataclass(frozen=True)
class Flops:
    """Operations of the matrix products of one forward pass; a multiplication and an addition are two.

    Attributes
    ----------
    asv_encoder
        Operations of encoding ASVs, those with masked nucleotides included.
    above
        Operations of all layers above.
    asv_encoder_again, above_again
        Operations of either that recomputation repeats in the backward pass.
    """

    asv_encoder: float
    above: float
    asv_encoder_again: float = 0.0
    above_again: float = 0.0

    @property
    def of_step(self) -> float:
        """Operations of the forward and the backward pass, which takes twice those of the forward one."""
        return 3 * (self.asv_encoder + self.above)

    @property
    def of_recomputing_step(self) -> float:
        """Operations of both passes, including those that are recomputed."""
        return self.of_step + self.asv_encoder_again + self.above_again


def flops_of(config: ModelConfig, batch: Batch) -> Flops:
    """Count the operations of pre-training on a batch, with each distinct ASV read once and no padding."""
    read, lengths = flops_of_asvs(config, batch.tokens), batch.sample_offsets.diff().numpy()
    asvs, again = read.asv_encoder, read.asv_encoder_again
    above = _samples(config, lengths, len(batch.asv_index))
    if batch.masked is not None:
        patches = _patches(config, batch.masked.tokens)
        asvs += _stack(config, patches)
        again += _stack_again(config, patches)
        above += _nucleotide_head(config, int((batch.masked.labels != IGNORED).sum()))
    return Flops(asvs, above, again, 2 * _stack_again(config, lengths))


def flops_of_asvs(config: ModelConfig, tokens: torch.Tensor) -> Flops:
    """Count the operations of encoding ASVs as vectors."""
    patches = _patches(config, tokens)
    pooling, last_product = _pooling(config, patches), 2 * config.embedding_dim**2 * len(patches)
    again = _stack_again(config, patches) + config.gradient_checkpointing * (pooling - last_product)
    return Flops(_stack(config, patches) + pooling, 0.0, again)


def padded_flops_of(config: ModelConfig, batch: Batch, token_limit: int, with_nucleotides: bool = True) -> Flops:
    """Count the operations of the padded reference on the same batch, with padding; prediction leaves out the nucleotides' head."""
    n_pairs, n_positions = len(batch.asv_index), batch.tokens.shape[1]
    patches = np.full(n_pairs, -(-n_positions // config.patch_size))
    asvs = _stack(config, patches) + _pooling(config, patches)
    above = _samples(config, np.full(batch.n_samples, token_limit), n_pairs)
    head = _nucleotide_head(config, int(patches.sum()) * config.patch_size) if with_nucleotides else 0.0
    return Flops(asvs, above + head)


def _patches(config: ModelConfig, tokens: torch.Tensor) -> np.ndarray:
    lengths = (tokens != vocabulary.PAD).sum(dim=1).numpy()
    return np.maximum(1, -(-lengths // config.patch_size))


def _samples(config: ModelConfig, lengths: np.ndarray, n_pairs: int) -> float:
    """Count the operations of two stacks, pooling, and the abundances' embedding."""
    dim = config.embedding_dim
    abundances = 2 * n_pairs * (dim + dim * 2 * dim)
    return 2 * _stack(config, lengths) + _pooling(config, lengths) + abundances


def _stack(config: ModelConfig, lengths: np.ndarray) -> float:
    """Count operations of blocks over sets: projections (4 D²), feed-forward (2 D × its width), attention between all positions."""
    dim, hidden = config.embedding_dim, max(1, round(config.ffn_ratio * config.embedding_dim))
    lengths = lengths.astype(np.float64)
    per_position = 2 * (4 * dim**2 + 2 * dim * hidden)
    return config.attention_layers * (per_position * lengths.sum() + 4 * dim * (lengths**2).sum())


def _stack_again(config: ModelConfig, lengths: np.ndarray) -> float:
    """Count the operations that recomputation repeats: all but the last product of each block."""
    if not config.gradient_checkpointing:
        return 0.0
    hidden = max(1, round(config.ffn_ratio * config.embedding_dim))
    last_products = 2 * config.attention_layers * config.embedding_dim * hidden * float(lengths.sum())
    return _stack(config, lengths) - last_products


def _pooling(config: ModelConfig, lengths: np.ndarray) -> float:
    dim, n_positions = config.embedding_dim, float(lengths.sum())
    return n_positions * (4 * dim**2 + 4 * dim) + 2 * dim**2 * len(lengths)


def _nucleotide_head(config: ModelConfig, n_positions: int) -> float:
    dim = config.embedding_dim
    return 2 * n_positions * (dim**2 + dim * len(vocabulary.NUCLEOTIDES))


def peak_flops(dtype: torch.dtype, size: int, repeats: int = 3) -> float:
    """Measure the operations per second of a large matrix product, the fastest of some."""
    first, second = torch.randn(2, size, size).to(dtype)
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        torch.mm(first, second)
        times.append(time.perf_counter() - start)
    return 2 * size**3 / min(times[1:])
