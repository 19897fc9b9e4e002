"""How much samples and classes count: weights by the sizes of categories and classes, or by the user's file."""

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
    """Compute the weight of each category: ``n / (K · n_k)``, whose mean over the samples is 1; of those without samples, 1.

    Parameters
    ----------
    number
        Category of each training sample, `UNKNOWN` for none, [S].
    n_categories
        K; only those with samples are counted.

    Examples
    --------
    >>> balanced_weights(np.array([0, 0, 0, 1, -1]), 2).round(3).tolist()
    [0.667, 2.0]
    """
    sizes = np.bincount(number[number != UNKNOWN], minlength=n_categories)
    present = sizes > 0
    return np.where(present, sizes.sum() / (np.maximum(present.sum(), 1) * np.maximum(sizes, 1)), 1.0)


def weigh_classes(target: TargetState, truth: np.ndarray, chosen: str | Path | None) -> TargetState:
    """Return the target with the weights of its classes, as ``--class-weights`` says.

    Parameters
    ----------
    target
        With the classes of the training samples.
    truth
        Class numbers of the training samples, [S].
    chosen
        The option.

    Raises
    ------
    MetadataError
        The file cannot be read, or lacks a class.
    """
    if chosen is None:
        return target
    if isinstance(chosen, Path):
        weights = _from_file(chosen, target.classes)
    else:
        weights = tuple(balanced_weights(truth, len(target.classes)).tolist())
    return dataclasses.replace(target, class_weights=weights)


def log_class_weights(target: TargetState) -> None:
    """Log how much each class counts, if they do not count the same."""
    if target.class_weights:
        weights = zip(target.classes, target.class_weights, strict=True)
        logger.info("Classes weigh: %s.", ", ".join(f"{name} {weight:.3g}" for name, weight in weights))


def _from_file(path: Path, classes: tuple[str, ...]) -> tuple[float, ...]:
    given = read_class_weights(path)
    missing = [name for name in classes if name not in given]
    if missing:
        raise MetadataError(
            f"--class-weights {path} has no weight for {len(missing)} of {len(classes)} classes: {name_some(missing)}. Add a row "
            "for each."
        )
    others = [name for name in given if name not in classes]
    if others:
        logger.warning("--class-weights %s: no training sample is of %s.", path, name_some(others))
    return tuple(given[name] for name in classes)


def weights_of(column: str | None, columns: Mapping[str, pd.Series], is_training: np.ndarray) -> dict[str, np.ndarray]:
    """Weigh samples by the training samples of their category in a column, if there is one; those of none by 1."""
    if column is None:
        return {}
    known = Categories.of(columns[column].iloc[is_training])
    number = known.numbers(columns[column])
    weights = np.append(balanced_weights(number[is_training], len(known.names)), 1.0)  # the last is that of UNKNOWN
    logger.info(
        "Samples weigh by %s: %s.",
        column, ", ".join(f"{name} {weight:.3g}" for name, weight in zip(known.names, weights, strict=False)),
    )  # fmt: skip
    return {WEIGHT: weights[number]}
