"""Weights of samples and of classes in the loss, from the sizes of categories and classes or from the user's file."""

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from aam.batch import WEIGHT
from aam.errors import MetadataError, name_some
from aam.io.label_files import read_class_weights
from aam.labels.covariates import UNKNOWN, Categories
from aam.labels.target import TargetState

logger = logging.getLogger(__name__)


def balanced_weights(number: np.ndarray, n_categories: int) -> np.ndarray:
    """Compute the weight of each category, ``n / (K · n_k)``, whose mean over the samples is 1.

    Parameters
    ----------
    number
        Number of each training sample's category, `UNKNOWN` for none, [S].
    n_categories
        Number of categories; K counts only those with samples.

    Returns
    -------
    np.ndarray
        Weight of each category, 1 for those without samples, float64 [n_categories].

    Examples
    --------
    >>> balanced_weights(np.array([0, 0, 0, 1, -1]), 2).round(3).tolist()
    [0.667, 2.0]
    """
    sizes = np.bincount(number[number != UNKNOWN], minlength=n_categories)
    present = sizes > 0
    return np.where(present, sizes.sum() / (np.maximum(present.sum(), 1) * np.maximum(sizes, 1)), 1.0)


def weigh_classes(target: TargetState, truth: np.ndarray, option: str | Path | None) -> TargetState:
    """Return the target with the weights of its classes, as ``--class-weights`` says.

    Parameters
    ----------
    target
        The target, with the classes of the training samples.
    truth
        Class numbers of the training samples, [S].
    option
        Path of a file of weights, ``balanced`` for weights by the sizes of the classes, or None for equal weights.

    Raises
    ------
    MetadataError
        The file cannot be read, or lacks a class.
    """
    if option is None:
        return target
    if isinstance(option, Path):
        weights = _weights_from_file(option, target.classes)
    else:
        weights = tuple(balanced_weights(truth, len(target.classes)).tolist())
    return dataclasses.replace(target, class_weights=weights)


def log_class_weights(target: TargetState) -> None:
    """Log the weights of the classes, if they are not equal."""
    if target.class_weights:
        weights = zip(target.classes, target.class_weights, strict=True)
        logger.info("Classes weigh: %s.", ", ".join(f"{name} {weight:.3g}" for name, weight in weights))


def _weights_from_file(path: Path, classes: tuple[str, ...]) -> tuple[float, ...]:
    weight_of = read_class_weights(path)
    missing = [name for name in classes if name not in weight_of]
    if missing:
        raise MetadataError(
            f"--class-weights {path} has no weight for {len(missing)} of {len(classes)} classes: {name_some(missing)}. Add a row "
            "for each."
        )
    others = [name for name in weight_of if name not in classes]
    if others:
        logger.warning("--class-weights %s: no training sample is of %s.", path, name_some(others))
    return tuple(weight_of[name] for name in classes)


def weigh_samples(
    column: str | None, columns: Mapping[str, pd.Series], is_training: np.ndarray
) -> dict[str, np.ndarray]:
    """Compute the weights of samples, so that the categories of a column have equal weight in training.

    Parameters
    ----------
    column
        Column of the categories; None for equal weights of all samples.
    columns
        Metadata columns by name, in the order of the samples.
    is_training
        True for training samples, bool [S].

    Returns
    -------
    dict[str, np.ndarray]
        Weight of each sample, 1 for those without a category, float64 [S], by the name that it has in batches; empty without a
        column.
    """
    if column is None:
        return {}
    categories = Categories.of(columns[column].iloc[is_training])
    number = categories.numbers(columns[column])
    weights = np.append(
        balanced_weights(number[is_training], len(categories.names)), 1.0
    )  # the last is that of UNKNOWN
    logger.info(
        "Samples weigh by %s: %s.",
        column, ", ".join(f"{name} {weight:.3g}" for name, weight in zip(categories.names, weights, strict=False)),
    )  # fmt: skip
    return {WEIGHT: weights[number]}
