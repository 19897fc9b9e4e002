"""The kernel head: an ensemble of machines that reads studies, weighted by their losses on groups that they were fitted without."""

import logging
from dataclasses import dataclass, replace
from typing import Annotated, Protocol

import numpy as np
from pydantic import Field, StrictFloat, StrictInt

from aam.data.few_reads import has_few_reads
from aam.data.rarefaction import FixedRarefaction, rarefy_once
from aam.data.study import Study
from aam.ecology.tree import FeatureTree
from aam.kernels.features import Phylogeny, Samples
from aam.kernels.known_asvs import KnownASVs, sample_counts
from aam.kernels.machines import KernelMachine
from aam.kernels.trees import Trees
from aam.labels.target import Predictions, TargetState
from aam.stored import STORED, PositiveNumber
from aam.uncertainty import INTERVAL, OUTLIER, SET, named_sets, prediction_sets, to_probabilities

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class KernelMember:
    """One machine of an ensemble.

    Attributes
    ----------
    name
        Key of `fitting.MEANINGS`.
    penalty, loss
        Penalty that was chosen (None for trees), and the loss on groups left out.
    weight
        Weight in the ensemble's mean.
    machine
        Computes the member's outputs.
    """

    name: str
    penalty: float | None
    loss: float
    weight: float
    machine: KernelMachine | Trees


@STORED
@dataclass(frozen=True)
class KernelCalibration:
    """Numbers that turn the members' mean into predictions.

    Attributes
    ----------
    centre
        Mean value of the training samples (regression).
    temperature
        Divisor of the logits (classification).
    classes
        Numbers of the classes that training samples have.
    coverage
        Coverage of intervals and sets.
    threshold
        Half of an interval's width, or 1 − the least probability of a set's classes.
    farthest
        Distance to the nearest training sample beyond which a sample is an outlier.
    """

    centre: StrictFloat
    temperature: PositiveNumber
    classes: tuple[StrictInt, ...]
    coverage: Annotated[StrictFloat, Field(gt=0, lt=1)]
    threshold: StrictFloat
    farthest: StrictFloat


@dataclass(frozen=True)
class KernelEnsemble:
    """An ensemble of fitted machines.

    Attributes
    ----------
    target
        The target to predict.
    training
        The samples that the machines were fitted to.
    members
        The machines; the first is the kernel machine on ASVs.
    calibration
        Numbers that turn their outputs into predictions.
    """

    target: TargetState
    training: Samples
    members: tuple[KernelMember, ...]
    calibration: KernelCalibration

    def outputs(self, samples: Samples) -> np.ndarray:
        """Compute the members' weighted mean: centred values [m, 1], or logits [m, C] ([m, 1] for two classes)."""
        return np.sum([member.weight * member.machine.outputs(samples) for member in self.members], axis=0)

    def nearest(self, samples: Samples) -> np.ndarray:
        """Compute the distance of each sample to the nearest training sample, in the first member's kernel space, [m]."""
        machine = self.members[0].machine
        assert isinstance(machine, KernelMachine)
        return machine.kernel.distances(samples).min(axis=1)

    def values(self, outputs: np.ndarray) -> np.ndarray:
        """Compute values, [m], or probabilities of all classes, [m, C], from outputs."""
        calibration = self.calibration
        if self.target.task == "regression":
            return outputs[:, 0] + calibration.centre  # type: ignore[no-any-return]
        classes = list(calibration.classes)
        probability = np.zeros((len(outputs), len(self.target.classes)))
        probability[:, classes] = to_probabilities(outputs / calibration.temperature, len(classes))
        return probability

    def report(self, outputs: np.ndarray) -> Predictions:
        """Compute predictions from outputs: values with intervals, or probabilities with sets of classes."""
        calibration, values = self.calibration, self.values(outputs)
        if self.target.task == "regression":
            ends = values - calibration.threshold, values + calibration.threshold
            return Predictions(values, dict(zip(INTERVAL, ends, strict=True)))
        probability = values
        sets = prediction_sets(probability, calibration.threshold)
        return Predictions(probability, {SET: named_sets(sets, probability, self.target.classes)}, sets)


