"""The kernel head: an ensemble of machines that reads studies, its members weighed by groups that they were fitted without."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from aam.data.rarefaction import FixedRarefaction, rarefy_once
from aam.data.study import Study
from aam.ecology.tree import FeatureTree
from aam.kernels.features import Phylogeny, Samples
from aam.kernels.known_asvs import KnownASVs, sample_counts
from aam.kernels.machines import KernelMachine
from aam.kernels.trees import Trees
from aam.labels.predicted import Predicted
from aam.labels.target import TargetState
from aam.uncertainty import INTERVAL, OUTLIER, SET, named_sets, prediction_sets, to_probabilities

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class KernelMember:
    """One machine of an ensemble.

    Attributes
    ----------
    name
        Key of `members.MEANINGS`.
    penalty, loss
        What was chosen (None for trees), and its loss on groups left out.
    weight
        In the mean.
    machine
        Gives its outputs.
    """

    name: str
    penalty: float | None
    loss: float
    weight: float
    machine: KernelMachine | Trees


@dataclass(frozen=True)
class KernelCalibration:
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
class KernelEnsemble:
    """Fitted machines.

    Attributes
    ----------
    target
        What is predicted.
    training
        The samples that they were fitted to.
    members
        The machines; the first is that on the ASVs.
    calibration
        What their outputs mean.
    """

    target: TargetState
    training: Samples
    members: tuple[KernelMember, ...]
    calibration: KernelCalibration

    def outputs(self, samples: Samples) -> np.ndarray:
        """Give the members' mean: centred values [m, 1], or logits."""
        return np.sum([member.weight * member.machine.outputs(samples) for member in self.members], axis=0)

    def nearest(self, samples: Samples) -> np.ndarray:
        """Give the distance of each sample to the nearest training sample, by the first member, [m]."""
        machine = self.members[0].machine
        assert isinstance(machine, KernelMachine)
        return machine.kernel.distances(samples).min(axis=1)

    def report(self, outputs: np.ndarray) -> Predicted:
        """Turn outputs into values with intervals, or probabilities with sets of classes."""
        calibration = self.calibration
        if self.target.task == "regression":
            values = outputs[:, 0] + calibration.centre
            ends = values - calibration.threshold, values + calibration.threshold
            return Predicted(values, dict(zip(INTERVAL, ends, strict=True)))
        classes = list(calibration.classes)
        probability = np.zeros((len(outputs), len(self.target.classes)))
        probability[:, classes] = to_probabilities(outputs / calibration.temperature, len(classes))
        sets = prediction_sets(probability, calibration.threshold)
        return Predicted(probability, {SET: named_sets(sets, probability, self.target.classes)}, sets)


LEAST_KNOWN = 0.5
"""Share of a sample's reads that a head should know."""

_BLOCK = 512  # samples that are dense at a time


@dataclass(frozen=True)
class KernelInputs:
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
    fixed_rarefaction: FixedRarefaction | None = None


@dataclass(frozen=True)
class KernelHead(KernelEnsemble):
    """An ensemble that reads studies, whose ASVs it knows by their sequences.

    Attributes
    ----------
    known, phylogeny
        ASVs that it knows, and the branches above them, if there was a tree.
    vectors, equal_depth
        As in `KernelInputs`.
    """

    known: KnownASVs
    phylogeny: Phylogeny | None
    vectors: Callable[[Study], np.ndarray] | None = None
    fixed_rarefaction: FixedRarefaction | None = None

    def predict(self, study: Study, rows: np.ndarray | None = None) -> Predicted:
        """Predict the samples ``rows`` of a study (all by default), which may hold ASVs that training never saw.

        Returns
        -------
        Values or probabilities, and the columns lower and upper (or set), known_reads and is_outlier.
        """
        chosen = study if rows is None else study.select_samples(rows)
        vectors = None if self.vectors is None else self.vectors(chosen)
        number = self.known.find(chosen)
        chosen = rarefy_once(chosen, self.fixed_rarefaction)
        parts = []
        for start in range(0, chosen.n_samples, _BLOCK):
            block = np.arange(start, min(start + _BLOCK, chosen.n_samples))
            counts = sample_counts(chosen.select_samples(block), number, len(self.known)).toarray()
            samples = Samples(counts, None if vectors is None else vectors[block])
            parts.append((self.outputs(samples), self.nearest(samples), counts.sum(axis=1)))
        outputs, nearest, reads = (np.concatenate(part) for part in zip(*parts, strict=True))
        known = reads / np.maximum(chosen.depths, 1)
        _warn_of_unknown_reads(known)
        is_outlier = (nearest > self.calibration.farthest) | (known < LEAST_KNOWN)
        reported = self.report(outputs)
        return replace(reported, columns={**reported.columns, "known_reads": known, OUTLIER: is_outlier})


def _warn_of_unknown_reads(known: np.ndarray) -> None:
    median = float(np.median(known))
    if median < LEAST_KNOWN:
        logger.warning(
            "The model knows the ASVs of %.0f %% of the reads in the median sample, as it matches them by their sequence: were "
            "primers, region and trimming those of the training samples? See the columns known_reads and is_outlier.", 100 * median,
        )  # fmt: skip
