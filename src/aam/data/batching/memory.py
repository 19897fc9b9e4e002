"""Estimate the memory of a training step from the shape of the model and the ASVs that samples are expected to hold."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from aam.config.model import ModelConfig
from aam.data.study import Study

_SAMPLES_PER_RELEASE = 1 << 10


def presence(counts: np.ndarray, depth: int | None) -> np.ndarray:
    """Compute the probability that each ASV of a sample is among ``depth`` reads drawn without replacement.

    Of ``N`` reads, ``c`` are the ASV's: ``p = 1 − C(N − c, depth) / C(N, depth)`` (hypergeometric; Hurlbert 1971, whose expected
    number of species is the sum of these).

    Parameters
    ----------
    counts
        Reads of each ASV, [n].
    depth
        Reads drawn; None for all.

    Returns
    -------
    A probability for each ASV, float64 [n].

    Examples
    --------
    >>> presence(np.array([1, 3]), depth=2).round(9).tolist()
    [0.5, 1.0]
    """
    total = counts.sum(dtype=np.int64)
    if depth is None or depth >= total:
        return np.ones(len(counts))
    rest = total - counts
    log_absent = (
        gammaln(rest + 1) - gammaln(np.maximum(rest - depth, 0) + 1) - gammaln(total + 1) + gammaln(total - depth + 1)
    )
    return 1.0 - np.where(rest < depth, 0.0, np.exp(np.minimum(log_absent, 0.0)))


@dataclass(frozen=True)
class ExpectedASVs:
    """Expected ASVs of samples that are rarefied and cut to the token limit.

    Attributes
    ----------
    study
        The samples.
    depth
        Reads drawn from each sample; None for all.
    token_limit
        Most ASVs of a sample.
    n_mixed
        Number of samples that one sample is mixed from: 2 with ``--mixup-alpha``.
    """

    study: Study
    depth: int | None
    token_limit: int
    n_mixed: int = 1

    def of(self, sample_index: int) -> tuple[np.ndarray, np.ndarray]:
        """Compute the probability that each ASV of one sample is read.

        Returns
        -------
        The sample's features, int32 [n], and a probability for each, float64 [n]; of more features than the token limit, only
        the most abundant.
        """
        features, counts = self.study.sample(sample_index)
        chance = presence(counts, self.depth)
        if len(features) > self.token_limit:
            kept = np.argpartition(-counts, self.token_limit - 1)[: self.token_limit]
            features, chance = features[kept], chance[kept]
        return features, chance

    def most(self) -> np.ndarray:
        """Return an upper bound, without draws, of the number of ASVs that each sample is read with; float64 [S]."""
        return np.minimum(self.token_limit, self.n_mixed * self.study.richness).astype(np.float64)

    def lengths(self, sample_indices: np.ndarray) -> np.ndarray:
        """Estimate the number of ASVs that samples are read with, as the expectation and two standard deviations.

        This takes about 0.1 ms a sample.

        Returns
        -------
        A number for each of the samples, float64 [n].
        """
        lengths = np.empty(len(sample_indices))
        for number, index in enumerate(sample_indices.tolist()):
            lengths[number] = self._length(index)
            if number % _SAMPLES_PER_RELEASE == 0:
                self.study.release()
        return lengths

    def _length(self, sample_index: int) -> float:
        _, counts = self.study.sample(sample_index)
        chance = presence(counts, self.depth)
        deviation = np.sqrt(np.sum(chance * (1 - chance)))
        return float(min(self.token_limit, self.n_mixed * min(len(counts), chance.sum() + 2 * deviation)))


BYTES_PER_NUMBER = {"auto": 4, "32-true": 4, "64-true": 8, "bf16-mixed": 4, "16-mixed": 4}
"""Bytes of a number, by precision. Mixed precisions hold some activations in 2 bytes and others, and copies, in 4; all are counted
with 4."""

STATE_PER_WEIGHT = 4
"""Numbers for each weight: the weight, its gradient, and two moments of AdamW."""

# Calibrated by benchmarks/memory_estimate.py.
OVERHEAD_BYTES = 6 * 2**20
"""Bytes that the libraries use for buffers."""

FRAGMENTATION = 1.1
"""Bytes that the allocator holds for each byte in use."""

HOLES = 0.5
"""Memory lost between the numbers kept for the backward pass, as a share of them, with recomputation, which scatters them."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Estimate of the peak memory of a training step, without the program itself and the study.

    Attributes
    ----------
    config
        Shape of the model.
    n_weights
        Number of weights of the model.
    n_positions
        Nucleotides of the longest ASV.
    share_read_again
        Share of the distinct ASVs that are read a second time, with masked nucleotides.
    sample_passes
        Number of passes through the layers above the ASV encoder: 1, and one more where abundances, or ASVs, are hidden.
    precision
        Arithmetic of training.
    is_base_frozen
        Whether nothing below the heads learns, so that nothing is kept for its gradients.
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
        """Estimate the bytes that a batch takes beside `fixed`.

        Parameters
        ----------
        n_pairs
            Number of (sample, ASV) pairs of the batch, T.
        n_asvs
            Number of distinct ASVs of the batch, U.
        """
        n_read = n_asvs * (1 + self.share_read_again)
        holes = HOLES if self.config.gradient_checkpointing else 0.0
        in_use = (1 + holes) * self._kept(n_pairs, n_read) + self._at_once(n_pairs, n_read)
        vectors = n_asvs * self.config.embedding_dim
        return int(FRAGMENTATION * (in_use + vectors) * BYTES_PER_NUMBER[self.precision])

    def of_share(self, n_pairs: float, n_asvs: float, n_ranks: int, shares_asvs: bool) -> int:
        """Estimate the bytes that a batch takes beside `fixed` on each of several ranks.

        Parameters
        ----------
        n_pairs, n_asvs
            Numbers of pairs and of distinct ASVs of the whole batch.
        n_ranks
            Number of ranks that divide the batch.
        shares_asvs
            Whether they divide its ASVs; each holds the vectors of all.
        """
        n_encoded = n_asvs / n_ranks if shares_asvs else n_asvs
        others = (n_asvs - n_encoded) * self.config.embedding_dim * BYTES_PER_NUMBER[self.precision]
        return self.of_batch(n_pairs / n_ranks, n_encoded) + int(FRAGMENTATION * others)

    def _kept(self, n_pairs: float, n_read: float) -> float:
        """Count the numbers kept for the backward pass: of all layers, or of the inputs of all blocks if those are recomputed.

        In addition, 4 vectors per position of an ASV for the last norm and pooling, 12 per pair for abundances, norms and pooling.
        """
        if self.is_base_frozen:
            return 0.0
        dim, layers = self.config.embedding_dim, self.config.attention_layers
        of_block = dim if self.config.gradient_checkpointing else self._per_layer
        of_asvs = n_read * self._n_patches * (layers * of_block + 4 * dim)
        return of_asvs + n_pairs * self.sample_passes * (2 * layers * of_block + 12 * dim)

    def _at_once(self, n_pairs: float, n_read: float) -> float:
        """Count the further numbers that the block being read needs: of a chunk of ASVs, or of all pairs."""
        n_positions = max(n_pairs, min(n_read, self.config.asv_chunk_size) * self._n_patches)
        recomputes = self.config.gradient_checkpointing and not self.is_base_frozen
        return n_positions * (self._in_flight + recomputes * self._per_layer)

    @property
    def _n_patches(self) -> int:
        return math.ceil(self.n_positions / self.config.patch_size)

    @property
    def _per_layer(self) -> float:
        """Numbers a block keeps per position: 2 inputs, 2 norms, queries, keys, values, their result, the hidden layer twice."""
        return self.config.embedding_dim * (8 + 2 * self.config.ffn_ratio)

    @property
    def _in_flight(self) -> float:
        """Numbers per position that the backward pass of one feed-forward layer holds at once."""
        return self.config.embedding_dim * (3 + 2 * self.config.ffn_ratio)
