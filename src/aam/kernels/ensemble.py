"""Machines fitted to labelled samples, weighed by what they say of groups that they were fitted without."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from aam.data.predicted import Predicted
from aam.data.target import TargetState
from aam.kernels.forest import Forest
from aam.kernels.machine import KernelMachine
from aam.kernels.uncertainty import prediction_sets, to_probabilities
from aam.kernels.views import Samples

SET_SEPARATOR = "|"


def write_set(classes: Iterable[str]) -> str:
    """Write a set of classes in one cell; a bar or a backslash in a name gets a backslash before it.

    Examples
    --------
    >>> write_set(["CD", "control"])
    'CD|control'
    """
    return SET_SEPARATOR.join(
        name.replace("\\", "\\\\").replace(SET_SEPARATOR, f"\\{SET_SEPARATOR}") for name in classes
    )


@dataclass(frozen=True)
class Member:
    """One machine of an ensemble.

    Attributes
    ----------
    name
        Key of `members.MEANINGS`.
    penalty, loss
        What was chosen (None for a forest), and its loss on groups left out.
    weight
        In the mean.
    machine
        Gives its outputs.
    """

    name: str
    penalty: float | None
    loss: float
    weight: float
    machine: KernelMachine | Forest


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
class Ensemble:
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
    members: tuple[Member, ...]
    calibration: Calibration

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
            return Predicted(values, {"lower": values - calibration.threshold, "upper": values + calibration.threshold})
        classes = list(calibration.classes)
        probability = np.zeros((len(outputs), len(self.target.classes)))
        probability[:, classes] = to_probabilities(outputs / calibration.temperature, len(classes))
        sets = prediction_sets(probability, calibration.threshold)
        likeliest_first = np.argsort(-probability, axis=1, kind="stable")
        named = [
            write_set(self.target.classes[k] for k in order if chosen[k])
            for order, chosen in zip(likeliest_first, sets, strict=True)
        ]
        return Predicted(probability, {"set": named}, sets)
