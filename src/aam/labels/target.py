"""A metadata column, or several numeric ones, as a target: what was fitted on the training samples."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd

from aam.config.target import TargetConfig
from aam.errors import MetadataError, SplitError, name_some
from aam.labels.columns import class_names
from aam.labels.covariates import Categories
from aam.labels.predictions import Predictions
from aam.target_transform import LARGEST, TargetTransform, fit_transform

Task = Literal["regression", "classification", "ordinal"]

MOST_OF_FEW = 10
"""Categories that may be as many as half of the training samples, or more."""

LEAST_SPREAD = 1e-15
"""Below this, a value as a multiple of the training samples' standard deviation may not fit into single precision."""

ZSCORE = TargetConfig()

OWN_UNITS = TargetTransform()

NO_COLUMNS: Mapping[str, pd.Series] = {}


@dataclass(frozen=True)
class TargetState:
    """What must be known of the training samples to read a target: travels with the model.

    Attributes
    ----------
    column
        Metadata column.
    task
        How it is learned.
    guess
        What one would predict without looking: the training samples' median, or their most frequent class.
    transform
        Between own units and those that are learned (regression).
    normalized_by
        Categories that the transform depends on, if any.
    classes
        Names, sorted, or in their order (classification, ordinal).
    class_weights
        How much a sample of each class counted in training; empty where all counted the same.
    bounds
        Smallest and largest training value (regression).
    scaled_by
        Categories by which a network's outputs are stretched and shifted, if any.
    """

    column: str
    task: Task
    guess: float | str
    transform: TargetTransform = OWN_UNITS
    normalized_by: Categories | None = None
    classes: tuple[str, ...] = ()
    class_weights: tuple[float, ...] = ()
    bounds: tuple[float, float] | None = None
    scaled_by: Categories | None = None

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
        """Return plain values, as JSON has them."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TargetState":
        """Undo `to_dict`; models made before there were transforms hold a mean and a standard deviation."""
        fields = {name: value for name, value in values.items() if name not in ("mean", "std")}
        transform = values.get("transform", {"centre": values.get("mean"), "scale": values.get("std")})
        fields["transform"] = TargetTransform(**_tuples(transform))
        for name in ("normalized_by", "scaled_by"):
            fields[name] = None if values.get(name) is None else Categories(**_tuples(values[name]))
        return cls(**_tuples(fields))


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def too_large(values: pd.Series) -> pd.Series:
    """Return the numbers that are too large to be learned.

    Examples
    --------
    >>> too_large(pd.Series([1.0, -2e20], index=["S1", "S2"])).to_dict()
    {'S2': -2e+20}
    """
    if values.dtype.kind != "f":
        return values.iloc[:0]
    return values.iloc[np.flatnonzero(np.abs(values.to_numpy(dtype=np.float64)) > LARGEST)]


def order_alone(options: TargetConfig) -> TargetConfig:
    """Keep of the options only the order of classes: for a target of all samples, whose transform nobody learns by."""
    return TargetConfig(task=options.task, class_order=options.class_order)


def place_of_class(task: Task, class_order: Sequence[str]) -> Callable[[str], Any]:
    """Return what classes are sorted by: their names, or, where they have an order, their place in it or the numbers they are."""
    if task != "ordinal":
        return str
    return list(class_order).index if class_order else float


def _numbers(values: pd.Series) -> np.ndarray:
    beyond = too_large(values)
    if len(beyond):
        raise MetadataError(
            f"--metadata-column {values.name} holds numbers beyond ±{LARGEST:g} in {len(beyond):,} of {len(values):,} samples, "
            f"such as {beyond.iloc[0]:g} of {str(beyond.index[0])!r}. Correct these cells, give the column in a larger unit, "
            "or empty them if they mean that there is no value."
        )
    return values.to_numpy(dtype=np.float64)


def fit_target(
    values: pd.Series, task: Task, options: TargetConfig = ZSCORE, columns: Mapping[str, pd.Series] = NO_COLUMNS
) -> TargetState:
    """Learn scaling or classes from the training samples' values.

    Parameters
    ----------
    values
        Of the training samples.
    task
        How they are learned.
    options
        In which units.
    columns
        The same samples' values in the metadata columns that options name.

    Raises
    ------
    MetadataError
        All training samples have one value, or values that are too large or differ too little.
    """
    column = str(values.name)
    if task != "regression":
        names = class_names(values)
        classes = sorted(set(names), key=place_of_class(task, options.class_order))
        if len(classes) < 2:
            raise MetadataError(
                f"All training samples have {column} {name_some(classes)}: the split left the other classes out. "
                "Choose another split."
            )
        return TargetState(column=column, task=task, classes=tuple(classes), guess=max(classes, key=names.count))
    numbers = _numbers(values)
    if np.ptp(numbers) == 0:
        raise MetadataError(f"All training samples have {column} {numbers[0]:g}: choose another split.")
    by = None if options.normalize_by is None else columns[options.normalize_by]
    categories = None if by is None else Categories.of(by)
    if by is not None and categories is not None and len(categories.names) > max(MOST_OF_FEW, by.notna().sum() / 2):
        raise MetadataError(
            f"--normalize-by {by.name} has {len(categories.names)} values in {by.notna().sum()} training samples, too many to be "
            "categories: name a column whose values several samples share."
        )
    category = None if by is None or categories is None else categories.numbers(by)
    transform = fit_transform(options.target_transform, numbers, category)
    if transform.scale < LEAST_SPREAD:
        raise MetadataError(
            f"The training samples' values of {column} differ by {np.ptp(numbers):g} only, too little to be learned. Give the "
            "column in a smaller unit."
        )
    bounds = float(numbers.min()), float(numbers.max())
    return TargetState(column, task, float(np.median(numbers)), transform, categories, bounds=bounds)


@dataclass(frozen=True)
class JointTarget:
    """Numeric columns that are learned together; a sample may lack some of them.

    Attributes
    ----------
    parts
        The columns.
    """

    parts: tuple[TargetState, ...]
    task: ClassVar[Literal["regression"]] = "regression"
    classes: ClassVar[tuple[str, ...]] = ()

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return [part.column for part in self.parts]

    @property
    def column(self) -> str:
        """The names as one, for messages."""
        return ", ".join(self.columns)

    def encode(self, values: pd.DataFrame) -> np.ndarray:
        """Return values in own units, float64 [S, K]; nan where there is no value, and in columns that are absent."""
        given = {str(name): cells for name, cells in values.items()}
        absent = np.full(len(values), np.nan)
        encoded = [part.encode(given[part.column]) if part.column in given else absent for part in self.parts]
        return np.stack(encoded, axis=1)

    def each(self, change: Callable[[TargetState], TargetState]) -> "JointTarget":
        """Change every part alike."""
        return JointTarget(tuple(change(part) for part in self.parts))

    def split(self, predicted: Predictions) -> list[Predictions]:
        """Return what was predicted of each column by itself."""
        return [
            Predictions(predicted.values[:, place], columns_ending_in(f":{part.column}", predicted.columns))
            for place, part in enumerate(self.parts)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON has them."""
        return {"parts": [part.to_dict() for part in self.parts]}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "JointTarget":
        """Undo `to_dict`."""
        return cls(tuple(TargetState.from_dict(part) for part in values["parts"]))


