"""How many ASVs a rarefied sample is expected to hold, and which."""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from aam.data.study import Study

_SAMPLES_PER_RELEASE = 1 << 10


def presence(counts: np.ndarray, depth: int | None) -> np.ndarray:
    """Give the chance that each ASV of a sample is among ``depth`` reads drawn without replacement.

    Of ``N`` reads, ``c`` are the ASV's: ``p = 1 − C(N − c, depth) / C(N, depth)`` (hypergeometric; Hurlbert 1971, whose expected
    number of species is the sum of these).

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
    """What a sample holds once it is rarefied and cut to the token limit.

    Attributes
    ----------
    study
        The samples.
    depth
        Reads drawn from each; None for all.
    token_limit
        Most ASVs of a sample.
    n_mixed
        Samples that one sample is mixed from: 2 with ``--mixup-alpha``.
    """

    study: Study
    depth: int | None
    token_limit: int
    n_mixed: int = 1

    def of(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Give the ASVs of a sample and the chance that each is read, both [n]; of more than the limit, the most abundant."""
        features, counts = self.study.sample(row)
        chance = presence(counts, self.depth)
        if len(features) > self.token_limit:
            kept = np.argpartition(-counts, self.token_limit - 1)[: self.token_limit]
            features, chance = features[kept], chance[kept]
        return features, chance

    def most(self) -> np.ndarray:
        """Give a bound on the ASVs that each sample is read with, at once: those it holds, within the limit; float64 [S]."""
        return np.minimum(self.token_limit, self.n_mixed * self.study.richness).astype(np.float64)

    def lengths(self, rows: np.ndarray) -> np.ndarray:
        """Give how many ASVs samples are read with, two standard deviations above what is expected; float64 [n].

        About 0.1 ms a sample.
        """
        lengths = np.empty(len(rows))
        for place, row in enumerate(rows.tolist()):
            lengths[place] = self._length(row)
            if place % _SAMPLES_PER_RELEASE == 0:
                self.study.release()
        return lengths

    def _length(self, row: int) -> float:
        _, counts = self.study.sample(row)
        chance = presence(counts, self.depth)
        spread = np.sqrt(np.sum(chance * (1 - chance)))
        return float(min(self.token_limit, self.n_mixed * min(len(counts), chance.sum() + 2 * spread)))
