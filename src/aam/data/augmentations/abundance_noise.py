"""Abundance noise: counts are multiplied by log-normal noise, and the sample keeps its number of reads."""

from dataclasses import dataclass

import numpy as np

from aam.data.augmentations.augmentation import Augmentation, Reads


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
