"""A study whose samples were rarefied to one depth, once: for what reads counts whole and draws none of its own."""

from dataclasses import dataclass, fields

import numpy as np

from aam.config.study import SamplingConfig
from aam.data.batches import EVALUATION
from aam.data.rarefaction import rarefy
from aam.data.seeding import generator
from aam.data.study import Study


@dataclass(frozen=True)
class EqualDepth:
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
        """Give the same samples with fewer reads; nothing is drawn before a sample is read."""
        own = {field.name: getattr(study, field.name) for field in fields(Study)}
        own["depths"] = np.minimum(study.depths, self.depth)
        return _Rarefied(**own, how=self)


@dataclass(frozen=True)
class _Rarefied(Study):
    how: EqualDepth

    def sample(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Give the features that one sample holds among the reads drawn, and their counts, both [n]."""
        features, counts = super().sample(row)
        if counts.sum() <= self.how.depth:
            return features, counts
        drawn = rarefy(
            counts, self.how.depth, generator(self.how.seed, "rarefaction", EVALUATION, self.sample_ids[row])
        )
        return features[drawn > 0], drawn[drawn > 0]


def at_depth(study: Study, how: EqualDepth | None) -> Study:
    """Give a study as it is read: whole, unless one depth was asked for."""
    return study if how is None else how.of(study)


def equal_depth(sampling: SamplingConfig, seed: int) -> EqualDepth | None:
    """Say how deeply the kernel head and classical methods read samples: whole, unless ``--rarefy-depth`` is a number."""
    depth = sampling.rarefy_depth
    return EqualDepth(depth, seed) if isinstance(depth, int) else None
