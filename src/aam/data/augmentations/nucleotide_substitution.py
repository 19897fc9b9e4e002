"""Nucleotide substitution: some nucleotides are read as others."""

from dataclasses import dataclass

import numpy as np

from aam import vocabulary
from aam.data.augmentations.augmentation import Augmentation, Streams

N_NUCLEOTIDES = len(vocabulary.NUCLEOTIDES)


@dataclass(frozen=True)
class NucleotideSubstitution(Augmentation):
    """Replace each of A, C, G and T, with a probability, by one of the other three; padding and ambiguous letters stay.

    An ASV's stream is named by its sequence: a batch holds each ASV once, so it changes alike in all samples of an epoch.
    """

    probability: float

    def tokens(self, tokens: np.ndarray, streams: Streams) -> np.ndarray:
        """Substitute nucleotides."""
        chance, step = np.empty(tokens.shape), np.empty(tokens.shape, dtype=np.uint8)
        for row, sequence in enumerate(tokens):
            stream = streams(sequence[sequence != vocabulary.PAD].tobytes())
            chance[row] = stream.random(len(sequence))
            step[row] = stream.integers(1, N_NUCLEOTIDES, size=len(sequence), dtype=np.uint8)
        number = tokens - np.uint8(vocabulary.FIRST_NUCLEOTIDE)  # padding wraps around to a large number
        is_substituted = (number < N_NUCLEOTIDES) & (chance < self.probability)
        return np.where(is_substituted, (number + step) % N_NUCLEOTIDES + vocabulary.FIRST_NUCLEOTIDE, tokens)
