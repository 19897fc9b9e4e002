"""Random changes of training samples: each augmentation, their table, and the class that applies those that are on."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from aam import vocabulary
from aam.batch import Mixture
from aam.config.model import AugmentationConfig
from aam.data.rarefaction import generator, rarefy

Reads = tuple[np.ndarray, np.ndarray]
"""Features of a sample, increasing, and their counts, both [n]."""

Streams = Callable[[object], np.random.Generator]
"""Function from a sample id, or a sequence, to its random generator."""


class Augmentation:
    """A random change of training samples; each method returns its input unchanged unless a subclass overrides it."""

    def depth(self, depth: int, stream: np.random.Generator) -> int:
        """Choose the number of reads to draw from a sample, at most ``depth``."""
        return depth

    def reads(self, reads: Reads, stream: np.random.Generator) -> Reads:
        """Return changed reads of a sample; at least one ASV stays."""
        return reads

    def mix(
        self, samples: list[Reads], sample_ids: Sequence[str], streams: Streams
    ) -> tuple[list[Reads], Mixture | None]:
        """Mix the samples of a batch.

        Returns
        -------
        The reads of each mixed sample; and partners and weights, or None if nothing was mixed.
        """
        return samples, None

    def tokens(self, tokens: np.ndarray, streams: Streams) -> np.ndarray:
        """Return changed tokens of the batch's distinct ASVs, uint8 [U, L]."""
        return tokens


@dataclass(frozen=True)
class AbundanceNoise(Augmentation):
    """Multiply each count by ``exp(std · z)``, ``z`` standard normal, as biases of extraction and PCR do (McLaren et al. 2019).

    The products are scaled to the sample's number of reads and rounded by largest remainders, so that without noise nothing would
    change. ASVs whose count becomes 0 are removed.
    """

    std: float

    def reads(self, reads: Reads, stream: np.random.Generator) -> Reads:
        """Return the reads with noisy counts."""
        features, counts = reads
        noise = self.std * stream.standard_normal(len(counts))
        noisy = _round_to_total(counts * np.exp(noise - noise.max()), int(counts.sum()))
        present = noisy > 0
        return features[present], noisy[present].astype(counts.dtype)


def _round_to_total(weights: np.ndarray, total: int) -> np.ndarray:
    """Divide ``total`` in proportion to the weights, in whole numbers (Hamilton's method)."""
    exact = weights * (total / weights.sum())
    shares = np.floor(exact).astype(np.int64)
    by_remainder = np.argsort(shares - exact, kind="stable")
    shares[by_remainder[: total - int(shares.sum())]] += 1
    return shares


@dataclass(frozen=True)
class AsvDropout(Augmentation):
    """Drop each ASV with a probability; where none would stay, keep the most abundant."""

    probability: float

    def reads(self, reads: Reads, stream: np.random.Generator) -> Reads:
        """Return the reads of the ASVs that stay; they keep their counts."""
        features, counts = reads
        kept = stream.random(len(features)) >= self.probability
        if not kept.any():
            kept[np.argmax(counts)] = True
        return features[kept], counts[kept]


@dataclass(frozen=True)
class DepthVariation(Augmentation):
    """Draw the depth log-uniformly between a fraction of the full depth and the full depth."""

    min_fraction: float

    def depth(self, depth: int, stream: np.random.Generator) -> int:
        """Choose the number of reads to draw from a sample, from 1 to ``depth``."""
        return max(1, min(depth, round(depth * math.exp(stream.uniform(math.log(self.min_fraction), 0.0)))))


@dataclass(frozen=True)
class Mixing(Augmentation):
    """Mix each sample with a partner, in a ratio drawn from Beta(alpha, alpha) (mixup, Zhang et al. 2018).

    Gordon-Rodriguez et al. 2022 mix compositions as convex combinations, among other ways. We draw whole reads without replacement
    from both, together as many as the shallower of them has, so that the mixture is a sample that could have been sequenced. The
    weight of the targets is the ratio of the reads that were drawn.
    """

    alpha: float

    def mix(
        self, samples: list[Reads], sample_ids: Sequence[str], streams: Streams
    ) -> tuple[list[Reads], Mixture | None]:
        """Mix every sample with another; a sample that is alone in its batch stays unchanged.

        Returns
        -------
        The reads of each mixed sample; and partners and weights, or None if nothing was mixed.
        """
        n = len(samples)
        if n < 2:
            return samples, None
        mixed, partners, weights = [], [], []
        for index, sample_id in enumerate(sample_ids):
            stream = streams(sample_id)
            partner = (index + int(stream.integers(1, n))) % n
            reads, weight = mix_reads(samples[index], samples[partner], stream.beta(self.alpha, self.alpha), stream)
            mixed.append(reads)
            partners.append(partner)
            weights.append(weight)
        return mixed, Mixture(np.array(partners), np.array(weights))


