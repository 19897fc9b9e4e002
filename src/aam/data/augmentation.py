"""Random changes of training samples: the table of augmentations, and the walk through those that are on."""

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


@dataclass(frozen=True)
class AbundanceNoise(Augmentation):
    """Multiply each count by ``exp(std · z)``, ``z`` standard normal, as biases of extraction and PCR do (McLaren et al. 2019).

    The products are scaled to the sample's number of reads and rounded by largest remainders, so that without noise nothing would
    change; ASVs whose count becomes 0 are gone.
    """

    std: float

    def reads(self, reads: Reads, stream: np.random.Generator) -> Reads:
        """Change the counts."""
        features, counts = reads
        noise = self.std * stream.standard_normal(len(counts))
        noisy = _round_to_total(counts * np.exp(noise - noise.max()), int(counts.sum()))
        present = noisy > 0
        return features[present], noisy[present].astype(counts.dtype)


def _round_to_total(weights: np.ndarray, total: int) -> np.ndarray:
    """Share ``total`` out by weight, in whole numbers (Hamilton's method)."""
    exact = weights * (total / weights.sum())
    shares = np.floor(exact).astype(np.int64)
    by_remainder = np.argsort(shares - exact, kind="stable")
    shares[by_remainder[: total - int(shares.sum())]] += 1
    return shares


@dataclass(frozen=True)
class AsvDropout(Augmentation):
    """Leave out each ASV with a probability; where none would stay, the most abundant does."""

    probability: float

    def reads(self, reads: Reads, stream: np.random.Generator) -> Reads:
        """Leave out ASVs; those that stay keep their counts."""
        features, counts = reads
        kept = stream.random(len(features)) >= self.probability
        if not kept.any():
            kept[np.argmax(counts)] = True
        return features[kept], counts[kept]


@dataclass(frozen=True)
class DepthVariation(Augmentation):
    """Draw the depth log-uniformly between a fraction of it and the whole."""

    min_fraction: float

    def depth(self, depth: int, stream: np.random.Generator) -> int:
        """Choose a depth; at least one read."""
        return max(1, min(depth, round(depth * math.exp(stream.uniform(math.log(self.min_fraction), 0.0)))))


@dataclass(frozen=True)
class Mixing(Augmentation):
    """Mix each sample with a partner, in a ratio drawn from Beta(alpha, alpha) (mixup, Zhang et al. 2018).

    Gordon-Rodriguez et al. 2022 mix compositions as convex combinations, among other ways. We draw whole reads without replacement
    from both, as many together as the shallower of them has, so that the mixture is a sample that could have been sequenced, and
    take the ratio of the reads that were drawn as the weight of the targets.
    """

    alpha: float

    def mix(
        self, samples: list[Reads], sample_ids: Sequence[str], streams: Streams
    ) -> tuple[list[Reads], Mixture | None]:
        """Mix every sample with another; a sample alone in its batch stays as it is."""
        n = len(samples)
        if n < 2:
            return samples, None
        mixed, partners, weights = [], [], []
        for place, sample_id in enumerate(sample_ids):
            stream = streams(sample_id)
            partner = (place + int(stream.integers(1, n))) % n
            reads, weight = mix_reads(samples[place], samples[partner], stream.beta(self.alpha, self.alpha), stream)
            mixed.append(reads)
            partners.append(partner)
            weights.append(weight)
        return mixed, Mixture(np.array(partners), np.array(weights))


def mix_reads(own: Reads, other: Reads, weight: float, stream: np.random.Generator) -> tuple[Reads, float]:
    """Draw about ``weight`` of the reads from ``own`` and the rest from ``other``; give them and the exact share of ``own``."""
    depth = min(int(own[1].sum()), int(other[1].sum()))
    n_own = round(weight * depth)
    drawn = [rarefy(own[1], n_own, stream), rarefy(other[1], depth - n_own, stream)]
    features, place = np.unique(np.concatenate([own[0], other[0]]), return_inverse=True)
    counts = np.zeros(len(features), dtype=own[1].dtype)
    np.add.at(counts, place, np.concatenate(drawn))
    present = counts > 0
    return (features[present], counts[present]), n_own / depth


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


AUGMENTATIONS: dict[str, Callable[[float], Augmentation]] = {
    "min_depth_fraction": DepthVariation,
    "asv_dropout": AsvDropout,
    "abundance_noise": AbundanceNoise,
    "mixup_alpha": Mixing,
    "nucleotide_substitution": NucleotideSubstitution,
}
"""By option, in the order in which they act; each is made from the option's value."""


def augmentations_of(config: AugmentationConfig) -> dict[str, Augmentation]:
    """Make the augmentations that the user asked for."""
    asked = {name: getattr(config, name) for name in AUGMENTATIONS}
    return {name: AUGMENTATIONS[name](value) for name, value in asked.items() if value is not None}


@dataclass(frozen=True)
class Augmenter:
    """Applies augmentations in turn; each draws from streams of its own, by (seed, option, epoch, sample id or sequence)."""

    augmentations: Mapping[str, Augmentation]
    seed: int
    epoch: int | str

    def depth(self, depth: int, sample_id: str) -> int:
        """Choose how many reads to draw of a sample."""
        for name, augmentation in self.augmentations.items():
            depth = augmentation.depth(depth, self._streams(name)(sample_id))
        return depth

    def reads(self, reads: Reads, sample_id: str) -> Reads:
        """Change the reads that were drawn from a sample."""
        for name, augmentation in self.augmentations.items():
            reads = augmentation.reads(reads, self._streams(name)(sample_id))
        return reads

    def mix(self, samples: list[Reads], sample_ids: Sequence[str]) -> tuple[list[Reads], Mixture | None]:
        """Mix the samples of a batch."""
        mixture = None
        for name, augmentation in self.augmentations.items():
            samples, made = augmentation.mix(samples, sample_ids, self._streams(name))
            mixture = mixture if made is None else made
        return samples, mixture

    def tokens(self, tokens: np.ndarray) -> np.ndarray:
        """Change the nucleotides of the batch's distinct ASVs."""
        for name, augmentation in self.augmentations.items():
            tokens = augmentation.tokens(tokens, self._streams(name))
        return tokens

    def _streams(self, name: str) -> Streams:
        return partial(generator, self.seed, name, self.epoch)
