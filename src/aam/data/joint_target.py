"""Several numeric columns as one target: each with what was fitted on the training samples that have a value of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd

from aam.config.target import TargetConfig
from aam.data.predicted import Predicted
from aam.data.target import TargetState, fit_target
from aam.errors import SplitError


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
        """Give own units, float64 [S, K]; nan where there is no value, and in columns that are absent."""
        given = {str(name): cells for name, cells in values.items()}
        absent = np.full(len(values), np.nan)
        encoded = [part.encode(given[part.column]) if part.column in given else absent for part in self.parts]
        return np.stack(encoded, axis=1)

    def each(self, change: Callable[[TargetState], TargetState]) -> "JointTarget":
        """Change every part alike."""
        return JointTarget(tuple(change(part) for part in self.parts))

    def split(self, predicted: Predicted) -> list[Predicted]:
        """Give what was predicted of each column by itself."""
        return [
            Predicted(predicted.values[:, place], columns_ending_in(f":{part.column}", predicted.columns))
            for place, part in enumerate(self.parts)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Give plain values, as JSON has them."""
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
    """Give the columns of a target of either kind."""
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
    """Give what is named for one of several columns, by the name that it has where there is one."""
    return {name.removesuffix(suffix): cells for name, cells in columns.items() if name.endswith(suffix)}


def mean_place(values: pd.DataFrame) -> np.ndarray:
    """Give where each sample lies between others, [S]: the mean, over the columns that it has, of its rank as a share."""
    return values.rank(pct=True).mean(axis=1).to_numpy()


def observed(values: np.ndarray) -> Sequence[np.ndarray]:
    """Give the rows that have a value of each column of [S, K]."""
    return [np.flatnonzero(~np.isnan(column)) for column in values.T]
