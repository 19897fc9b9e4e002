"""Rarefaction: the same number of reads from every sample, drawn without replacement, anew in each epoch or once for a study."""

import hashlib
import logging
from dataclasses import dataclass, fields

import numpy as np

from aam.config.study import SamplingConfig
from aam.data.few_reads import automatic_depth, automatic_depth_remarks
from aam.data.study import Study
from aam.errors import TableError, name_some

logger = logging.getLogger(__name__)


_SHOWN = 1000  # names of dropped samples in the log

_SAMPLES_PER_RELEASE = 1 << 10

MOST_READS_OF_NUMPY = 10**9
"""Number of reads of a sample from which on NumPy refuses to draw."""

EVALUATION = "evaluation"
"""Epoch of the draws that depend on the seed and the sample alone."""


def generator(seed: int, purpose: str, *keys: object) -> np.random.Generator:
    """Build the random generator for one purpose, such as the rarefaction of one sample in one epoch.

    Generators of different keys are independent, so worker count, batch composition and restarts do not change a draw.

    Parameters
    ----------
    seed
        Seed of the run.
    purpose
        Name of what is drawn, such as ``rarefaction``.
    keys
        Epoch, sample id and whatever else distinguishes the draws of one purpose.

    Returns
    -------
    A generator that is a function of the arguments alone.
    """
    name = "\0".join([str(seed), purpose, *map(str, keys)])
    digest = hashlib.blake2b(name.encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


def rarefy(counts: np.ndarray, depth: int, generator: np.random.Generator) -> np.ndarray:
    """Draw reads of one sample without replacement.

    Parameters
    ----------
    counts
        Reads of each ASV, int64 [n]; at least ``depth`` in total.
    depth
        Number of reads to draw.
    generator
        Source of the draw.

    Returns
    -------
    Drawn reads of each ASV, int64 [n].
    """
    total = int(counts.sum())
    if total == depth:
        return counts.copy()
    if total >= MOST_READS_OF_NUMPY and depth < total:
        return _rarefy_deep(counts, depth, generator)
    return generator.multivariate_hypergeometric(counts, depth, method="marginals")


def _rarefy_deep(counts: np.ndarray, depth: int, generator: np.random.Generator) -> np.ndarray:
    """Draw each read with the same probability, then remove excess reads, or draw missing ones, one by one.

    Whatever the number of reads of the first step, all sets of that many reads are equally likely, and they stay so in the second
    step: the draw is exact. The number differs from ``depth`` by about its square root, so that the second step is small.
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
    """Convert ``--rarefy-depth`` to a number of reads.

    Parameters
    ----------
    rarefy_depth
        A number of reads, ``auto`` or ``none``.
    depths
        Reads of each sample, [S]; ``auto`` chooses by them.

    Returns
    -------
    The number of reads to draw from each sample, or None for no rarefaction.
    """
    if rarefy_depth == "none":
        return None
    if rarefy_depth == "auto":
        return automatic_depth(depths)
    return int(rarefy_depth)


def choose_depth(rarefy_depth: int | str, study: Study) -> int | None:
    """Return what `resolve_depth` returns for a study; warn if samples of few reads set the automatic depth.

    Parameters
    ----------
    rarefy_depth
        A number of reads, ``auto`` or ``none``.
    study
        The samples to read.
    """
    if rarefy_depth == "auto":
        for remark in automatic_depth_remarks(study.sample_ids, study.depths):
            logger.warning("%s", remark)
    return resolve_depth(rarefy_depth, study.depths)


def drop_shallow_samples(study: Study, depth: int | None) -> Study:
    """Drop the samples with fewer reads than ``depth``, or without any if it is None, and warn of them.

    Returns
    -------
    The study of the samples that are left.

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


@dataclass(frozen=True)
class FixedRarefaction:
    """Rarefaction of a study to one depth, with one draw of each sample.

    Attributes
    ----------
    depth
        Reads drawn from each sample without replacement; samples with fewer are read whole.
    seed
        Seed of the draws, which depend on it and the sample's id; they are those that the network reads in validation and
        prediction.
    """

    depth: int
    seed: int

    def of(self, study: Study) -> Study:
        """Return the same samples with fewer reads; nothing is drawn before a sample is read."""
        assert not isinstance(study, _Rarefied), "a study is rarefied once: its reads are drawn from all of a sample"
        attributes = {field.name: getattr(study, field.name) for field in fields(Study)}
        attributes["depths"] = np.minimum(study.depths, self.depth)
        return _Rarefied(**attributes, rarefaction=self)


@dataclass(frozen=True)
class _Rarefied(Study):
    rarefaction: FixedRarefaction

    def sample(self, sample_index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the features among the reads drawn from one sample, increasing, and their counts, both [n]."""
        features, counts = super().sample(sample_index)
        depth, seed = self.rarefaction.depth, self.rarefaction.seed
        if counts.sum() <= depth:
            return features, counts
        drawn = rarefy(counts, depth, generator(seed, "rarefaction", EVALUATION, self.sample_ids[sample_index]))
        return features[drawn > 0], drawn[drawn > 0]

    @property
    def richness(self) -> np.ndarray:
        """Number of ASVs among the reads drawn from each sample, int64 [S]; draws all samples."""
        richness = np.empty(self.n_samples, dtype=np.int64)
        for index in range(self.n_samples):
            richness[index] = len(self.sample(index)[0])
            if index % _SAMPLES_PER_RELEASE == 0:
                self.release()
        return richness

    def digest(self) -> str:
        """Hash the digest of the whole samples, the depth and the seed to 32 hexadecimal digits."""
        content = f"{super().digest()} {self.rarefaction.depth} {self.rarefaction.seed}"
        return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()


def rarefy_once(study: Study, rarefaction: FixedRarefaction | None) -> Study:
    """Return the rarefied study, or the study itself if there is no rarefaction."""
    return study if rarefaction is None else rarefaction.of(study)


def fixed_rarefaction(sampling: SamplingConfig, seed: int) -> FixedRarefaction | None:
    """Build the rarefaction of the kernel head and the classical methods; None unless ``--rarefy-depth`` is a number."""
    depth = sampling.rarefy_depth
    return FixedRarefaction(depth, seed) if isinstance(depth, int) else None
