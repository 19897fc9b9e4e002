"""ASV dropout: some of a sample's ASVs are left out."""

from dataclasses import dataclass

import numpy as np

from aam.data.augmentations.augmentation import Augmentation, Reads


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
