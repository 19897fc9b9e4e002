"""What a head must know of samples beside their ASVs: categories, covariates, and how much samples and classes count."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from aam.batch import CATEGORIES, CATEGORY, NUMBERS, SCALING, WEIGHT
from aam.errors import ConfigError, MetadataError, name_some
from aam.io.label_files import read_class_weights
from aam.io.metadata import Metadata
from aam.labels.covariates import UNKNOWN, Categories, Columns, Covariates
from aam.labels.missing_rows import refuse_other_metadata
from aam.labels.target import AnyTarget, JointTarget, TargetState, parts_of

logger = logging.getLogger(__name__)

HeadInputs = Mapping[str, np.ndarray]
"""Arrays with a row for each sample, by the name that they have in batches."""


def named_columns(
    options: Mapping[str, str | None], metadata: Metadata, sample_ids: list[str], target_columns: Sequence[str]
) -> dict[str, pd.Series]:
    """Return the columns of categories that options name.

    Parameters
    ----------
    options
        Name of the column by flag; None where the flag was not passed.
    metadata
        The metadata that hold the columns.
    sample_ids
        Names of the samples in use.
    target_columns
        Columns to learn.

    Returns
    -------
    dict[str, pd.Series]
        Cells by name of the column, in the order of the samples.

    Raises
    ------
    MetadataError
        A column does not exist, or no sample has a value in it.
    ConfigError
        A column is the target.
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


def select_cells(columns: Mapping[str, pd.Series], selection: np.ndarray) -> dict[str, pd.Series]:
    """Return the cells of some samples in each column; ``selection`` holds their indices, or is a mask."""
    return {name: values.iloc[selection] for name, values in columns.items()}


def with_output_scaling(target: AnyTarget, column: str | None, training: Mapping[str, pd.Series]) -> AnyTarget:
    """Return the target with the categories by which a network scales its outputs, fitted to the training samples.

    Parameters
    ----------
    target
        What was fitted on the training samples.
    column
        Column of the categories; None for outputs that are not scaled.
    training
        Cells of the training samples, by name of the column.
    """
    if column is None:
        return target
    categories = Categories.of(training[column])
    if isinstance(target, JointTarget):
        return target.map_parts(lambda part: dataclasses.replace(part, scaled_by=categories))
    return dataclasses.replace(target, scaled_by=categories)


def head_inputs_of(
    target: AnyTarget, covariates: Covariates, columns: Columns, n_samples: int
) -> dict[str, np.ndarray]:
    """Compute what a head reads of samples beside their ASVs.

    Parameters
    ----------
    target, covariates
        What was fitted on the training samples.
    columns
        Metadata columns by name, in the order of the samples. If a column of categories is absent, no sample has a category.
    n_samples
        Number of samples, S.

    Returns
    -------
    dict[str, np.ndarray]
        Numbers of the samples' categories, [S], or [S, K] for K target columns, and covariates, [S, columns], by the names that
        they have in batches.
    """
    inputs = _category_numbers(target, columns, n_samples)
    if covariates.columns:
        cells = covariates.cells(columns)
        inputs |= {CATEGORIES: cells.categories, NUMBERS: cells.numbers}
    return inputs


def head_inputs_of_new_samples(
    target: AnyTarget, covariates: Covariates, metadata: Metadata | None, sample_ids: Sequence[str]
) -> dict[str, np.ndarray]:
    """Compute what a head reads of new samples, whose metadata may be absent or incomplete.

    Parameters
    ----------
    target, covariates
        What was fitted on the training samples.
    metadata
        Metadata of the new samples, which may lack rows, and columns of categories; None for none.
    sample_ids
        Names of the new samples.

    Returns
    -------
    dict[str, np.ndarray]
        Arrays as `head_inputs_of` returns them.

    Raises
    ------
    MetadataError
        The model reads covariates, and there is no metadata, it lacks their columns, or no sample has a row.
    """
    return head_inputs_of(target, covariates, new_columns(target, covariates, metadata, sample_ids), len(sample_ids))


def columns_read(target: AnyTarget, covariates: Covariates) -> tuple[str, ...]:
    """Return the names of the metadata columns that a head reads of each sample, each once."""
    return tuple(dict.fromkeys([*(categories.column for categories in categories_of(target)), *covariates.columns]))


