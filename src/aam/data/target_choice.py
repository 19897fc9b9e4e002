"""Whether a metadata column can be learned, and how: as numbers or as classes, and in which units."""

import logging

import numpy as np
import pandas as pd

from aam.config.target import TargetConfig
from aam.data.cells import (
    class_names,
    describe,
    missing_values_option,
    misspelt_numbers,
    not_numbers,
    suspects,
    warn_of_suspects,
)
from aam.data.target import ZSCORE, Task
from aam.errors import ConfigError, MetadataError, name_some

logger = logging.getLogger(__name__)


def choose_task(values: pd.Series, task: str) -> Task:
    """Decide between regression and classification, and refuse a column that cannot be learned.

    Raises
    ------
    MetadataError
        The column holds no values, one value only, or text where numbers are needed.
    """
    column, is_numeric = values.name, values.dtype.kind == "f"
    chosen: Task = "regression" if task == "regression" or (task == "auto" and is_numeric) else "classification"
    chosen = "ordinal" if task == "ordinal" else chosen
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
    if chosen != "regression" and not _are_few(distinct, values):
        hint = ", or pass --task regression" if is_numeric else ""
        raise MetadataError(
            f"--metadata-column {column} has {len(distinct):,} different values in {len(values):,} samples, such as "
            f"{name_some(distinct, limit=3)}: too many for classes. Choose another column{hint}."
        )
    warn_of_suspects("--metadata-column", values)
    return chosen


def check_order(values: pd.Series, options: TargetConfig) -> None:
    """Refuse classes without an order where one is asked for, and an order that lacks some.

    Raises
    ------
    MetadataError
        The order of a class cannot be known.
    """
    if options.task != "ordinal":
        return
    names, order = list(dict.fromkeys(class_names(values))), options.class_order
    if not order and values.dtype.kind != "f":
        raise MetadataError(
            f"--task ordinal: --metadata-column {values.name} holds {name_some(names)}, which are no numbers. Pass --class-order "
            "with all classes, lowest first."
        )
    missing = [name for name in names if order and name not in order]
    if missing:
        raise MetadataError(
            f"--class-order lacks {len(missing)} of the {len(names)} classes in --metadata-column {values.name}: "
            f"{name_some(missing)}. Name all of them, or leave their samples out by {missing_values_option(missing)}."
        )
    absent = [name for name in order if name not in names]
    if absent:
        logger.warning("--class-order: no sample has %s.", name_some(absent))


def check_transform(values: pd.Series, task: Task, options: TargetConfig) -> None:
    """Refuse a transform that the task or the values do not have.

    Raises
    ------
    ConfigError
        Classes are to be transformed.
    MetadataError
        A logarithm is asked for of values below 0.
    """
    kind = options.target_transform
    if task != "regression" and kind != ZSCORE.target_transform:
        raise ConfigError(f"--target-transform {kind} is for numbers, and {values.name} is classified: leave it out.")
    if not kind.startswith("log-"):
        return
    below = values.iloc[np.flatnonzero(values.to_numpy(dtype=np.float64) < 0)]
    if len(below):
        raise MetadataError(
            f"--target-transform {kind} takes the logarithm of 1 + value, and --metadata-column {values.name} is below 0 in "
            f"{len(below):,} of {len(values):,} samples, such as {below.iloc[0]:g} of {str(below.index[0])!r}. Correct these "
            "cells, or choose another transform."
        )


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
