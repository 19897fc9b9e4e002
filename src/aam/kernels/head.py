"""The kernel head: an ensemble of machines that reads studies."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from aam.data.equal_depth import EqualDepth, at_depth
from aam.data.predicted import Predicted
from aam.data.study import Study
from aam.ecology.tree import FeatureTree
from aam.kernels.ensemble import Ensemble
from aam.kernels.known_asvs import KnownASVs, sample_counts
from aam.kernels.phylogeny import Phylogeny
from aam.kernels.views import Samples
from aam.uncertainty import UNLIKE

logger = logging.getLogger(__name__)

LEAST_KNOWN = 0.5
"""Share of a sample's reads that a head should know."""
_BLOCK = 512  # samples that are dense at a time


@dataclass(frozen=True)
class Resources:
    """What a head may use beside the counts.

    Attributes
    ----------
    tree
        Of the study; None leaves out UniFrac and clades.
    vectors
        Gives the vectors of a study's samples by a pre-trained model, [S, D]; None leaves out that member.
    coverage
        Of intervals and sets.
    equal_depth
        How deeply samples are read; None for all reads. Vectors are of whole samples.
    """

    tree: FeatureTree | None = None
    vectors: Callable[[Study], np.ndarray] | None = None
    coverage: float = 0.9
    equal_depth: EqualDepth | None = None


@dataclass(frozen=True)
class KernelHead(Ensemble):
    """An ensemble that reads studies, whose ASVs it knows by their sequences.

    Attributes
    ----------
    known, phylogeny
        ASVs that it knows, and the branches above them, if there was a tree.
    vectors, equal_depth
        As in `Resources`.
    """

    known: KnownASVs
    phylogeny: Phylogeny | None
    vectors: Callable[[Study], np.ndarray] | None = None
    equal_depth: EqualDepth | None = None

    def predict(self, study: Study, rows: np.ndarray | None = None) -> Predicted:
        """Predict the samples ``rows`` of a study (all by default), which may hold ASVs that training never saw.

        Returns
        -------
        Values or probabilities, and the columns lower and upper (or set), known_reads and unlike.
        """
        chosen = study if rows is None else study.select_samples(rows)
        vectors = None if self.vectors is None else self.vectors(chosen)
        number = self.known.find(chosen)
        chosen = at_depth(chosen, self.equal_depth)
        parts = []
        for start in range(0, chosen.n_samples, _BLOCK):
            block = np.arange(start, min(start + _BLOCK, chosen.n_samples))
            counts = sample_counts(chosen.select_samples(block), number, len(self.known)).toarray()
            samples = Samples(counts, None if vectors is None else vectors[block])
            parts.append((self.outputs(samples), self.nearest(samples), counts.sum(axis=1)))
        outputs, nearest, reads = (np.concatenate(part) for part in zip(*parts, strict=True))
        known = reads / np.maximum(chosen.depths, 1)
        _warn_of_unknown_reads(known)
        unlike = (nearest > self.calibration.farthest) | (known < LEAST_KNOWN)
        reported = self.report(outputs)
        return replace(reported, columns={**reported.columns, "known_reads": known, UNLIKE: unlike})


def _warn_of_unknown_reads(known: np.ndarray) -> None:
    median = float(np.median(known))
    if median < LEAST_KNOWN:
        logger.warning(
            "The model knows the ASVs of %.0f %% of the reads in the median sample, as it matches them by their sequence: were "
            "primers, region and trimming those of the training samples? See the columns known_reads and unlike.", 100 * median,
        )  # fmt: skip
