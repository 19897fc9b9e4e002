"""Units of the kernel head: those of the transform, unless this is but a change of unit, which changes nothing for it."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from aam.data.predicted import Predicted
from aam.data.target import TargetState
from aam.objectives.target import CATEGORY
from aam.uncertainty import INTERVAL


def learned_by_kernels(target: TargetState, truth: np.ndarray, facts: Mapping[str, np.ndarray]) -> np.ndarray:
    """Give what the head is fitted to: class numbers as they are, and numbers in the units in which it compares them."""
    return truth if target.transform.is_linear else target.transform.to_learned(truth, facts.get(CATEGORY))


def read_from_kernels(target: TargetState, predicted: Predicted, facts: Mapping[str, np.ndarray]) -> Predicted:
    """Bring what a head predicts, and the ends of its intervals, into the column's own units."""
    if target.transform.is_linear:
        return predicted
    category = facts.get(CATEGORY)
    values, *ends = (
        target.transform.to_own(np.asarray(learned), category)
        for learned in (predicted.values, *(predicted.columns[name] for name in INTERVAL))
    )
    return replace(predicted, values=values, columns={**predicted.columns, **dict(zip(INTERVAL, ends, strict=True))})
