"""A metadata column as a target: classes or numbers, and what was fitted on the training samples."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from aam.data.batches import BatchTarget, PackedCounts
from aam.errors import MetadataError, name_some

Task = Literal["regression", "classification"]


@dataclass(frozen=True)
class TargetState:
    """What must be known of the training samples to read a target: travels with the model.

    Attributes
    ----------
    column
        Metadata column.
    task
        How it is learned.
    mean, std
        Of the training samples, in the target's own units (regression).
    classes
        Names, sorted (classification).
    guess
        What one would predict without looking: the training samples' median, or their most frequent class.
    """

    column: str
    task: Task
    guess: float | str
    mean: float = 0.0
    std: float = 1.0
    classes: tuple[str, ...] = ()

    def encode(self, values: pd.Series) -> np.ndarray:
        """Turn a column into numbers: own units (float64) or class numbers (int64); classes never seen are −1."""
        if self.task == "regression":
            return values.to_numpy(dtype=np.float64)
        number = {name: i for i, name in enumerate(self.classes)}
        return np.array([number.get(name, -1) for name in class_names(values)], dtype=np.int64)

    def to_dict(self) -> dict[str, Any]:
        """Give plain values, for JSON."""
        return {**dataclasses.asdict(self), "classes": list(self.classes)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TargetState":
        """Undo `to_dict`."""
        return cls(**{**values, "classes": tuple(values["classes"])})


def batch_target(target: TargetState, truth: np.ndarray) -> BatchTarget:
    """Give the truths of a batch's samples; mixed samples get the mean of theirs, and classes become shares, float64 [B, C].

    Parameters
    ----------
    target
        What the truths mean.
    truth
        Value or class number of each sample of the study, [S].
    """

    def of_batch(packed: PackedCounts) -> np.ndarray:
        own, mixture = truth[packed.samples], packed.mixture
        if mixture is None:
            return own
        own = own if target.task == "regression" else np.eye(len(target.classes))[own]
        weights = mixture.weights.reshape(-1, *[1] * (own.ndim - 1))
        return weights * own + (1 - weights) * own[mixture.partners]

    return of_batch


def class_names(values: pd.Series) -> list[str]:
    """Write each value as a class name; whole numbers without their decimal point."""
    if values.dtype.kind == "f":
        return [f"{value:.12g}" for value in values]
    return [str(value) for value in values]


def choose_task(values: pd.Series, task: str) -> Task:
    """Decide between regression and classification, and refuse a column that cannot be learned.

    Raises
    ------
    MetadataError
        The column holds no values, one value only, or text where numbers are needed.
    """
    column, is_numeric = values.name, values.dtype.kind == "f"
    if task == "regression" and not is_numeric:
        wrong = [value for value in dict.fromkeys(values) if not _is_number(value)]
        raise MetadataError(
            f"--metadata-column {column} is not numeric: it holds {name_some(wrong or list(dict.fromkeys(values)))}. "
            "Regression needs numbers; pass --task classification, or correct the column."
        )
    chosen: Task = "regression" if task == "regression" or (task == "auto" and is_numeric) else "classification"
    distinct = list(dict.fromkeys(class_names(values)))
    if len(distinct) < 2:
        raise MetadataError(
            f"--metadata-column {column} has the same value, {name_some(distinct)}, in all {len(values):,} samples: "
            "there is nothing to learn. Choose another column."
        )
    if chosen == "classification" and len(distinct) > len(values) / 2:
        raise MetadataError(
            f"--metadata-column {column} has {len(distinct):,} different values in {len(values):,} samples, such as "
            f"{name_some(distinct, limit=3)}: too many for classes. Choose another column, or pass --task regression "
            "if it holds numbers."
        )
    return chosen


def fit_target(values: pd.Series, task: Task) -> TargetState:
    """Learn scaling or classes from the training samples' values.

    Raises
    ------
    MetadataError
        All training samples have one value.
    """
    column = str(values.name)
    if task == "classification":
        names = class_names(values)
        classes = sorted(set(names))
        if len(classes) < 2:
            raise MetadataError(
                f"All training samples have {column} {name_some(classes)}: the split left the other classes out. "
                "Choose another --seed or --group-column."
            )
        return TargetState(column=column, task=task, classes=tuple(classes), guess=max(classes, key=names.count))
    numbers = values.to_numpy(dtype=np.float64)
    std = float(numbers.std())
    if std == 0:
        raise MetadataError(
            f"All training samples have {column} {numbers[0]:g}: choose another --seed or --group-column."
        )
    return TargetState(column=column, task=task, mean=float(numbers.mean()), std=std, guess=float(np.median(numbers)))


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True
