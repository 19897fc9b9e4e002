"""The kernel head: members fitted to labelled samples, weighed by what they say of groups that they were fitted without."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from aam.data.predicted import Predicted
from aam.data.study import Study
from aam.data.target import TargetState
from aam.ecology.tree import FeatureTree
from aam.kernels.gram import MeanKernel
from aam.kernels.known_asvs import KnownASVs, sample_counts
from aam.kernels.members import FEATURES
from aam.kernels.phylogeny import Phylogeny
from aam.kernels.uncertainty import prediction_sets, to_probabilities
from aam.kernels.views import Samples

logger = logging.getLogger(__name__)

LEAST_KNOWN = 0.5
"""Share of a sample's reads that a head should know."""
SET_SEPARATOR = "|"
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
    """

    tree: FeatureTree | None = None
    vectors: Callable[[Study], np.ndarray] | None = None
    coverage: float = 0.9


@dataclass(frozen=True)
class Member:
    """One kernel machine of a head.

    Attributes
    ----------
    name
        Key of `members.MEANINGS`.
    penalty, loss
        What was chosen, and its leave-one-group-out loss.
    weight
        In the head's mean.
    dual
        Coefficients of the training samples, [n, K].
    """

    name: str
    penalty: float
    loss: float
    weight: float
    dual: np.ndarray


@dataclass(frozen=True)
class Calibration:
    """Numbers that turn the members' mean into what is reported.

    Attributes
    ----------
    centre
        Mean of the training samples (regression).
    temperature
        Divides the logits (classification).
    classes
        Numbers of the classes that training samples have.
    coverage
        Of intervals and sets.
    threshold
        Half of an interval's width, or the least probability of a set's classes, subtracted from 1.
    farthest
        Distance to the nearest training sample from which on a sample is unlike them.
    """

    centre: float
    temperature: float
    classes: tuple[int, ...]
    coverage: float
    threshold: float
    farthest: float


@dataclass(frozen=True)
class KernelHead:
    """A fitted head.

    Attributes
    ----------
    target
        What is predicted.
    known, phylogeny
        ASVs that it knows, and the branches above them, if there was a tree.
    training
        The samples that it was fitted to.
    kernels
        Of each member, by name.
    members
        The machines.
    calibration
        What their outputs mean.
    vectors
        As in `Resources`.
    """

    target: TargetState
    known: KnownASVs
    phylogeny: Phylogeny | None
    training: Samples
    kernels: dict[str, MeanKernel]
    members: tuple[Member, ...]
    calibration: Calibration
    vectors: Callable[[Study], np.ndarray] | None = None

    def predict(self, study: Study, rows: np.ndarray | None = None) -> Predicted:
        """Predict the samples ``rows`` of a study (all by default), which may hold ASVs that training never saw.

        Returns
        -------
        Values or probabilities, and the columns lower and upper (or set), known_reads and unlike.
        """
        chosen = study if rows is None else study.select_samples(rows)
        vectors = None if self.vectors is None else self.vectors(chosen)
        number = self.known.find(chosen)
        parts = []
        for start in range(0, chosen.n_samples, _BLOCK):
            block = np.arange(start, min(start + _BLOCK, chosen.n_samples))
            counts = sample_counts(chosen.select_samples(block), number, len(self.known)).toarray()
            samples = Samples(counts, None if vectors is None else vectors[block])
            parts.append((self._outputs(samples), self._nearest(samples), counts.sum(axis=1)))
        outputs, nearest, reads = (np.concatenate(part) for part in zip(*parts, strict=True))
        known = reads / np.maximum(chosen.depths, 1)
        _warn_of_unknown_reads(known)
        unlike = (nearest > self.calibration.farthest) | (known < LEAST_KNOWN)
        reported = self._report(outputs)
        return replace(reported, columns={**reported.columns, "known_reads": known, "unlike": unlike})

    def _outputs(self, samples: Samples) -> np.ndarray:
        outputs = [
            member.weight * (self.kernels[member.name].against_training(samples) @ member.dual)
            for member in self.members
        ]
        return np.sum(outputs, axis=0)

    def _nearest(self, samples: Samples) -> np.ndarray:
        return self.kernels[FEATURES].distances(samples).min(axis=1)

    def _report(self, outputs: np.ndarray) -> Predicted:
        calibration = self.calibration
        if self.target.task == "regression":
            values = outputs[:, 0] + calibration.centre
            return Predicted(values, {"lower": values - calibration.threshold, "upper": values + calibration.threshold})
        classes = list(calibration.classes)
        probability = np.zeros((len(outputs), len(self.target.classes)))
        probability[:, classes] = to_probabilities(outputs / calibration.temperature, len(classes))
        sets = prediction_sets(probability, calibration.threshold)
        likeliest_first = np.argsort(-probability, axis=1, kind="stable")
        named = [
            SET_SEPARATOR.join(self.target.classes[k] for k in order if chosen[k])
            for order, chosen in zip(likeliest_first, sets, strict=True)
        ]
        return Predicted(probability, {"set": named}, sets)


def _warn_of_unknown_reads(known: np.ndarray) -> None:
    median = float(np.median(known))
    if median < LEAST_KNOWN:
        logger.warning(
            "The model knows the ASVs of %.0f %% of the reads in the median sample, as it matches them by their sequence: were "
            "primers, region and trimming those of the training samples? See the columns known_reads and unlike.", 100 * median,
        )  # fmt: skip
