"""The table of augmentations, and the walk through those that are on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from aam.config.augmentation import AugmentationConfig
from aam.data.augmentations.abundance_noise import AbundanceNoise
from aam.data.augmentations.asv_dropout import AsvDropout
from aam.data.augmentations.augmentation import Augmentation, Reads, Streams
from aam.data.augmentations.depth_variation import DepthVariation
from aam.data.augmentations.mixing import Mixing
from aam.data.augmentations.nucleotide_substitution import NucleotideSubstitution
from aam.data.seeding import generator
from aam.drawn import Mixture

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
