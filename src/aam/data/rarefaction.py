"""Rarefaction: an equal number of reads from every sample, drawn without replacement, anew in each epoch or once for a study."""

import hashlib
import logging
from dataclasses import dataclass, fields

import numpy as np

from aam.config.study import SamplingConfig
from aam.data.study import Study
from aam.errors import TableError, name_some

logger = logging.getLogger(__name__)


def generator(seed: int, purpose: str, *keys: object) -> np.random.Generator:
    """Make the random stream for one purpose, such as the rarefaction of one sample in one epoch.

    Streams of different keys are independent, so worker count, batch composition and restarts do not change a draw.
    """
    name = "\0".join([str(seed), purpose, *map(str, keys)])
    digest = hashlib.blake2b(name.encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


_SHOWN = 1000  # names of dropped samples in the log

_SAMPLES_PER_RELEASE = 1 << 10

SHARE_KEPT_BY_AUTO = 0.98
"""Share of the samples that the automatic depth keeps."""

MOST_READS_OF_NUMPY = 10**9
"""Reads of a sample from which on NumPy refuses to draw."""


def rarefy(counts: np.ndarray, depth: int, generator: np.random.Generator) -> np.ndarray:
    """Draw ``depth`` reads without replacement; int64 [n] like the counts, whose sum must be at least ``depth``."""
    total = int(counts.sum())
    if total == depth:
        return counts.copy()
    if total >= MOST_READS_OF_NUMPY and depth < total:
        return _rarefy_deep(counts, depth, generator)
    return generator.multivariate_hypergeometric(counts, depth, method="marginals")


def _rarefy_deep(counts: np.ndarray, depth: int, generator: np.random.Generator) -> np.ndarray:
    """Take each read with the same probability, then give back, or take, as many single reads as are too many or lacking.

    Whatever number the first step takes, all sets of so many reads are equally likely, and they stay so in the second: the draw is
    exact. The number differs from ``depth`` by about its root, so that the second step is small.
    """
    drawn = generator.binomial(counts, depth / counts.sum())
    excess = int(drawn.sum()) - depth
    if excess > 0:
        return drawn - _single_reads(drawn, excess, generator)
    return drawn + _single_reads(counts - drawn, -excess, generator)


def _single_reads(counts: np.ndarray, n: int, generator: np.random.Generator) -> np.ndarray:
    """Draw ``n`` reads without replacement, one by one."""
    reads = generator.choice(int(counts.sum()), n, replace=False, shuffle=False)
    return np.bincount(np.searchsorted(np.cumsum(counts), reads, side="right"), minlength=len(counts))


def resolve_depth(rarefy_depth: int | str, depths: np.ndarray) -> int | None:
    """Turn ``--rarefy-depth`` into a number of reads, or None for no rarefaction."""
    if rarefy_depth == "none":
        return None
    if rarefy_depth == "auto":
        n_dropped = int((1 - SHARE_KEPT_BY_AUTO) * len(depths))
        return max(1, int(np.sort(depths)[n_dropped]))
    return int(rarefy_depth)


def drop_shallow_samples(study: Study, depth: int | None) -> Study:
    """Leave out the samples with fewer reads than ``depth`` (or with none), and say which.

    Raises
    ------
    TableError
        No sample is left.
    """
    least = depth or 1
    depths = study.depths
    kept = np.flatnonzero(depths >= least)
    if depth is None and not len(kept):
        raise TableError(f"None of the {study.n_samples:,} samples has any reads: check --table.")
    if not len(kept):
        raise TableError(
            f"None of the {study.n_samples:,} samples has the {least:,} reads that are needed; the richest has "
            f"{int(depths.max(initial=0)):,}. Pass a smaller --rarefy-depth, or --rarefy-depth none for no rarefaction."
        )
    if len(kept) < study.n_samples:
        dropped = study.sample_ids.select(np.flatnonzero(depths < least))
        why = "without any reads" if depth is None else f"with fewer than {depth:,} reads"
        hint = "" if depth is None else " --rarefy-depth sets the depth."
        logger.warning(
            "Dropped %d of %d samples %s: %s.%s",
            len(dropped), study.n_samples, why, name_some(dropped, limit=_SHOWN), hint,
        )  # fmt: skip
    return study.select_samples(kept)


EVALUATION = "evaluation"
"""The epoch of draws that must depend on the seed and the sample alone."""


@dataclass(frozen=True)
class FixedRarefaction:
    """How deeply each sample is read.

    Attributes
    ----------
    depth
        Reads drawn from each sample without replacement; those that have fewer are read whole.
    seed
        Fixes the draws, with the sample's id; they are those that the network reads in validation and prediction.
    """

    depth: int
    seed: int

    def of(self, study: Study) -> Study:
        """Return the same samples with fewer reads; nothing is drawn before a sample is read."""
        assert not isinstance(study, _Rarefied), "a study is rarefied once: its reads are drawn from all of a sample"
        attributes = {field.name: getattr(study, field.name) for field in fields(Study)}
        attributes["depths"] = np.minimum(study.depths, self.depth)
        return _Rarefied(**attributes, how=self)


@dataclass(frozen=True)
class _Rarefied(Study):
    how: FixedRarefaction

    def sample(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Give the features that one sample holds among the reads drawn, and their counts, both [n]."""
        features, counts = super().sample(row)
        if counts.sum() <= self.how.depth:
            return features, counts
        drawn = rarefy(
            counts, self.how.depth, generator(self.how.seed, "rarefaction", EVALUATION, self.sample_ids[row])
        )
        return features[drawn > 0], drawn[drawn > 0]

    @property
    def richness(self) -> np.ndarray:
        """ASVs that each sample holds among the reads drawn, int64 [S]; draws them anew, sample by sample."""
        richness = np.empty(self.n_samples, dtype=np.int64)
        for row in range(self.n_samples):
            richness[row] = len(self.sample(row)[0])
            if row % _SAMPLES_PER_RELEASE == 0:
                self.release()
        return richness

    def digest(self) -> str:
        """Hash the digest of the whole samples, the depth and the seed: what the reads drawn depend on."""
        name = f"{super().digest()} {self.how.depth} {self.how.seed}"
        return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


def rarefy_once(study: Study, how: FixedRarefaction | None) -> Study:
    """Give a study as it is read: whole, unless one depth was asked for."""
    return study if how is None else how.of(study)


def fixed_rarefaction(sampling: SamplingConfig, seed: int) -> FixedRarefaction | None:
    """Say how deeply the kernel head and classical methods read samples: whole, unless ``--rarefy-depth`` is a number."""
    depth = sampling.rarefy_depth
    return FixedRarefaction(depth, seed) if isinstance(depth, int) else None