LEAST_KNOWN = 0.5
"""Least share of a sample's reads that are of known ASVs; a sample with less is an outlier."""

BLOCK = 512
"""Samples whose counts are dense at a time."""


class VectorSource(Protocol):
    """A pre-trained model that computes vectors of samples."""

    def __call__(self, study: Study) -> np.ndarray:
        """Compute the vectors of the samples of a study, float64 [S, D]."""
        ...

    def of_changed(self, study: Study) -> np.ndarray:
        """Compute the vectors of samples whose reads were changed, float64 [S, D]."""
        ...


@dataclass(frozen=True)
class KernelInputs:
    """Inputs and options of a head beside the counts.

    Attributes
    ----------
    tree
        Tree of the study; None leaves out UniFrac and clades.
    vectors
        Computes the vectors of a study's samples by a pre-trained model, [S, D]; None leaves out that member.
    coverage
        Coverage of intervals and sets.
    fixed_rarefaction
        Rarefaction of the samples; None for all reads. Vectors are of whole samples.
    """

    tree: FeatureTree | None = None
    vectors: VectorSource | None = None
    coverage: float = 0.9
    fixed_rarefaction: FixedRarefaction | None = None


@dataclass(frozen=True)
class KernelHead(KernelEnsemble):
    """An ensemble that reads studies, and recognises their ASVs by their sequences.

    Attributes
    ----------
    known, phylogeny
        Known ASVs, and the branches above them; None without a tree.
    vectors, fixed_rarefaction
        As in `KernelInputs`.
    """

    known: KnownASVs
    phylogeny: Phylogeny | None
    vectors: VectorSource | None = None
    fixed_rarefaction: FixedRarefaction | None = None

    @property
    def training_reads(self) -> np.ndarray:
        """Reads of known ASVs in each training sample, [n]."""
        return self.training.counts.sum(axis=1)

    def predict(self, study: Study, rows: np.ndarray | None = None) -> Predictions:
        """Predict the samples ``rows`` of a study (all by default), which may hold ASVs that training never saw.

        Returns
        -------
        Predictions
            Values [m] or probabilities [m, C], and the columns lower and upper (or set), known_reads and is_outlier.
        """
        chosen = study if rows is None else study.select_samples(rows)
        vectors = None if self.vectors is None else self.vectors(chosen)
        number = self.known.find(chosen)
        chosen = rarefy_once(chosen, self.fixed_rarefaction)
        parts = []
        for start in range(0, chosen.n_samples, BLOCK):
            block = np.arange(start, min(start + BLOCK, chosen.n_samples))
            counts = sample_counts(chosen.select_samples(block), number, len(self.known)).toarray()
            samples = Samples(counts, None if vectors is None else vectors[block])
            parts.append((self.outputs(samples), self.nearest(samples), counts.sum(axis=1)))
        outputs, nearest, reads = (np.concatenate(part) for part in zip(*parts, strict=True))
        known_share = reads / np.maximum(chosen.depths, 1)
        _warn_of_unknown_reads(known_share)
        is_outlier = (nearest > self.calibration.farthest) | (known_share < LEAST_KNOWN)
        is_outlier |= has_few_reads(chosen.depths, self.training_reads)
        reported = self.report(outputs)
        return replace(reported, columns={**reported.columns, "known_reads": known_share, OUTLIER: is_outlier})


def _warn_of_unknown_reads(known_share: np.ndarray) -> None:
    median = float(np.median(known_share))
    if median < LEAST_KNOWN:
        logger.warning(
            "The model knows the ASVs of %.0f %% of the reads in the median sample, as it matches them by their sequence: were "
            "primers, region and trimming those of the training samples? See the columns known_reads and is_outlier.", 100 * median,
        )  # fmt: skip