def warn_of_unknown_categories(target: AnyTarget, columns: Columns, n_samples: int) -> None:
    """Warn of samples that have no category of the training samples, for each column of categories that the target needs."""
    for categories in categories_of(target):
        n_unknown = int((_numbers(categories, columns, n_samples) == UNKNOWN).sum())
        if n_unknown:
            logger.warning(
                "%d of %d samples have no %s that training saw (%s) by the column of that name in --metadata: they are read as of "
                "none in particular.",
                n_unknown, n_samples, categories.column, name_some(categories.names),
            )  # fmt: skip


def warn_of_unknown_covariates(samples: Sequence[tuple[Covariates, Columns]]) -> None:
    """Warn, once for each column, of covariates that are read as unknown, and of the reason.

    Parameters
    ----------
    samples
        Pairs of fitted covariates and the columns of the samples that are read with them; several pairs for folds.
    """
    names = samples[0][0].columns
    if not names:
        return
    unknown = [covariates.unknown(columns) for covariates, columns in samples]
    parents = {category.column: category.parent for covariates, _ in samples for category in covariates.categories}
    for name in names:
        n_samples = sum(len(columns[name]) for _, columns in samples)
        n_missing = sum(by_column[name].n_missing for by_column in unknown)
        unseen = [cell for by_column in unknown for cell in by_column[name].unseen]
        if n_missing or unseen:
            parent = parents.get(name)
            logger.warning(
                "%s: %d of %d samples are read as unknown%s: %d without a value, %d with one that training did not have%s.",
                name, n_missing + len(unseen), n_samples, f" (by their {parent} alone)" if parent else "", n_missing, len(unseen),
                f" ({name_some(list(dict.fromkeys(unseen)))})" if unseen else "",
            )  # fmt: skip


def new_columns(
    target: AnyTarget, covariates: Covariates, metadata: Metadata | None, sample_ids: Sequence[str]
) -> dict[str, pd.Series]:
    """Return the columns that a head reads and the metadata of new samples have, in the order of the samples.

    Parameters
    ----------
    target, covariates
        What was fitted on the training samples.
    metadata
        Metadata of the new samples; None for none.
    sample_ids
        Names of the new samples.

    Returns
    -------
    dict[str, pd.Series]
        Cells by name of the column.

    Raises
    ------
    MetadataError
        The model reads covariates, and there is no metadata, it lacks their columns, or no sample has a row.
    """
    optional = {categories.column for categories in categories_of(target)}
    required = covariates.columns
    if required:
        _require_columns(required, metadata, sample_ids)
    if metadata is None:
        return {}
    present = [name for name in (*optional, *required) if name in metadata.frame.columns]
    return {name: metadata.column(name).reindex(list(sample_ids)) for name in present}


def _require_columns(required: Sequence[str], metadata: Metadata | None, sample_ids: Sequence[str]) -> None:
    if metadata is None:
        raise MetadataError(
            f"The model reads {name_some(required, len(required))} of each sample beside its microbes: pass --metadata FILE with "
            "these columns. Cells may be empty where nothing is known."
        )
    missing = [name for name in required if name not in metadata.frame.columns]
    if missing:
        raise MetadataError(
            f"--metadata has no column {name_some(missing)}, and the model reads {name_some(required, len(required))} of each "
            "sample beside its microbes. Add it; cells may be empty where nothing is known."
        )
    refuse_other_metadata(sample_ids, metadata, "--metadata")


def _category_numbers(target: AnyTarget, columns: Columns, n_samples: int) -> dict[str, np.ndarray]:
    """Return the numbers of the samples' categories, [S], or [S, K] for K target columns, by name in batches."""
    by_part = [
        {name: _numbers(categories, columns, n_samples) for name, categories in _categories_by_name(part).items()}
        for part in parts_of(target)
    ]
    if isinstance(target, TargetState):
        return by_part[0]
    names = {name for numbers in by_part for name in numbers}
    unknown = np.full(n_samples, UNKNOWN)
    return {name: np.stack([numbers.get(name, unknown) for numbers in by_part], axis=1) for name in sorted(names)}


def categories_of(target: AnyTarget) -> list[Categories]:
    """Return the categories that any part of a target needs, without repeats."""
    categories = (categories for part in parts_of(target) for categories in _categories_by_name(part).values())
    return list(dict.fromkeys(categories))


def _categories_by_name(target: TargetState) -> dict[str, Categories]:
    by_name = {CATEGORY: target.normalized_by, SCALING: target.scaled_by}
    return {name: categories for name, categories in by_name.items() if categories is not None}


def _numbers(categories: Categories, columns: Columns, n_samples: int) -> np.ndarray:
    values = columns.get(categories.column)
    return np.full(n_samples, UNKNOWN) if values is None else categories.numbers(values)


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
