"""The task as which metadata columns are learned, regression or classification, and checks that it fits the values."""

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
from aam.labels.columns import class_names, missing_values_option, only_column
from aam.labels.stratified import strata
from aam.labels.target import (
    ZSCORE,
    AnyTarget,
    JointTarget,
    Task,
    fit_joint_target,
    fit_target,
    mean_rank,
    without_transform,
)
from aam.labels.task_choice import choose_task, require_numbers

logger = logging.getLogger(__name__)


def check_order(values: pd.Series, options: TargetConfig) -> None:
    """Refuse ordinal classes whose order cannot be known.

    Raises
    ------
    MetadataError
        Classes are not numbers and there is no ``--class-order``, or it lacks a class.
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
    """Refuse a transform that does not fit the task or the values.

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


def check_task(config: LearningConfig, task: Task, values: pd.Series) -> None:
    """Refuse options of the network's head that are for numbers where classes are learned, or for classes where numbers are.

    Raises
    ------
    ConfigError
        Such options were passed.
    MetadataError
        The output activation cannot reach some values.
    """
    if config.head.head == "kernel":  # none of these options has an effect on it, which `choose_head` warns of
        return
    is_regression = task == "regression"
    flags = changed_flags(config.network_head.classes if is_regression else config.network_head.numbers, ())
    if flags:
        kind, is_learned = ("classes", "regressed") if is_regression else ("numbers", "classified")
        are, them = ("is", "it") if len(flags) == 1 else ("are", "them")
        raise ConfigError(
            f"{', '.join(flags)} {are} for {kind}, and {values.name} is {is_learned}: leave {them} out, or pass --task."
        )
    if is_regression and config.target.target_transform == "none":
        _check_range(values, config.network_head.numbers.output_activation)


def _check_range(values: pd.Series, activation: str) -> None:
    """Refuse values that the output activation cannot reach."""
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
    """Read the losses of columns from ``--loss-config``.

    Returns
    -------
    Losses
        Options of the loss by column; empty without a file.

    Raises
    ------
    LossFileError
        The file cannot be read, or holds a value that no option can have.
    ConfigError
        The file names a column that is not learned, or its options for a column contradict others.
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
            _config_of_column(config, losses, name)
        except ConfigError as error:
            raise ConfigError(f"{OPTION} {path}: {name}: {error}") from None
    return losses


def _config_of_column(config: LearningConfig, losses: Losses, name: str) -> LearningConfig:
    """Return the options of a run that learns this column alone, with the loss that the file gives it."""
    if name not in losses:
        return config
    head = replace(config.network_head, numbers=losses[name])
    return replace(config, target=options_of(config.target, losses, name), network_head=head)


def options_of(options: TargetConfig, losses: Losses, name: str) -> TargetConfig:
    """Return the options of the target of one column: those of its loss in ``losses`` take precedence."""
    if name not in losses:
        return options
    transform = losses[name].target_transform
    by = options.normalize_by if transform == "zscore-category" else None
    return replace(options, target_transform=transform, normalize_by=by)


def choose_task_of(values: pd.DataFrame, config: LearningConfig, losses: Losses) -> Task:
    """Return the task for the columns to learn; several are always regressed.

    Parameters
    ----------
    values
        Columns to learn, one row per sample.
    config
        Options of the run.
    losses
        Losses from ``--loss-config``, by column.

    Raises
    ------
    MetadataError
        A column cannot be learned, or not beside others.
    ConfigError
        The options do not fit it.
    """
    if len(values.columns) == 1:
        cells = only_column(values)
        task = choose_task(cells, config.target.task)
        if losses and task != "regression":
            raise ConfigError(f"{OPTION} is for numbers, and {cells.name} is classified: leave it out, or pass --task.")
        of_column = _config_of_column(config, losses, str(cells.name))
        check_order(cells, of_column.target)
        check_transform(cells, task, of_column.target)
        check_task(of_column, task, cells)
        return task
    if config.target.task not in ("auto", "regression"):
        raise ConfigError(
            f"--task {config.target.task} is for one column, and --metadata-column has {len(values.columns)}: several are learned "
            "as numbers. Leave --task out, or pass one column."
        )
    _require_different_metric_names([str(name) for name in values.columns])
    for name, column in values.items():
        cells, of_column = column.dropna(), _config_of_column(config, losses, str(name))
        require_numbers(cells, "several columns are learned as numbers", "it as the only column")
        choose_task(cells, "regression")
        check_transform(cells, "regression", of_column.target)
        check_task(of_column, "regression", cells)
    return "regression"


def _require_different_metric_names(names: list[str]) -> None:
    by_prefix = {metric_prefix(name): name for name in names}
    for name in names:
        other = by_prefix[metric_prefix(name)]
        if other != name:
            raise MetadataError(
                f"--metadata-column {name_some([name, other])}: their metrics would have the same name, {metric_prefix(name)}_r2, "
                "as a dot is written as an underscore there. Rename one of them in the metadata."
            )


def stratum_of(values: pd.DataFrame, task: Task, options: TargetConfig) -> np.ndarray:
    """Return the number of each sample's class or bin, by which splits are stratified; int64 [S].

    Several columns are stratified by their mean rank.
    """
    if len(values.columns) > 1:
        return strata(mean_rank(values))
    cells = only_column(values)
    return strata(fit_target(cells, task, without_transform(options)).encode(cells))


def fit_columns(
    values: pd.DataFrame, task: Task, options: TargetConfig, losses: Losses, categories: Mapping[str, pd.Series]
) -> AnyTarget:
    """Fit the target of the columns to learn.

    Parameters
    ----------
    values
        Columns to learn, one row per training sample.
    task
        Task as which they are learned.
    options, losses
        Transform of all columns, and options of single columns, which take precedence.
    categories
        Cells of the same samples in the metadata columns that options name.

    Returns
    -------
    AnyTarget
        A `TargetState` for one column, a `JointTarget` for several.

    Raises
    ------
    MetadataError, SplitError
        A column has too few values in the training samples, or values that cannot be learned.
    """
    if len(values.columns) > 1:
        by_column = {str(name): options_of(options, losses, str(name)) for name in values.columns}
        return fit_joint_target(values, by_column, categories)
    cells = only_column(values)
    return fit_target(cells, task, options_of(options, losses, str(cells.name)), categories)


def encode_columns(target: AnyTarget, values: pd.DataFrame) -> np.ndarray:
    """Return values in own units or class numbers, [S], or for several columns values in own units, [S, K]."""
    return target.encode(values) if isinstance(target, JointTarget) else target.encode(only_column(values))
