"""What a head must know of samples beside their ASVs: numbers of their categories, and weights of samples and classes."""

import dataclasses
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from aam.batch import CATEGORY, SCALING, WEIGHT
from aam.errors import ConfigError, MetadataError, name_some
from aam.io.label_files import read_class_weights
from aam.io.metadata import Metadata
from aam.labels.covariates import UNKNOWN, Categories
from aam.labels.target import AnyTarget, JointTarget, TargetState, parts_of

logger = logging.getLogger(__name__)


def balanced_weights(number: np.ndarray, n_categories: int) -> np.ndarray:
    """Give the weight of each category: ``n / (K · n_k)``, whose mean over the samples is 1; of those without samples, 1.

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
    """Give the target with the weights of its classes, as ``--class-weights`` says.

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
    shown = ", ".join(f"{name} {weight:.3g}" for name, weight in zip(target.classes, weights, strict=True))
    logger.info("Classes weigh: %s.", shown)
    return dataclasses.replace(target, class_weights=weights)


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


HeadInputs = Mapping[str, np.ndarray]
"""One value per sample, [S], by the name that batches give it."""

NO_HEAD_INPUTS: HeadInputs = {}


def named_columns(
    options: Mapping[str, str | None], metadata: Metadata, sample_ids: list[str], target_columns: Sequence[str]
) -> dict[str, pd.Series]:
    """Give the columns of categories that options name, by name, in the order of the samples.

    Raises
    ------
    MetadataError
        A column does not exist, or no sample has a value in it.
    ConfigError
        It is the target.
    """
    for flag, name in options.items():
        if name in target_columns:
            raise ConfigError(
                f"{flag} and --metadata-column are both {name}: name the column of the categories, such as site."
            )
    columns = {name: metadata.column(name).reindex(sample_ids) for name in options.values() if name is not None}
    for flag, name in options.items():
        if name is not None and not columns[name].notna().any():
            raise MetadataError(f"{flag} {name}: no sample in use has a value in that column. Choose another.")
    return columns


def rows_of(columns: Mapping[str, pd.Series], rows: np.ndarray) -> dict[str, pd.Series]:
    """Choose samples, by number or by truth."""
    return {name: values.iloc[rows] for name, values in columns.items()}


def scaled_by(target: AnyTarget, column: str | None, training: Mapping[str, pd.Series]) -> AnyTarget:
    """Give the target with the categories of the training samples by which outputs are to be scaled, if a column names any."""
    if column is None:
        return target
    categories = Categories.of(training[column])
    if isinstance(target, JointTarget):
        return target.each(lambda part: dataclasses.replace(part, scaled_by=categories))
    return dataclasses.replace(target, scaled_by=categories)


def head_inputs_of(target: AnyTarget, columns: Mapping[str, pd.Series], n_samples: int) -> dict[str, np.ndarray]:
    """Number the categories of samples as the target knows them, [S], or each of its columns, [S, K]; say how many are of none.

    Parameters
    ----------
    target
        What was fitted.
    columns
        Metadata columns by name, in the order of the samples; one that is absent says nothing of any sample.
    n_samples
        S.
    """
    numbered: dict[Categories, np.ndarray] = {}
    of_parts = []
    for part in parts_of(target):
        needed = _needed(part)
        for known in needed.values():
            if known not in numbered:
                numbered[known] = _numbers(known, columns, n_samples)
        of_parts.append({name: numbered[known] for name, known in needed.items()})
    if isinstance(target, TargetState):
        return of_parts[0]
    names = {name for head_inputs in of_parts for name in head_inputs}
    nothing = np.full(n_samples, UNKNOWN)
    return {
        name: np.stack([head_inputs.get(name, nothing) for head_inputs in of_parts], axis=1) for name in sorted(names)
    }


def head_inputs_of_new_samples(
    target: AnyTarget, metadata: Metadata | None, sample_ids: list[str]
) -> dict[str, np.ndarray]:
    """Do the same for samples whose metadata may be absent, or lack columns or rows."""
    names = {known.column for part in parts_of(target) for known in _needed(part).values()}
    columns = {}
    if metadata is not None:
        columns = {name: metadata.column(name).reindex(sample_ids) for name in names if name in metadata.frame.columns}
    return head_inputs_of(target, columns, len(sample_ids))


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


def _needed(target: TargetState) -> dict[str, Categories]:
    needed: Iterable[tuple[str, Categories | None]] = [
        (CATEGORY, target.normalized_by),
        (SCALING, target.scaled_by),
    ]
    return {name: categories for name, categories in needed if categories is not None}


def _numbers(known: Categories, columns: Mapping[str, pd.Series], n_samples: int) -> np.ndarray:
    values = columns.get(known.column)
    numbers = np.full(n_samples, UNKNOWN) if values is None else known.numbers(values)
    n_unknown = int((numbers == UNKNOWN).sum())
    if n_unknown:
        logger.warning(
            "%d of %d samples have no %s that training saw (%s) by the column of that name in --metadata: they are read as of none "
            "in particular.",
            n_unknown, n_samples, known.column, name_some(known.names),
        )  # fmt: skip
    return numbers
