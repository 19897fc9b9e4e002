"""Read small files about labels: splits and folds of samples, losses of columns, and weights of classes."""

import csv
import dataclasses
import math
from itertools import zip_longest
from pathlib import Path
from typing import Any

import yaml

from aam.config.target import ColumnLossConfig
from aam.errors import ConfigError, InputError, MetadataError, SplitError, name_some
from aam.io.text_file import read_text

PARTS = ("train", "validation", "test")
"""Parts of a split."""

ID_COLUMN, PART_COLUMN, FOLD_COLUMN = "sample-id", "split", "fold"
"""Columns of the files of splits and folds."""

CLASS, WEIGHT = "class", "weight"
"""Columns of the file of class weights."""

OPTION = "--loss-config"
"""Option that names the file of losses."""

EXAMPLE = "lines such as 'age: {loss-type: quantile, weight: 2}'"
"""Content that a file of losses should have, for messages."""


def read_split_file(path: Path, fold: int | None) -> dict[str, str]:
    """Read the part of each sample from the column ``split``, or from ``fold``.

    Parameters
    ----------
    path
        The file.
    fold
        Number of the fold that is the validation part, the others being the training part; None to read the column ``split``.

    Returns
    -------
    Part of each sample by its id: ``train``, ``validation`` or ``test``.

    Raises
    ------
    SplitError
        The file cannot be read, lacks a column, lists a sample twice, names other parts, or has no such fold.
    """
    rows = _rows(path, "--split-file")
    columns = set(rows[0]) if rows else set()
    value_column = FOLD_COLUMN if fold is not None else PART_COLUMN
    if ID_COLUMN not in columns or not columns & {PART_COLUMN, FOLD_COLUMN}:
        raise SplitError(
            f"--split-file {path}: expected tab-separated columns '{ID_COLUMN}' and '{PART_COLUMN}' (or '{FOLD_COLUMN}') above at "
            f"least one sample; found {name_some(sorted(map(str, columns))) or 'nothing'}."
        )
    if value_column not in columns:
        hint = "leave --fold out" if fold is not None else f"pass --fold with one of {_list_values(rows, FOLD_COLUMN)}"
        raise SplitError(f"--split-file {path} has no column '{value_column}': {hint}.")
    values = _values(path, "--split-file", rows, value_column)
    return _parts(path, values) if fold is None else _parts_of_folds(path, values, fold)


def read_fold_file(path: Path) -> dict[str, str]:
    """Read the name of each sample's fold.

    Returns
    -------
    Name of the fold by sample id.

    Raises
    ------
    SplitError
        The file cannot be read, lacks a column, lists a sample twice or without a fold, or has fewer than two folds.
    """
    rows = _rows(path, "--fold-file")
    columns = set(rows[0]) if rows else set()
    if not {ID_COLUMN, FOLD_COLUMN} <= columns:
        raise SplitError(
            f"--fold-file {path}: expected tab-separated columns '{ID_COLUMN}' and '{FOLD_COLUMN}' above at least one sample; "
            f"found {name_some(sorted(map(str, columns))) or 'nothing'}."
        )
    values = _values(path, "--fold-file", rows, FOLD_COLUMN)
    empty = [sample_id for sample_id, fold in values.items() if not fold]
    if empty:
        raise SplitError(f"--fold-file {path}: {len(empty):,} samples have no fold: {name_some(empty)}. Number them.")
    if len(set(values.values())) < 2:
        raise SplitError(f"--fold-file {path} has one fold only: at least 2 are needed, so that one can be held out.")
    return values


def _values(path: Path, flag: str, rows: list[dict[str, str]], column: str) -> dict[str, str]:
    """Return the values of a column by sample id."""
    values = {row[ID_COLUMN]: row[column] for row in rows}
    if len(values) < len(rows):
        sample_ids = [row[ID_COLUMN] for row in rows]
        repeated = [sample_id for sample_id in values if sample_ids.count(sample_id) > 1]
        raise SplitError(f"{flag} {path} lists samples more than once: {name_some(repeated)}. Keep one row of each.")
    return values


