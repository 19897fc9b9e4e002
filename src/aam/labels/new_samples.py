"""Checks of the metadata of new samples against those of training: spellings of classes, kinds of numbers, and their ranges."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd

from aam.errors import MetadataError, count_of, name_some
from aam.io.metadata import Metadata
from aam.labels.classes.merging import as_learned
from aam.labels.classes.numbering import numbering_remarks, whole_number_remarks
from aam.labels.columns import class_names, only_column
from aam.labels.covariates import Columns, Covariates, NumberColumn, cells_as_numbers
from aam.labels.head_inputs import (
    categories_of,
    new_columns,
    warn_of_unknown_categories,
    warn_of_unknown_covariates,
)
from aam.labels.missing_rows import describe_missing_rows
from aam.labels.number_cells import described, how_to_write_kinds, numbers_by_kind
from aam.labels.ranges import TrainingRange, range_remarks
from aam.labels.sentinels import sentinel_remarks
from aam.labels.spellings import look_alike_remarks, matched, respelling_remarks
from aam.labels.target import AnyTarget, TargetState, parts_of
from aam.labels.task import encode_columns

logger = logging.getLogger(__name__)


_EMPTY = "empty these cells"

_SHOWN = 5


def warn_of_new_cells(
    target: AnyTarget, covariates: Covariates, metadata: Metadata | None, sample_ids: Sequence[str]
) -> None:
    """Warn of the cells of new samples that are read as unknown or otherwise than they are written, and of odd numbers.

    Raises
    ------
    MetadataError
        The model reads covariates, and there is no metadata, it lacks their columns, or no sample has a row.
    """
    columns = new_columns(target, covariates, metadata, sample_ids)
    absent = describe_missing_rows(sample_ids, metadata, "--metadata") if metadata is not None and columns else None
    _warn([] if absent is None else [absent])
    warn_of_unknown_categories(target, columns, len(sample_ids))
    warn_of_unknown_covariates([(covariates, columns)])
    known = [*categories_of(target), *(category.known for category in covariates.categories)]
    for categories in known:
        if categories.column in columns:
            names = class_names(columns[categories.column].dropna())
            _warn(respelling_remarks(categories.column, names, categories.names))
            _warn(numbering_remarks(categories.column, names, categories.names))
            spelling = matched(names, categories.names)
            as_read = pd.Series([spelling.get(name, name) for name in names], name=categories.column, dtype=object)
            _warn(look_alike_remarks("--metadata column", as_read))
    _warn(number_remarks(covariates, columns))


def _warn(remarks: Iterable[str]) -> None:
    for remark in remarks:
        logger.warning("%s", remark)


def number_remarks(covariates: Covariates, columns: Columns) -> Iterator[str]:
    """Yield remarks on the numeric columns that a network reads of new samples.

    They name cells that hold numbers otherwise, numbers that stand for no value, and numbers in another unit than in training.

    Parameters
    ----------
    covariates
        What was fitted on the training samples.
    columns
        Cells of the new samples by name of the column.
    """
    for column in covariates.numbers:
        values = columns[column.column]
        kinds = numbers_by_kind(values.dropna()) if values.dtype.kind != "f" else {}
        if kinds:
            yield (
                f"{column.column} holds {described(kinds)}, which are read as unknown. {how_to_write_kinds(kinds)}, as in "
                "training."
            )
        numbers = cells_as_numbers(values)
        yield from sentinel_remarks("--metadata column", pd.Series(numbers, name=column.column), _EMPTY)
        training = _range_of(column)
        if training is not None:
            yield from range_remarks(column.column, numbers, training)
            yield from whole_number_remarks(column.column, numbers, training.low, training.high)


def _range_of(column: NumberColumn) -> TrainingRange | None:
    """Return the range of a column in training; None for models that do not hold it."""
    if column.low is None or column.high is None:
        return None
    return TrainingRange(column.low, column.high, column.mean)


def truth_of(target: AnyTarget, values: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the samples whose truth a model can be compared with, and their truth; say what is odd about the others.

    Parameters
    ----------
    target
        The model's target.
    values
        The columns to compare with, one row per sample.

    Returns
    -------
    kept : np.ndarray
        Indices of the samples whose class the model knows, or of all, int64.
    truth : np.ndarray
        Their values, or class numbers.

    Raises
    ------
    MetadataError
        No sample has a class that the model knows.
    """
    if target.task == "regression":
        _warn(_truth_remarks(target, values))
        return np.arange(len(values)), encode_columns(target, values)
    assert isinstance(target, TargetState), "several columns are numbers"
    cells = only_column(values)
    known = as_learned(cells, target.classes, dict(target.merged))
    _warn(look_alike_remarks("--metadata-column", known, "train with"))
    _warn(numbering_remarks(f"--metadata-column {cells.name}", class_names(cells), target.classes))
    truth = target.encode(known)
    unknown = Counter(name for name, number in zip(class_names(cells), truth, strict=True) if number < 0)
    if len(cells) == sum(unknown.values()):
        raise MetadataError(
            f"No sample has one of the classes that the model knows, {name_some(target.classes)}: --metadata-column {cells.name} "
            f"has {_counted(unknown)}. Check --metadata-column."
        )
    if unknown:
        logger.warning(
            "Left out %d of %d samples whose class the model does not know: %s; it knows %s.",
            sum(unknown.values()), len(cells), _counted(unknown), name_some(target.classes),
        )  # fmt: skip
    kept = np.flatnonzero(truth >= 0)
    return kept, truth[kept]


def _truth_remarks(target: AnyTarget, values: pd.DataFrame) -> Iterator[str]:
    """Yield remarks on numbers that stand for no value, or are in another unit than in training."""
    parts = {part.column: part for part in parts_of(target)}
    for name, cells in values.items():
        part = parts.get(str(name), parts_of(target)[0])
        yield from sentinel_remarks("--metadata-column", cells)
        if part.bounds is not None:
            numbers = cells.dropna().to_numpy(dtype=np.float64)
            training = TrainingRange(*part.bounds, float(part.guess))
            yield from range_remarks(f"--metadata-column {name}", numbers, training)
            yield from whole_number_remarks(f"--metadata-column {name}", numbers, *part.bounds)


def _counted(names: Counter[str]) -> str:
    """Name up to five classes, each with the number of its samples."""
    shown = ", ".join(f"{name_some([name])} ({count_of(n, 'sample')})" for name, n in names.most_common(_SHOWN))
    return f"{shown} and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else shown
