"""Depth variation: samples are read to different depths."""

import math
from dataclasses import dataclass

import numpy as np

from aam.data.augmentations.augmentation import Augmentation


@dataclass(frozen=True)
class DepthVariation(Augmentation):
    """Draw the depth log-uniformly between a fraction of it and the whole."""

    min_fraction: float

    def depth(self, depth: int, stream: np.random.Generator) -> int:
        """Choose a depth; at least one read."""
        return max(1, min(depth, round(depth * math.exp(stream.uniform(math.log(self.min_fraction), 0.0)))))