def _rows(path: Path, flag: str) -> list[dict[str, str]]:
    """Read the cells of each row by column, without white space at their ends."""
    lines = read_text(path, SplitError, flag).splitlines()
    try:
        header, *rows = csv.reader(lines, dialect="excel-tab") if lines else [[]]
    except csv.Error as error:
        raise SplitError(f"{flag} {path} cannot be split into cells ({error}). Correct it.") from None
    names = [name.strip() for name in header]
    if len(set(names)) < len(names):
        repeated = sorted({name for name in names if names.count(name) > 1})
        raise SplitError(f"{flag} {path} has columns of the same name: {name_some(repeated)}. Remove all but one.")
    return [
        dict(zip_longest(names, (cell.strip() for cell in row[: len(names)]), fillvalue="")) for row in rows if any(row)
    ]


def _parts(path: Path, values: dict[str, str]) -> dict[str, str]:
    """Check the parts of a split."""
    wrong = [sample_id for sample_id, part in values.items() if part not in PARTS]
    if wrong:
        raise SplitError(
            f"--split-file {path}: {len(wrong):,} samples are in no known part, such as {wrong[0]!r} in {values[wrong[0]]!r}. "
            f"Parts are {', '.join(PARTS)}."
        )
    return values


def _parts_of_folds(path: Path, values: dict[str, str], fold: int) -> dict[str, str]:
    if str(fold) not in values.values():
        folds = ", ".join(sorted(set(values.values())))
        raise SplitError(f"--split-file {path} has no fold {fold}. Its folds: {folds}.")
    return {sample_id: "validation" if value == str(fold) else "train" for sample_id, value in values.items()}


def _list_values(rows: list[dict[str, str]], column: str) -> str:
    return ", ".join(sorted({row[column] for row in rows}))


class LossFileError(InputError):
    """The file of losses cannot be read, or holds settings that no column can have."""


def read_column_losses(path: Path) -> dict[str, ColumnLossConfig]:
    """Read the loss settings of columns from a YAML file.

    Returns
    -------
    Settings of each column of the file.

    Raises
    ------
    LossFileError
        The file cannot be read, is no mapping of columns to settings, or a setting is unknown or out of range.
    """
    try:
        values = yaml.safe_load(read_text(path, LossFileError, OPTION))
    except yaml.YAMLError as error:
        raise LossFileError(f"{OPTION} {path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict) or not values:
        raise LossFileError(f"{OPTION} {path}: expected {EXAMPLE}, one for each column.")
    return {str(column): _column_loss(path, str(column), settings) for column, settings in values.items()}


def _column_loss(path: Path, column: str, settings: Any) -> ColumnLossConfig:
    if not isinstance(settings, dict):
        raise LossFileError(f"{OPTION} {path}: {column} has no settings, but {settings!r}; expected {EXAMPLE}.")
    names = [field.name.replace("_", "-") for field in dataclasses.fields(ColumnLossConfig)]
    values = {str(key).replace("_", "-"): value for key, value in settings.items()}
    unknown = [key for key in values if key not in names]
    if unknown:
        raise LossFileError(f"{OPTION} {path}: {column} has {name_some(unknown)}; known are {', '.join(names)}.")
    try:
        return ColumnLossConfig(**{key.replace("-", "_"): value for key, value in values.items()})
    except ConfigError as error:
        raise LossFileError(f"{OPTION} {path}: {column}: {error}") from None


def read_class_weights(path: Path) -> dict[str, float]:
    """Read the weights of classes.

    Returns
    -------
    Weight of each class of the file, above 0.

    Raises
    ------
    MetadataError
        The file cannot be read, lacks a column, lists a class twice, or a weight is not a number above 0.
    """
    rows = [
        row
        for row in csv.reader(read_text(path, MetadataError, "--class-weights").splitlines(), dialect="excel-tab")
        if row
    ]
    header = [cell.strip() for cell in rows[0]] if rows else []
    if not {CLASS, WEIGHT} <= set(header):
        raise MetadataError(
            f"--class-weights {path}: expected tab-separated columns '{CLASS}' and '{WEIGHT}'; found "
            f"{name_some(header) or 'nothing'}."
        )
    class_column, weight_column = header.index(CLASS), header.index(WEIGHT)
    weights: dict[str, float] = {}
    for number, row in enumerate(rows[1:], start=2):
        cells = [cell.strip() for cell in row] + [""] * len(header)
        name = cells[class_column]
        if name in weights:
            raise MetadataError(f"--class-weights {path} lists {name!r} twice: keep one row of it.")
        weights[name] = _weight(path, number, cells[weight_column])
    return weights


def _weight(path: Path, row: int, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise MetadataError(f"--class-weights {path}: row {row} has the weight {cell!r}, which is no number above 0.")
    return value
