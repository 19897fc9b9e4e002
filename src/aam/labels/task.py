"""How a metadata column, or several numeric ones, are learned: as numbers or classes, and in which units."""

import logging
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from aam.batch import metric_prefix
from aam.config.base import changed_flags
from aam.config.commands import LearningConfig
from aam.config.target import Losses, TargetConfig
from aam.errors import ConfigError, MetadataError, name_some
from aam.io.label_files import OPTION, read_column_losses
from aam.labels.columns import (
    class_names,
    describe,
    missing_values_option,
    misspelt_numbers,
    not_numbers,
    only_column,
    probable_missing_values,
    warn_of_probable_missing_values,
)
from aam.labels.splits import strata
from aam.labels.target import (
    ZSCORE,
    AnyTarget,
    JointTarget,
    Task,
    fit_joint_target,
    fit_target,
    mean_place,
    order_alone,
)

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
    warn_of_probable_missing_values("--metadata-column", values)
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
    """Describe what to pass where a column is not numeric."""
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
        wrong == probable_missing_values(values)
        or (not _are_few(distinct, values) and sum(wrong.values()) < len(values) / 2)
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


def check_task(config: LearningConfig, task: Task, values: pd.Series) -> None:
    """Refuse options of the network's head for numbers where classes are learned, and the other way round.

    Raises
    ------
    ConfigError
        There are some; the message names them.
    MetadataError
        An activation cannot give the values.
    """
    if config.head.head == "kernel":  # for which no option of the network has an effect, as is said
        return
    is_regression = task == "regression"
    wrong = changed_flags(config.network_head.classes if is_regression else config.network_head.numbers, ())
    if wrong:
        what, is_learned = ("classes", "regressed") if is_regression else ("numbers", "classified")
        are, them = ("is", "it") if len(wrong) == 1 else ("are", "them")
        raise ConfigError(
            f"{', '.join(wrong)} {are} for {what}, and {values.name} is {is_learned}: leave {them} out, or pass --task."
        )
    if is_regression and config.target.target_transform == "none":
        _check_range(values, config.network_head.numbers.output_activation)


def _check_range(values: pd.Series, activation: str) -> None:
    low, high = (0.0 if activation != "none" else -np.inf), (1.0 if activation == "sigmoid" else np.inf)
    numbers = values.to_numpy(dtype=np.float64)
    outside = values.iloc[np.flatnonzero((numbers < low) | (numbers > high))]
    if len(outside):
        limits = "between 0 and 1" if activation == "sigmoid" else "above 0"
        raise MetadataError(
            f"--output-activation {activation} gives values {limits}, and --metadata-column {values.name} has others in "
            f"{len(outside):,} of {len(values):,} samples, such as {outside.iloc[0]:g} of {str(outside.index[0])!r}. Choose "
            "another activation, or --target-transform minmax."
        )


def read_losses(config: LearningConfig) -> Losses:
    """Return what ``--loss-config`` says of columns, by name.

    Raises
    ------
    LossFileError
        The file cannot be read or says what no column can have.
    ConfigError
        It names others than are learned, or says of a column what does not fit the options.
    """
    path, names = config.network_head.loss_config, config.label.metadata_column
    if path is None:
        return {}
    losses = read_column_losses(path)
    unknown = [name for name in losses if name not in names]
    if unknown:
        raise ConfigError(f"{OPTION} {path} names {name_some(unknown)}, and --metadata-column has {name_some(names)}.")
    if len(names) == 1 and losses[names[0]].weight != 1:
        raise ConfigError(
            f"{OPTION} {path}: {names[0]} is the only column, and its weight has no effect: leave it out, or pass --target-penalty."
        )
    for name in losses:
        try:
            _as_if_alone(config, losses, name)
        except ConfigError as error:
            raise ConfigError(f"{OPTION} {path}: {name}: {error}") from None
    return losses


def _as_if_alone(config: LearningConfig, losses: Losses, name: str) -> LearningConfig:
    """Return the options with which a column would be learned as the file says, if it were the only one."""
    if name not in losses:
        return config
    head = replace(config.network_head, numbers=losses[name])
    return replace(config, target=options_of(config.target, losses, name), network_head=head)


def options_of(options: TargetConfig, losses: Losses, name: str) -> TargetConfig:
    """Describe the units in which a column is learned."""
    if name not in losses:
        return options
    transform = losses[name].target_transform
    by = options.normalize_by if transform == "zscore-category" else None
    return replace(options, target_transform=transform, normalize_by=by)


def choose_task_of(values: pd.DataFrame, config: LearningConfig, losses: Losses) -> Task:
    """Decide how the columns are learned.

    Raises
    ------
    MetadataError
        A column cannot be learned, or not beside others.
    ConfigError
        The options do not fit it.
    """
    if len(values.columns) == 1:
        one = only_column(values)
        task = choose_task(one, config.target.task)
        if losses and task != "regression":
            raise ConfigError(f"{OPTION} is for numbers, and {one.name} is classified: leave it out, or pass --task.")
        own = _as_if_alone(config, losses, str(one.name))
        check_order(one, own.target)
        check_transform(one, task, own.target)
        check_task(own, task, one)
        return task
    if config.target.task not in ("auto", "regression"):
        raise ConfigError(
            f"--task {config.target.task} is for one column, and --metadata-column has {len(values.columns)}: several are learned "
            "as numbers. Leave --task out, or pass one column."
        )
    _require_names_apart([str(name) for name in values.columns])
    for name, column in values.items():
        cells, own = column.dropna(), _as_if_alone(config, losses, str(name))
        require_numbers(cells, "several columns are learned as numbers", "it as the only column")
        choose_task(cells, "regression")
        check_transform(cells, "regression", own.target)
        check_task(own, "regression", cells)
    return "regression"


def _require_names_apart(names: list[str]) -> None:
    by_prefix = {metric_prefix(name): name for name in names}
    for name in names:
        other = by_prefix[metric_prefix(name)]
        if other != name:
            raise MetadataError(
                f"--metadata-column {name_some([name, other])}: their metrics would have the same name, {metric_prefix(name)}_r2, "
                "as a dot is written as an underscore there. Rename one of them in the metadata."
            )


def stratum_of(values: pd.DataFrame, task: Task, options: TargetConfig) -> np.ndarray:
    """Number the classes or bins that both sides of a split should hold alike; of several columns, of their mean rank."""
    if len(values.columns) > 1:
        return strata(mean_place(values))
    one = only_column(values)
    return strata(fit_target(one, task, order_alone(options)).encode(one))


def fit_columns(
    values: pd.DataFrame, task: Task, options: TargetConfig, losses: Losses, categories: Mapping[str, pd.Series]
) -> AnyTarget:
    """Learn scaling or classes from the training samples' values.

    Parameters
    ----------
    values
        Of the training samples.
    task
        How they are learned.
    options, losses
        In which units; what is said of a column goes first.
    categories
        Metadata columns that options name.

    Raises
    ------
    MetadataError, SplitError
        A column has too few values there, or none that can be learned.
    """
    if len(values.columns) > 1:
        of_columns = {str(name): options_of(options, losses, str(name)) for name in values.columns}
        return fit_joint_target(values, of_columns, categories)
    one = only_column(values)
    return fit_target(one, task, options_of(options, losses, str(one.name)), categories)


def encode_columns(target: AnyTarget, values: pd.DataFrame) -> np.ndarray:
    """Turn values into numbers: own units or class numbers [S], or own units of each column [S, K]."""
    return target.encode(values) if isinstance(target, JointTarget) else target.encode(only_column(values))
