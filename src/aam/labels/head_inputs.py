"""What a head must know of samples beside their ASVs: numbers of their categories, and covariates, by columns of the metadata."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from aam.batch import CATEGORIES, CATEGORY, NUMBERS, SCALING
from aam.errors import ConfigError, MetadataError, name_some
from aam.io.metadata import Metadata
from aam.labels.covariates import UNKNOWN, Categories, Columns, Covariates
from aam.labels.target import AnyTarget, JointTarget, TargetState, parts_of

logger = logging.getLogger(__name__)

HeadInputs = Mapping[str, np.ndarray]
"""One value per sample, [S], by the name that batches give it."""


def named_columns(
    options: Mapping[str, str | None], metadata: Metadata, sample_ids: list[str], target_columns: Sequence[str]
) -> dict[str, pd.Series]:
    """Return the columns of categories that options name, by name, in the order of the samples.

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
    """Return the target with the categories of the training samples by which outputs are to be scaled, if a column names any."""
    if column is None:
        return target
    categories = Categories.of(training[column])
    if isinstance(target, JointTarget):
        return target.each(lambda part: dataclasses.replace(part, scaled_by=categories))
    return dataclasses.replace(target, scaled_by=categories)


def head_inputs_of(
    target: AnyTarget, covariates: Covariates, columns: Columns, n_samples: int
) -> dict[str, np.ndarray]:
    """Compute what a head must know of samples beside their ASVs.

    Parameters
    ----------
    target, covariates
        What was fitted on the training samples.
    columns
        Metadata columns by name, in the order of the samples. A column of categories that is absent leaves all samples without one.
    n_samples
        S.

    Returns
    -------
    dict[str, np.ndarray]
        Numbers of the samples' categories, [S], or for several target columns [S, K], and cells of covariates, [S, columns], by
        the names that batches give them.
    """
    inputs = _category_numbers(target, columns, n_samples)
    if covariates.columns:
        cells = covariates.cells(columns)
        inputs |= {CATEGORIES: cells.categories, NUMBERS: cells.numbers}
    return inputs


def head_inputs_of_new_samples(
    target: AnyTarget, covariates: Covariates, metadata: Metadata | None, sample_ids: Sequence[str]
) -> dict[str, np.ndarray]:
    """Compute the same for samples of a table, whose metadata may be absent, or lack rows or columns of categories.

    Raises
    ------
    MetadataError
        Covariates are read, and there is no metadata, it lacks their columns, or no sample has a row.
    """
    return head_inputs_of(target, covariates, _new_columns(target, covariates, metadata, sample_ids), len(sample_ids))


def warn_of_unknown_cells(
    target: AnyTarget, covariates: Covariates, metadata: Metadata | None, sample_ids: Sequence[str]
) -> None:
    """Warn of the cells of new samples that are read as unknown, and why.

    Raises
    ------
    MetadataError
        As in `head_inputs_of_new_samples`.
    """
    columns = _new_columns(target, covariates, metadata, sample_ids)
    warn_of_unknown_categories(target, columns, len(sample_ids))
    warn_of_unknown_covariates([(covariates, columns)])


def columns_read(target: AnyTarget, covariates: Covariates) -> tuple[str, ...]:
    """Return the names of the metadata columns that a head reads of each sample, each once."""
    return tuple(dict.fromkeys([*(categories.column for categories in _categories(target)), *covariates.columns]))


def warn_of_unknown_categories(target: AnyTarget, columns: Columns, n_samples: int) -> None:
    """Warn of samples without a category that training saw, for each column of categories that the target needs."""
    for categories in _categories(target):
        n_unknown = int((_numbers(categories, columns, n_samples) == UNKNOWN).sum())
        if n_unknown:
            logger.warning(
                "%d of %d samples have no %s that training saw (%s) by the column of that name in --metadata: they are read as of "
                "none in particular.",
                n_unknown, n_samples, categories.column, name_some(categories.names),
            )  # fmt: skip


def warn_of_unknown_covariates(samples: Sequence[tuple[Covariates, Columns]]) -> None:
    """Warn, once for each column, of cells that are read as unknown, and why.

    Parameters
    ----------
    samples
        Covariates that were fitted, and the columns of the samples that are read with them; several of both, as of folds.
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


def _new_columns(
    target: AnyTarget, covariates: Covariates, metadata: Metadata | None, sample_ids: Sequence[str]
) -> dict[str, pd.Series]:
    names = {categories.column for categories in _categories(target)}
    needed = covariates.columns
    if needed:
        _check_covariates_are_given(needed, metadata, sample_ids)
    if metadata is None:
        return {}
    present = [name for name in (*names, *needed) if name in metadata.frame.columns]
    return {name: metadata.column(name).reindex(list(sample_ids)) for name in present}


def _check_covariates_are_given(needed: Sequence[str], metadata: Metadata | None, sample_ids: Sequence[str]) -> None:
    if metadata is None:
        raise MetadataError(
            f"The model reads {name_some(needed, len(needed))} of each sample beside its microbes: pass --metadata FILE with these "
            "columns. Cells may be empty where nothing is known."
        )
    missing = [name for name in needed if name not in metadata.frame.columns]
    if missing:
        raise MetadataError(
            f"--metadata has no column {name_some(missing)}, and the model reads {name_some(needed, len(needed))} of each sample "
            "beside its microbes. Add it; cells may be empty where nothing is known."
        )
    if not set(metadata.sample_ids).intersection(sample_ids):
        raise MetadataError(
            f"None of the {len(sample_ids):,} samples has a row in --metadata, where the model reads {name_some(needed)}: samples "
            f"are {name_some(list(sample_ids), 3)}, rows {name_some(metadata.sample_ids, 3)}. Pass the metadata of this table."
        )


def _category_numbers(target: AnyTarget, columns: Columns, n_samples: int) -> dict[str, np.ndarray]:
    of_parts = [
        {name: _numbers(categories, columns, n_samples) for name, categories in _needed(part).items()}
        for part in parts_of(target)
    ]
    if isinstance(target, TargetState):
        return of_parts[0]
    names = {name for numbers in of_parts for name in numbers}
    unknown = np.full(n_samples, UNKNOWN)
    return {name: np.stack([numbers.get(name, unknown) for numbers in of_parts], axis=1) for name in sorted(names)}


def _categories(target: AnyTarget) -> list[Categories]:
    """Return what the parts of a target need, each once."""
    return list(dict.fromkeys(categories for part in parts_of(target) for categories in _needed(part).values()))


def _needed(target: TargetState) -> dict[str, Categories]:
    by_name = {CATEGORY: target.normalized_by, SCALING: target.scaled_by}
    return {name: categories for name, categories in by_name.items() if categories is not None}


def _numbers(categories: Categories, columns: Columns, n_samples: int) -> np.ndarray:
    values = columns.get(categories.column)
    return np.full(n_samples, UNKNOWN) if values is None else categories.numbers(values)
