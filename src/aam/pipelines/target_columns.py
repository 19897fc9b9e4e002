"""What is learned of one metadata column, or of several numeric ones: whether it can be, how, and in which units."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from aam.config.commands import TrainConfig
from aam.config.target import TargetConfig
from aam.data.joint_target import AnyTarget, JointTarget, fit_joint_target, mean_place
from aam.data.splits import strata
from aam.data.target import Task, fit_target, order_alone
from aam.data.target_choice import check_order, check_transform, choose_task, require_numbers
from aam.errors import ConfigError, MetadataError, name_some
from aam.inference.model_description import Losses
from aam.io.loss_file import OPTION, read_column_losses
from aam.objectives.joint_target import metric_prefix
from aam.pipelines.head_options import check_task
from aam.pipelines.labels import only_column


def read_losses(config: TrainConfig) -> Losses:
    """Give what ``--loss-config`` says of columns, by name.

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


def _as_if_alone(config: TrainConfig, losses: Losses, name: str) -> TrainConfig:
    """Give the options with which a column would be learned as the file says, if it were the only one."""
    if name not in losses:
        return config
    head = replace(config.network_head, numbers=losses[name])
    return replace(config, target=options_of(config.target, losses, name), network_head=head)


def options_of(options: TargetConfig, losses: Losses, name: str) -> TargetConfig:
    """Say in which units a column is learned."""
    if name not in losses:
        return options
    transform = losses[name].target_transform
    by = options.normalize_by if transform == "zscore-category" else None
    return replace(options, target_transform=transform, normalize_by=by)


def choose_task_of(values: pd.DataFrame, config: TrainConfig, losses: Losses) -> Task:
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
