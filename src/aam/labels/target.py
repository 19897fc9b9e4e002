"""Targets: a metadata column, or several numeric ones, with what was fitted on the training samples."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pandas as pd
from pydantic import Discriminator, StrictFloat, Tag, model_validator

from aam.config.target import TargetConfig
from aam.errors import MetadataError, SplitError, name_some
from aam.labels.columns import class_names
from aam.labels.covariates import Categories
from aam.stored import STORED, DistinctNames, PositiveNumber, expect
from aam.target_transform import LARGEST, TargetTransform, fit_transform


@dataclass(frozen=True)
class Predictions:
    """Predictions of a target for S samples.

    Attributes
    ----------
    values
        Values in the target's own units, [S], or [S, K] for K columns, or class probabilities, [S, C].
    columns
        Further columns of the table of predictions, such as the ends of intervals, by name; one value per sample.
    chosen
        True for each class in the sample's prediction set, bool [S, C]; None without sets.
    """

    values: np.ndarray
    columns: dict[str, np.ndarray | list[str]] = field(default_factory=dict)
    chosen: np.ndarray | None = None

    def select(self, indices: np.ndarray) -> "Predictions":
        """Return the predictions of the samples with these indices, in the order of the indices."""
        columns: dict[str, np.ndarray | list[str]] = {
            name: np.asarray(cells)[indices] for name, cells in self.columns.items()
        }
        return Predictions(self.values[indices], columns, None if self.chosen is None else self.chosen[indices])

    @classmethod
    def concatenate(cls, blocks: Sequence["Predictions"]) -> "Predictions":
        """Return the predictions of several blocks of samples, one block after another."""
        columns: dict[str, np.ndarray | list[str]] = {
            name: np.concatenate([np.asarray(block.columns[name]) for block in blocks]) for name in blocks[0].columns
        }
        sets = [block.chosen for block in blocks if block.chosen is not None]
        return cls(np.concatenate([block.values for block in blocks]), columns, np.concatenate(sets) if sets else None)

    def in_all_classes(self, predicted_classes: Sequence[str], classes: Sequence[str]) -> "Predictions":
        """Return predictions of some classes as predictions of all classes; those that are added have probability 0.

        Parameters
        ----------
        predicted_classes
            Names of the classes that ``values`` are of, in order.
        classes
            Names of all classes; none for numbers, which are returned as they are.
        """
        if not classes:
            return self
        columns = [classes.index(name) for name in predicted_classes]
        values = np.zeros((len(self.values), len(classes)))
        values[:, columns] = self.values
        chosen = None
        if self.chosen is not None:
            chosen = np.zeros(values.shape, dtype=bool)
            chosen[:, columns] = self.chosen
        return Predictions(values, self.columns, chosen)


Task = Literal["regression", "classification", "ordinal"]

MOST_OF_FEW = 10
"""Number of categories of ``--normalize-by`` that is always allowed, even if it exceeds half of the training samples."""

LEAST_SPREAD = 1e-15
"""Scale of a target below which values in units of it may not fit into single precision."""

ZSCORE = TargetConfig()

OWN_UNITS = TargetTransform()

NO_COLUMNS: Mapping[str, pd.Series] = {}


@STORED
@dataclass(frozen=True)
class TargetState:
    """A target of one metadata column, as fitted on the training samples; it is saved with the model.

    Attributes
    ----------
    column
        Name of the metadata column.
    task
        Task as which the column is learned.
    guess
        Prediction without a model: the median of the training samples, or their most frequent class.
    transform
        Transform between the column's own units and those that are learned (regression).
    normalized_by
        Categories that the transform depends on, if any.
    classes
        Names of the classes, sorted (classification), or lowest first (ordinal).
    class_weights
        Weight of each class in training; empty for equal weights.
    bounds
        Smallest and largest training value (regression).
    scaled_by
        Categories by which a network scales and shifts its outputs, if any.
    merged
        Names of the classes of the metadata that are learned as another one, each with that one's name.
    """

    column: str
    task: Task
    guess: StrictFloat | str
    transform: TargetTransform = OWN_UNITS
    normalized_by: Categories | None = None
    classes: DistinctNames = ()
    class_weights: tuple[PositiveNumber, ...] = ()
    bounds: tuple[StrictFloat, StrictFloat] | None = None
    scaled_by: Categories | None = None
    merged: tuple[tuple[str, str], ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _read_earlier(cls, values: Any) -> Any:
        """Read models made before there were transforms, which hold a mean and a standard deviation."""
        if not isinstance(values, dict) or "transform" in values:
            return values
        others = {name: value for name, value in values.items() if name not in ("mean", "std")}
        if values.get("task") != "regression":
            return others
        return {**others, "transform": asdict(OWN_UNITS) | {"centre": values.get("mean"), "scale": values.get("std")}}

    @model_validator(mode="after")
    def _check_task(self) -> "TargetState":
        if self.task == "regression":
            n_categories = 0 if self.normalized_by is None else len(self.normalized_by.names)
            is_range = self.bounds is None or self.bounds[0] < self.bounds[1]
            expect(not isinstance(self.guess, str), "guess", self.guess, "a number")
            expect(is_range, "bounds", self.bounds, "the smallest and the largest value")
            expect(
                len(self.transform.centres) == n_categories, "centres", self.transform.centres, "one for each category"
            )
        else:
            n_weights = len(self.class_weights)
            expect(len(self.classes) > 1, "classes", self.classes, "different names")
            expect(self.guess in self.classes, "guess", self.guess, "one of the classes")
            expect(n_weights in (0, len(self.classes)), "class_weights", self.class_weights, "a number for each class")
        return self

    def encode(self, values: pd.Series) -> np.ndarray:
        """Return a column as numbers.

        Parameters
        ----------
        values
            Cells of the column, none missing.

        Returns
        -------
        np.ndarray
            Values in own units, float64 [S], or class numbers, −1 for classes that no training sample has, int64 [S].

        Raises
        ------
        MetadataError
            A number is too large to be learned or compared.
        """
        if self.task == "regression":
            return _numbers(values)
        number_of = {name: number for number, name in enumerate(self.classes)}
        return np.array([number_of.get(name, -1) for name in class_names(values)], dtype=np.int64)


def too_large(values: pd.Series) -> pd.Series:
    """Return the numbers that are too large to be learned, with their samples.

    Examples
    --------
    >>> too_large(pd.Series([1.0, -2e20], index=["S1", "S2"])).to_dict()
    {'S2': -2e+20}
    """
    if values.dtype.kind != "f":
        return values.iloc[:0]
    return values.iloc[np.flatnonzero(np.abs(values.to_numpy(dtype=np.float64)) > LARGEST)]


def without_transform(options: TargetConfig) -> TargetConfig:
    """Return the options without a transform, for a target that only numbers classes or bins of samples."""
    return TargetConfig(task=options.task, class_order=options.class_order)


def class_sort_key(task: Task, class_order: Sequence[str]) -> Callable[[str], Any]:
    """Return the key that sorts class names: the name, or for ordinal classes the index in ``class_order`` or the number."""
    if task != "ordinal":
        return str
    return list(class_order).index if class_order else float


def _numbers(values: pd.Series) -> np.ndarray:
    """Return values as float64 [S]; raise if some are too large."""
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
    """Return the target of a column, with its transform or classes fitted to the training samples.

    Parameters
    ----------
    values
        Values of the training samples.
    task
        Task as which the column is learned.
    options
        Transform, and order of classes.
    columns
        Cells of the same samples in the metadata columns that options name.

    Raises
    ------
    MetadataError
        All training samples have one value, or values that are too large or differ too little.
    """
    column = str(values.name)
    if task != "regression":
        names = class_names(values)
        classes = sorted(set(names), key=class_sort_key(task, options.class_order))
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


@STORED
@dataclass(frozen=True)
class JointTarget:
    """A target of several numeric columns that are learned together; a sample may lack values of some of them.

    Attributes
    ----------
    parts
        Target of each column.
    """

    parts: tuple[TargetState, ...]
    task: ClassVar[Literal["regression"]] = "regression"
    classes: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="after")
    def _check_parts(self) -> "JointTarget":
        expect(len(self.parts) > 0, "parts", self.parts, "a list of targets")
        for part in self.parts:
            expect(part.task == "regression", "task", part.task, "regression")
        return self

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return [part.column for part in self.parts]

    @property
    def column(self) -> str:
        """Names of the columns in one string, for messages."""
        return ", ".join(self.columns)

    def encode(self, values: pd.DataFrame) -> np.ndarray:
        """Return values in own units, NaN where there is no value and in columns that are absent; float64 [S, K]."""
        cells_of = {str(name): cells for name, cells in values.items()}
        absent = np.full(len(values), np.nan)
        encoded = [part.encode(cells_of[part.column]) if part.column in cells_of else absent for part in self.parts]
        return np.stack(encoded, axis=1)

    def map_parts(self, change: Callable[[TargetState], TargetState]) -> "JointTarget":
        """Return the target with a function applied to every part."""
        return JointTarget(tuple(change(part) for part in self.parts))

    def split(self, predicted: Predictions) -> list[Predictions]:
        """Return the predictions of each column by itself, in the order of the columns."""
        return [
            Predictions(predicted.values[:, k], columns_ending_in(f":{part.column}", predicted.columns))
            for k, part in enumerate(self.parts)
        ]


AnyTarget = TargetState | JointTarget


def _form_of(values: Any) -> str:
    is_joint = isinstance(values, JointTarget) or (isinstance(values, dict) and "parts" in values)
    return "parts" if is_joint else "target"


StoredTarget = Annotated[
    Annotated[TargetState, Tag("target")] | Annotated[JointTarget, Tag("parts")], Discriminator(_form_of)
]
"""A target of either kind, as it is read from a model directory."""


def parts_of(target: AnyTarget) -> tuple[TargetState, ...]:
    """Return the target of each column, for a target of either kind."""
    return target.parts if isinstance(target, JointTarget) else (target,)


def fit_joint_target(
    values: pd.DataFrame, options: Mapping[str, TargetConfig], columns: Mapping[str, pd.Series]
) -> JointTarget:
    """Fit the transform of each column to the training samples that have a value of it.

    Parameters
    ----------
    values
        Values of the training samples, one column for each column to learn.
    options
        Transform of each column, by its name.
    columns
        Cells of the same samples in the metadata columns that options name.

    Returns
    -------
    JointTarget
        The fitted target.

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
        columns_here = {column: categories.iloc[has_value] for column, categories in columns.items()}
        parts.append(fit_target(cells.iloc[has_value], "regression", options[str(name)], columns_here))
    return JointTarget(tuple(parts))


def columns_ending_in(suffix: str, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries whose name ends in a suffix, by their name without it."""
    return {name.removesuffix(suffix): cells for name, cells in columns.items() if name.endswith(suffix)}


def mean_rank(values: pd.DataFrame) -> np.ndarray:
    """Compute the mean of each sample's ranks in the columns that have a value, as a fraction from 0 to 1; float64 [S]."""
    return values.rank(pct=True).mean(axis=1).to_numpy()


def indices_with_value(values: np.ndarray) -> list[np.ndarray]:
    """Return, for each column of an array [S, K], the indices of the samples with a value in it."""
    return [np.flatnonzero(~np.isnan(column)) for column in values.T]