def mix_reads(first: Reads, second: Reads, weight: float, stream: np.random.Generator) -> tuple[Reads, float]:
    """Mix two samples by drawing reads from both, together as many as the shallower of them has.

    Parameters
    ----------
    first, second
        Reads of the samples.
    weight
        Share of the reads to draw from the first sample, between 0 and 1; rounded to whole reads.
    stream
        Source of the draws.

    Returns
    -------
    The mixed reads, and the exact share of them that is from the first sample.
    """
    depth = min(int(first[1].sum()), int(second[1].sum()))
    n_first = round(weight * depth)
    drawn = [rarefy(first[1], n_first, stream), rarefy(second[1], depth - n_first, stream)]
    features, index = np.unique(np.concatenate([first[0], second[0]]), return_inverse=True)
    counts = np.zeros(len(features), dtype=first[1].dtype)
    np.add.at(counts, index, np.concatenate(drawn))
    present = counts > 0
    return (features[present], counts[present]), n_first / depth


N_NUCLEOTIDES = len(vocabulary.NUCLEOTIDES)


@dataclass(frozen=True)
class NucleotideSubstitution(Augmentation):
    """Replace each of A, C, G and T, with a probability, by one of the other three; padding and ambiguous letters stay.

    An ASV's random generator is seeded by its sequence, so the ASV changes in the same way in all samples of an epoch.
    """

    probability: float

    def tokens(self, tokens: np.ndarray, streams: Streams) -> np.ndarray:
        """Return the tokens with substituted nucleotides, uint8 [U, L]."""
        chance, step = np.empty(tokens.shape), np.empty(tokens.shape, dtype=np.uint8)
        for row, sequence in enumerate(tokens):
            stream = streams(sequence[sequence != vocabulary.PAD].tobytes())
            chance[row] = stream.random(len(sequence))
            step[row] = stream.integers(1, N_NUCLEOTIDES, size=len(sequence), dtype=np.uint8)
        number = tokens - np.uint8(vocabulary.FIRST_NUCLEOTIDE)  # padding wraps around to a large number
        is_substituted = (number < N_NUCLEOTIDES) & (chance < self.probability)
        return np.where(is_substituted, (number + step) % N_NUCLEOTIDES + vocabulary.FIRST_NUCLEOTIDE, tokens)


AUGMENTATIONS: dict[str, Callable[[float], Augmentation]] = {
    "min_depth_fraction": DepthVariation,
    "asv_dropout": AsvDropout,
    "abundance_noise": AbundanceNoise,
    "mixup_alpha": Mixing,
    "nucleotide_substitution": NucleotideSubstitution,
}
"""Augmentation of each option, in the order in which they are applied; each is built from the option's value."""


def augmentations_of(config: AugmentationConfig) -> dict[str, Augmentation]:
    """Build the augmentations that are on, by the name of their option, in the order in which they are applied."""
    values = {name: getattr(config, name) for name in AUGMENTATIONS}
    return {name: AUGMENTATIONS[name](value) for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class Augmenter:
    """Augmentations of one epoch, applied one after the other.

    Each draws from generators of its own, seeded by (seed, option, epoch, sample id or sequence).

    Attributes
    ----------
    augmentations
        Augmentations by the name of their option.
    seed
        Seed of the run.
    epoch
        Number of the epoch, or the name of what is read instead.
    """

    augmentations: Mapping[str, Augmentation]
    seed: int
    epoch: int | str

    def depth(self, depth: int, sample_id: str) -> int:
        """Choose the number of reads to draw from a sample, at most ``depth``."""
        for name, augmentation in self.augmentations.items():
            depth = augmentation.depth(depth, self._streams(name)(sample_id))
        return depth

    def reads(self, reads: Reads, sample_id: str) -> Reads:
        """Return changed reads of a sample; at least one ASV stays."""
        for name, augmentation in self.augmentations.items():
            reads = augmentation.reads(reads, self._streams(name)(sample_id))
        return reads

    def mix(self, samples: list[Reads], sample_ids: Sequence[str]) -> tuple[list[Reads], Mixture | None]:
        """Mix the samples of a batch.

        Returns
        -------
        The reads of each mixed sample; and partners and weights, or None if nothing was mixed.
        """
        mixture = None
        for name, augmentation in self.augmentations.items():
            samples, new_mixture = augmentation.mix(samples, sample_ids, self._streams(name))
            mixture = mixture if new_mixture is None else new_mixture
        return samples, mixture

    def tokens(self, tokens: np.ndarray) -> np.ndarray:
        """Return changed tokens of the batch's distinct ASVs, uint8 [U, L]."""
        for name, augmentation in self.augmentations.items():
            tokens = augmentation.tokens(tokens, self._streams(name))
        return tokens

    def _streams(self, name: str) -> Streams:
        return partial(generator, self.seed, name, self.epoch)
