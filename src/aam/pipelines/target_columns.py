"""What is learned of one metadata column, or of several numeric ones: whether it can be, how, and in which units."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from aam.config.commands import TrainConfig
from aam.config.target import TargetConfig
from aam.data.joint_target import AnyTarget, JointTarget, fit_joint_target, mean_place
from aam.data.splits import strata
from aam.data.target import Task, fit_target, order_alone
from aam.data.target_choice import check_order, check_transform, choose_task, require_numbers
from aam.errors import ConfigError
from aam.pipelines.head_options import check_task
from aam.pipelines.labels import only_column


def choose_task_of(values: pd.DataFrame, config: TrainConfig) -> Task:
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
        check_order(one, config.target)
        check_transform(one, task, config.target)
        check_task(config, task, one)
        return task
    if config.target.task not in ("auto", "regression"):
        raise ConfigError(
            f"--task {config.target.task} is for one column, and --metadata-column has {len(values.columns)}: several are learned "
            "as numbers. Leave --task out, or pass one column."
        )
    for _, column in values.items():
        cells = column.dropna()
        require_numbers(cells, "several columns are learned as numbers", "it as the only column")
        choose_task(cells, "regression")
        check_transform(cells, "regression", config.target)
        check_task(config, "regression", cells)
    return "regression"


def stratum_of(values: pd.DataFrame, task: Task, options: TargetConfig) -> np.ndarray:
    """Number the classes or bins that both sides of a split should hold alike; of several columns, of their mean rank."""
    if len(values.columns) > 1:
        return strata(mean_place(values))
    one = only_column(values)
    return strata(fit_target(one, task, order_alone(options)).encode(one))


def fit_columns(
    values: pd.DataFrame, task: Task, options: TargetConfig, categories: Mapping[str, pd.Series]
) -> AnyTarget:
    """Learn scaling or classes from the training samples' values; ``categories`` are their metadata columns that options name.

    Raises
    ------
    MetadataError, SplitError
        A column has too few values there, or none that can be learned.
    """
    if len(values.columns) > 1:
        return fit_joint_target(values, options, categories)
    return fit_target(only_column(values), task, options, categories)


def encode_columns(target: AnyTarget, values: pd.DataFrame) -> np.ndarray:
    """Turn values into numbers: own units or class numbers [S], or own units of each column [S, K]."""
    return target.encode(values) if isinstance(target, JointTarget) else target.encode(only_column(values))