AnyTarget = TargetState | JointTarget


def target_from_dict(values: dict[str, Any]) -> AnyTarget:
    """Read a target of either kind."""
    return JointTarget.from_dict(values) if "parts" in values else TargetState.from_dict(values)


def parts_of(target: AnyTarget) -> tuple[TargetState, ...]:
    """Return the columns of a target of either kind."""
    return target.parts if isinstance(target, JointTarget) else (target,)


def fit_joint_target(
    values: pd.DataFrame, options: Mapping[str, TargetConfig], columns: Mapping[str, pd.Series]
) -> JointTarget:
    """Learn the scaling of each column from the training samples that have a value of it.

    Parameters
    ----------
    values
        Of the training samples, a column each.
    options
        In which units each is learned, by name.
    columns
        The same samples' values in the metadata columns that options name.

    Raises
    ------
    MetadataError
        A column's values are all the same, too large, or differ too little.
    SplitError
        No training sample has a value of a column.
    """
    parts = []
    for name, cells in values.items():
        has_value = np.flatnonzero(cells.notna())
        if not len(has_value):
            raise SplitError(
                f"No training sample has a value of {name}. Choose another split, or leave the column out."
            )
        some = {column: categories.iloc[has_value] for column, categories in columns.items()}
        part = fit_target(cells.iloc[has_value], "regression", options[str(name)], some)
        parts.append(part)
    return JointTarget(tuple(parts))


def columns_ending_in(suffix: str, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is named for one of several columns, by the name that it has where there is one."""
    return {name.removesuffix(suffix): cells for name, cells in columns.items() if name.endswith(suffix)}


def mean_place(values: pd.DataFrame) -> np.ndarray:
    """Compute where each sample lies between others, [S]: the mean, over the columns that it has, of its rank as a share."""
    return values.rank(pct=True).mean(axis=1).to_numpy()


def observed(values: np.ndarray) -> Sequence[np.ndarray]:
    """Return the rows that have a value of each column of [S, K]."""
    return [np.flatnonzero(~np.isnan(column)) for column in values.T]
