"""A metadata column as a target: classes or numbers, and what was fitted on the training samples."""

import dataclasses
import logging
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from aam.data.cells import describe, missing_values_option, misspelt_numbers, not_numbers, suspects, warn_of_suspects
from aam.drawn import BatchTarget, PackedCounts
from aam.errors import MetadataError, name_some

logger = logging.getLogger(__name__)

Task = Literal["regression", "classification"]

LARGEST, LEAST_SPREAD = 1e20, 1e-15
"""Beyond these, a value as a multiple of the training samples' standard deviation may not fit into single precision."""


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
        """Turn a column into numbers: own units (float64) or class numbers (int64); classes never seen are −1.

        Raises
        ------
        MetadataError
            A number is too large to be learned or compared.
        """
        if self.task == "regression":
            return _numbers(values)
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
    chosen: Task = "regression" if task == "regression" or (task == "auto" and is_numeric) else "classification"
    distinct = list(dict.fromkeys(class_names(values)))
    if task == "regression":
        require_numbers(values, "regression needs numbers", _instead(values, distinct))
    if len(distinct) < 2:
        raise MetadataError(
            f"--metadata-column {column} has the same value, {name_some(distinct)}, in all {len(values):,} samples: "
            "there is nothing to learn. Choose another column."
        )
    if task == "auto":
        _check_choice(values, distinct)
    if chosen == "classification" and not _are_few(distinct, values):
        hint = ", or pass --task regression" if is_numeric else ""
        raise MetadataError(
            f"--metadata-column {column} has {len(distinct):,} different values in {len(values):,} samples, such as "
            f"{name_some(distinct, limit=3)}: too many for classes. Choose another column{hint}."
        )
    warn_of_suspects("--metadata-column", values)
    return chosen


def too_large(values: pd.Series) -> pd.Series:
    """Give the numbers that are too large to be learned.

    Examples
    --------
    >>> too_large(pd.Series([1.0, -2e20], index=["S1", "S2"])).to_dict()
    {'S2': -2e+20}
    """
    if values.dtype.kind != "f":
        return values.iloc[:0]
    return values.iloc[np.flatnonzero(np.abs(values.to_numpy(dtype=np.float64)) > LARGEST)]


def _numbers(values: pd.Series) -> np.ndarray:
    beyond = too_large(values)
    if len(beyond):
        raise MetadataError(
            f"--metadata-column {values.name} holds numbers beyond ±{LARGEST:g} in {len(beyond):,} of {len(values):,} samples, "
            f"such as {beyond.iloc[0]:g} of {str(beyond.index[0])!r}. Correct these cells, give the column in a larger unit, "
            "or empty them if they mean that there is no value."
        )
    return values.to_numpy(dtype=np.float64)


def require_numbers(values: pd.Series, why: str, otherwise: str) -> None:
    """Refuse a column that is not numeric.

    Raises
    ------
    MetadataError
        It is not; the message names the cells that are no numbers, says why they should be, and what else one could pass.
    """
    if values.dtype.kind == "f":
        return
    wrong = not_numbers(values)
    if not wrong:
        raise MetadataError(
            f"--metadata-column {values.name} holds numbers, but #q2:types in --metadata says categorical, and {why}. Say "
            f"numeric there, or pass {otherwise}."
        )
    has_numbers = sum(wrong.values()) < len(values)
    hint = f"Correct these cells, leave them out by {missing_values_option(wrong)}, or pass" if has_numbers else "Pass"
    raise MetadataError(
        f"--metadata-column {values.name} is not numeric: it holds {describe(wrong)}, and {why}. {hint} {otherwise}."
    )


def _are_few(distinct: list[str], values: pd.Series) -> bool:
    """Whether values recur often enough to be classes."""
    return len(distinct) <= len(values) / 2


def _instead(values: pd.Series, distinct: list[str]) -> str:
    """Say what to pass where a column is not numeric."""
    return "--task classification if its values are classes" if _are_few(distinct, values) else "another column"


def _check_choice(values: pd.Series, distinct: list[str]) -> None:
    """Refuse to classify numbers because of a few cells that are none, and say how to learn numbers as classes."""
    wrong = not_numbers(values)
    odd = misspelt_numbers(values)
    if odd and len(odd) == len(wrong):
        raise MetadataError(
            f"--metadata-column {values.name} holds numbers that are not written as QIIME 2 and aam read them: {describe(odd)}. "
            f"Write them like 1234.5, or pass {_instead(values, distinct)}."
        )
    is_probably_numeric = 0 < sum(wrong.values()) < len(values) and (
        wrong == suspects(values) or (not _are_few(distinct, values) and sum(wrong.values()) < len(values) / 2)
    )
    if is_probably_numeric:
        raise MetadataError(
            f"--metadata-column {values.name} holds numbers but for {describe(wrong)}. Correct these cells, leave them out by "
            f"{missing_values_option(wrong)}, or pass {_instead(values, distinct)}."
        )
    if 0 < sum(wrong.values()) < len(values) / 2:
        logger.warning(
            "--metadata-column %s is classified, because it holds %s beside numbers. To learn numbers, correct these cells, or "
            "leave them out by %s.",
            values.name, describe(wrong), missing_values_option(wrong),
        )  # fmt: skip
    if not wrong and values.dtype.kind == "f" and len(distinct) == 2 and (values % 1 == 0).all():
        logger.info(
            "--metadata-column %s holds two numbers, %s, and is regressed. If they stand for classes, pass --task classification.",
            values.name, " and ".join(sorted(distinct, key=float)),
        )  # fmt: skip


def fit_target(values: pd.Series, task: Task) -> TargetState:
    """Learn scaling or classes from the training samples' values.

    Raises
    ------
    MetadataError
        All training samples have one value, or values that are too large or differ too little.
    """
    column = str(values.name)
    if task == "classification":
        names = class_names(values)
        classes = sorted(set(names))
        if len(classes) < 2:
            raise MetadataError(
                f"All training samples have {column} {name_some(classes)}: the split left the other classes out. "
                "Choose another split."
            )
        return TargetState(column=column, task=task, classes=tuple(classes), guess=max(classes, key=names.count))
    numbers = _numbers(values)
    if np.ptp(numbers) == 0:
        raise MetadataError(f"All training samples have {column} {numbers[0]:g}: choose another split.")
    std = float(numbers.std())
    if std < LEAST_SPREAD:
        raise MetadataError(
            f"The training samples' values of {column} differ by {np.ptp(numbers):g} only, too little to be learned. Give the "
            "column in a smaller unit."
        )
    return TargetState(column=column, task=task, mean=float(numbers.mean()), std=std, guess=float(np.median(numbers)))
