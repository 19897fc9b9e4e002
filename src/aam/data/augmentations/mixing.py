"""Mixing: the reads of a sample are mixed with those of another in its batch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aam.data.augmentations.augmentation import Augmentation, Reads, Streams
from aam.data.rarefaction import rarefy
from aam.drawn import Mixture


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
