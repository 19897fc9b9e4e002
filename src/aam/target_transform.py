"""Transforms of a numeric column between its own units and those of learning: logarithm, shift and scale, perhaps by category."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from pydantic import StrictBool, StrictFloat, model_validator
from torch import Tensor

from aam.stored import STORED, PositiveNumber, expect, refuse_missing

NARROWEST = 1e-12
"""A category whose range is at most this share of that of all samples counts as constant."""

LARGEST = 1e20
"""Beyond this, a value as a multiple of a standard deviation may not fit into single precision."""

Values = TypeVar("Values", np.ndarray, Tensor)


@STORED
@dataclass(frozen=True)
class TargetTransform:
    """The function ``(g(y) − centre) / scale``, g the identity or log(1 + y); the same for arrays and tensors.

    Attributes
    ----------
    centre, scale
        Centre and scale of all training samples.
    is_log
        Whether g is the logarithm; own values are then not below 0.
    centres, scales
        Centre and scale of each category, by its number; empty where categories do not matter. A sample of category −1 has those of
        all training samples.

    Examples
    --------
    >>> transform = TargetTransform(10.0, 5.0, centres=(20.0,), scales=(2.0,))
    >>> transform.to_learned(np.array([20.0, 20.0]), np.array([0, -1])).tolist()
    [0.0, 2.0]
    """

    centre: StrictFloat = 0.0
    scale: PositiveNumber = 1.0
    is_log: StrictBool = False
    centres: tuple[StrictFloat, ...] = ()
    scales: tuple[PositiveNumber, ...] = ()

    _refuse_missing = model_validator(mode="before")(refuse_missing)

    @model_validator(mode="after")
    def _check_categories(self) -> "TargetTransform":
        expect(len(self.centres) == len(self.scales), "scales", self.scales, "one for each of the centres")
        return self

    @property
    def is_linear(self) -> bool:
        """Whether the transform is a shift and a scale alone, the same for all samples."""
        return not self.is_log and not self.centres

    def to_learned(self, values: Values, category: Values | None = None) -> Values:
        """Return values in units of learning, from values in own units, [S] or [S, K], and numbers of categories, int64 [S]."""
        centre, scale = self._sizes(values, category)
        return ((_library(values).log1p(values) if self.is_log else values) - centre) / scale

    def to_own(self, learned: Values, category: Values | None = None) -> Values:
        """Return values in own units: the inverse of `to_learned`; with a logarithm they are clipped to between 0 and `LARGEST`."""
        centre, scale = self._sizes(learned, category)
        values = learned * scale + centre
        return _library(values).expm1(values.clip(min=0.0, max=float(np.log1p(LARGEST)))) if self.is_log else values

    def _sizes(self, values: Values, category: Values | None) -> tuple[Any, Any]:
        if category is None or not self.centres:
            return self.centre, self.scale
        table = np.array([[*self.centres, self.centre], [*self.scales, self.scale]])  # the last is that of −1
        sizes: Any = table if isinstance(values, np.ndarray) else torch.from_numpy(table).to(values.device)
        centre, scale = (row[category].reshape(-1, *[1] * (values.ndim - 1)) for row in sizes)
        return centre, scale


def fit_transform(kind: str, values: np.ndarray, category: np.ndarray | None = None) -> TargetTransform:
    """Return the transform that the training samples' values define.

    Parameters
    ----------
    kind
        A choice of ``--target-transform``.
    values
        Values in own units, [S].
    category
        Number of each sample's category, −1 for none, [S]. A category whose values do not differ (`NARROWEST`) has the
        centre and scale of all.
    """
    is_log = kind.startswith("log-")
    measure = _MEASURES[kind.removeprefix("log-").removesuffix("-category")]
    values = np.log1p(values) if is_log else values
    overall = measure(values)
    if category is None:
        return TargetTransform(*overall, is_log)
    members = [values[category == number] for number in range(category.max() + 1)]
    least = NARROWEST * np.ptp(values)
    sizes = [
        measure(member_values) if len(member_values) and np.ptp(member_values) > least else overall
        for member_values in members
    ]
    centres, scales = (tuple(size[k] for size in sizes) for k in (0, 1))
    return TargetTransform(*overall, is_log, centres, scales)


def _standard(values: np.ndarray) -> tuple[float, float]:
    return float(values.mean()), float(values.std())


def _range(values: np.ndarray) -> tuple[float, float]:
    return float(values.min()), float(np.ptp(values))


def _nothing(values: np.ndarray) -> tuple[float, float]:
    return 0.0, 1.0


_MEASURES: dict[str, Callable[[np.ndarray], tuple[float, float]]] = {
    "none": _nothing, "minmax": _range, "zscore": _standard
}  # fmt: skip


def _library(values: np.ndarray | Tensor) -> Any:
    return np if isinstance(values, np.ndarray) else torch
