"""What an augmentation may change: how deep a sample is read, its reads, its mixture with others, and nucleotides."""

from collections.abc import Callable, Sequence

import numpy as np

from aam.drawn import Mixture

Reads = tuple[np.ndarray, np.ndarray]
"""Features of a sample and their counts, both [n]; features increase."""
Streams = Callable[[object], np.random.Generator]
"""Gives the random stream of a sample id, or of a sequence."""


class Augmentation:
    """A random change of training samples; each method gives back what it was given unless a subclass changes it."""

    def depth(self, depth: int, stream: np.random.Generator) -> int:
        """Choose how many reads to draw of a sample, at most ``depth``."""
        return depth

    def reads(self, reads: Reads, stream: np.random.Generator) -> Reads:
        """Change the reads that were drawn from a sample; at least one ASV stays."""
        return reads

    def mix(
        self, samples: list[Reads], sample_ids: Sequence[str], streams: Streams
    ) -> tuple[list[Reads], Mixture | None]:
        """Mix the samples of a batch."""
        return samples, None

    def tokens(self, tokens: np.ndarray, streams: Streams) -> np.ndarray:
        """Change the nucleotides of the batch's distinct ASVs, uint8 [U, L]."""
        return tokens
