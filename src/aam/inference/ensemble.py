"""Ensembles of networks: the module that is saved and loaded, its calibration on left-out samples, and its predictor."""

import logging
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field, StrictFloat, model_validator
from torch import nn

from aam.batch import CATEGORY
from aam.labels.head_inputs import HeadInputs
from aam.labels.target import AnyTarget, JointTarget, Predictions, TargetState, parts_of
from aam.models.sequence_encoder import SequenceEncoder
from aam.models.sequence_predictor import SequencePredictor
from aam.stored import STORED, Count, PositiveNumber, expect
from aam.uncertainty import (
    FARTHEST,
    INTERVAL,
    SET,
    distance_to_nearest,
    fit_temperature,
    logits_of,
    named_sets,
    prediction_sets,
    threshold_of,
    to_probabilities,
)

logger = logging.getLogger(__name__)


MEMBERS_SD = "members_sd"
"""Column of the standard deviation of a number over members."""


class NetworkEnsemble(nn.Module):
    """Module that holds the vectors of each member's training samples as buffers; members have model directories of their own.

    Parameters
    ----------
    info
        Description of the ensemble. ``vectors``: shape of each member's vectors; ``calibration``: fields of
        `EnsembleCalibration`; ``weights``: digest of each member's weights.
    """

    def __init__(self, info: dict[str, Any]) -> None:
        super().__init__()
        self.info = info
        self.members: tuple[SequencePredictor, ...] = ()
        for number, shape in enumerate(info["vectors"]):
            self.register_buffer(f"vectors_{number + 1}", torch.zeros(shape))

    @property
    def base_encoder(self) -> SequenceEncoder | None:
        """None: each member has an encoder of its own."""
        return None

    @classmethod
    def of(cls, info: dict[str, Any], members: list[SequencePredictor], vectors: list[np.ndarray]) -> "NetworkEnsemble":
        """Build the module of trained members and the vectors of their training samples, [n, D] for each member."""
        model = cls({**info, "vectors": [list(of_member.shape) for of_member in vectors]})
        for number, of_member in enumerate(vectors):
            model.get_buffer(f"vectors_{number + 1}").copy_(torch.from_numpy(of_member))
        model.members = tuple(members)
        return model

    def distances(self, number: int, vectors: np.ndarray) -> np.ndarray:
        """Compute the distance of vectors of samples, [S, D], to the nearest training sample of a member, float64 [S]."""
        return distance_to_nearest(vectors, self.get_buffer(f"vectors_{number + 1}").double().cpu().numpy())


@dataclass(frozen=True)
class LeftOut:
    """Samples that a member was trained without, with the predictions of that member.

    Attributes
    ----------
    predicted, truth
        Predictions and truth, in the target's own units, or probabilities of all its classes and class numbers.
    head_inputs
        Categories of the samples that the target's transform depends on, if it depends on any.
    groups
        Group of each sample, [S].
    members
        Number of the member that was trained without the sample, from 0, int64 [S].
    distances
        Distance of each sample to the nearest training sample of that member, [S].
    """

    predicted: Predictions
    truth: np.ndarray
    head_inputs: HeadInputs
    groups: np.ndarray
    members: np.ndarray
    distances: np.ndarray


@STORED
@dataclass(frozen=True)
class EnsembleCalibration:
    """Calibration of an ensemble: turns predictions of the members into probabilities, intervals, sets and outliers.

    Attributes
    ----------
    coverage
        Coverage of intervals and sets.
    thresholds
        Margin of each column by which an interval exceeds the prediction, or the quantiles; or for classes 1 minus the least
        probability of a class in a set.
    temperature
        Divisor of the logits of each member (classes).
    distances
        Median distance of the left-out samples to the nearest training sample, for each member.
    farthest
        Mean over the members of the distance as a multiple of ``distances``, above which a sample is an outlier.
    """

    coverage: Annotated[StrictFloat, Field(gt=0, lt=1)]
    thresholds: tuple[StrictFloat, ...]
    temperature: PositiveNumber
    distances: tuple[PositiveNumber, ...]
    farthest: PositiveNumber

    def calibrated(self, target: AnyTarget, predicted: Predictions) -> Predictions:
        """Return the predictions of one member with its probabilities at the temperature; numbers are returned as they are."""
        if target.task == "regression":
            return predicted
        logits = logits_of(predicted.values) / self.temperature
        return replace(predicted, values=to_probabilities(logits, len(target.classes)))

    def report(self, target: AnyTarget, predicted: Predictions, head_inputs: HeadInputs) -> Predictions:
        """Return predictions of the ensemble with intervals for numbers, or sets for classes."""
        if target.task == "regression":
            return self._with_intervals(target, predicted, head_inputs)
        sets = prediction_sets(predicted.values, self.thresholds[0])
        named = named_sets(sets, predicted.values, target.classes)
        return Predictions(predicted.values, {SET: named, **predicted.columns}, sets)

    def _with_intervals(self, target: AnyTarget, predicted: Predictions, head_inputs: HeadInputs) -> Predictions:
        intervals: dict[str, np.ndarray | list[str]] = {}
        for column, threshold in zip(_columns(target, predicted, head_inputs), self.thresholds, strict=True):
            lower, upper = column.ends()
            lower, upper = column.to_own(lower - threshold), column.to_own(upper + threshold)
            values = column.predicted.values
            ends = np.minimum(lower, values), np.maximum(upper, values)
            intervals |= {f"{name}{column.suffix}": end for name, end in zip(INTERVAL, ends, strict=True)}
        others = {name: cells for name, cells in predicted.columns.items() if name not in intervals}
        return replace(predicted, columns={**intervals, **others})


@STORED
@dataclass(frozen=True)
class EnsembleInfo:
    """What a model directory says of an ensemble beside its members.

    Attributes
    ----------
    calibration
        Fitted on the samples that each member left out.
    vectors
        Shape of the vectors of each member's training samples.
    weights
        Digest of each member's weights.
    """

    calibration: EnsembleCalibration
    vectors: tuple[tuple[Count, Count], ...]
    weights: tuple[str, ...]

    @model_validator(mode="after")
    def _check_members(self) -> "EnsembleInfo":
        n_members, distances, thresholds = len(self.vectors), self.calibration.distances, self.calibration.thresholds
        expect(n_members > 1, "vectors", self.vectors, "the shape of each member's")
        expect(len(self.weights) == n_members, "weights", self.weights, "one for each member")
        expect(len(distances) == n_members, "distances", distances, "one for each member")
        expect(len(thresholds) > 0, "thresholds", thresholds, "numbers")
        return self


def calibrate(
    target: AnyTarget, left_out: LeftOut, class_weights: tuple[float, ...], coverage: float
) -> EnsembleCalibration:
    """Calibrate an ensemble on the samples that each member was trained without.

    Parameters
    ----------
    target
        The target of the ensemble.
    left_out
        The left-out samples, with the predictions of the members that were trained without them.
    class_weights
        Weight of each class in training; empty for equal weights.
    coverage
        Coverage of intervals and sets.

    Returns
    -------
    EnsembleCalibration
        The calibration.
    """
    typical = [float(np.median(left_out.distances[left_out.members == k])) for k in range(left_out.members.max() + 1)]
    typical = [max(distance, 1e-12) for distance in typical]
    farthest = float(np.quantile(left_out.distances / np.array(typical)[left_out.members], FARTHEST))
    if target.task == "regression":
        thresholds = []
        columns = _columns(target, left_out.predicted, left_out.head_inputs)
        for column, truth in zip(columns, left_out.truth.reshape(len(left_out.truth), -1).T, strict=True):
            has_value = ~np.isnan(truth)
            thresholds.append(threshold_of(column.scores(truth)[has_value], left_out.groups[has_value], coverage))
        return EnsembleCalibration(coverage, tuple(thresholds), 1.0, tuple(typical), farthest)
    truth, n_classes, logits = left_out.truth, len(target.classes), logits_of(left_out.predicted.values)
    weights = np.array(class_weights)[truth] if class_weights else np.ones(len(truth))
    temperature = fit_temperature(logits, truth, n_classes, weights)
    probability = to_probabilities(logits / temperature, n_classes)
    scores = 1 - probability[np.arange(len(truth)), truth]
    threshold = threshold_of(scores, left_out.groups, coverage)
    return EnsembleCalibration(coverage, (threshold,), temperature, tuple(typical), farthest)


@dataclass(frozen=True)
class _Column:
    """Predictions of one numeric column; errors are compared in the units of `to_kernel_units`."""

    part: TargetState
    suffix: str
    predicted: Predictions
    category: np.ndarray | None

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the outer quantiles if the members have learned some, else the prediction twice, in compared units."""
        lower, upper = (np.asarray(self.predicted.columns.get(name, self.predicted.values)) for name in INTERVAL)
        return self.to_compared(lower), self.to_compared(upper)

    def scores(self, truth: np.ndarray) -> np.ndarray:
        """Compute how far the truth exceeds the ends; negative between quantiles (Romano, Patterson & Candès 2019)."""
        lower, upper = self.ends()
        compared = self.to_compared(truth)
        return np.maximum(lower - compared, compared - upper)

    def to_compared(self, values: np.ndarray) -> np.ndarray:
        return values if self.part.transform.is_linear else self.part.transform.to_learned(values, self.category)

    def to_own(self, compared: np.ndarray) -> np.ndarray:
        return compared if self.part.transform.is_linear else self.part.transform.to_own(compared, self.category)


def _columns(target: AnyTarget, predicted: Predictions, head_inputs: HeadInputs) -> list[_Column]:
    category = head_inputs.get(CATEGORY)
    if isinstance(target, TargetState):
        return [_Column(target, "", predicted, category)]
    return [
        _Column(part, suffix, of_column, None if category is None else category[:, k])
        for k, (part, suffix, of_column) in enumerate(
            zip(parts_of(target), suffixes_of(target), target.split(predicted), strict=True)
        )
    ]


def suffixes_of(target: AnyTarget) -> list[str]:
    """Return the ending of the names of the columns about each number that is predicted; no ending for classes."""
    if isinstance(target, JointTarget):
        return [f":{name}" for name in target.columns]
    return [""] if target.task == "regression" else []
