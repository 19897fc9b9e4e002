"""Small files about labels: splits and folds, how columns are learned, and how much classes count."""

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

ID_COLUMN, PART_COLUMN, FOLD_COLUMN = "sample-id", "split", "fold"


def read_split_file(path: Path, fold: int | None) -> dict[str, str]:
    """Give the part of each sample: ``train``, ``validation`` or ``test``; with ``fold``, the samples of that fold validate.

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
        hint = "leave --fold out" if fold is not None else f"pass --fold with one of {_found(rows, FOLD_COLUMN)}"
        raise SplitError(f"--split-file {path} has no column '{value_column}': {hint}.")
    values = _values(path, "--split-file", rows, value_column)
    return _parts(path, values) if fold is None else _parts_of_folds(path, values, fold)


def read_fold_file(path: Path) -> dict[str, str]:
    """Give the name of each sample's fold.

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
    empty = [sample for sample, fold in values.items() if not fold]
    if empty:
        raise SplitError(f"--fold-file {path}: {len(empty):,} samples have no fold: {name_some(empty)}. Number them.")
    if len(set(values.values())) < 2:
        raise SplitError(f"--fold-file {path} has one fold only: at least 2 are needed, so that one can be held out.")
    return values


def _values(path: Path, flag: str, rows: list[dict[str, str]], column: str) -> dict[str, str]:
    """Give one column by sample."""
    values = {row[ID_COLUMN]: row[column] for row in rows}
    if len(values) < len(rows):
        seen = [row[ID_COLUMN] for row in rows]
        twice = [sample for sample in values if seen.count(sample) > 1]
        raise SplitError(f"{flag} {path} lists samples more than once: {name_some(twice)}. Keep one row of each.")
    return values


def _rows(path: Path, flag: str) -> list[dict[str, str]]:
    """Read the cells, without white space at their ends."""
    lines = read_text(path, SplitError, flag).splitlines()
    try:
        header, *rows = csv.reader(lines, dialect="excel-tab") if lines else [[]]
    except csv.Error as error:
        raise SplitError(f"{flag} {path} cannot be split into cells ({error}). Correct it.") from None
    names = [name.strip() for name in header]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise SplitError(f"{flag} {path} has columns of the same name: {name_some(twice)}. Remove all but one.")
    return [
        dict(zip_longest(names, (cell.strip() for cell in row[: len(names)]), fillvalue="")) for row in rows if any(row)
    ]


def _parts(path: Path, values: dict[str, str]) -> dict[str, str]:
    wrong = [sample for sample, part in values.items() if part not in PARTS]
    if wrong:
        raise SplitError(
            f"--split-file {path}: {len(wrong):,} samples are in no known part, such as {wrong[0]!r} in {values[wrong[0]]!r}. "
            f"Parts are {', '.join(PARTS)}."
        )
    return values


def _parts_of_folds(path: Path, values: dict[str, str], fold: int) -> dict[str, str]:
    if str(fold) not in values.values():
        found = ", ".join(sorted(set(values.values())))
        raise SplitError(f"--split-file {path} has no fold {fold}. Its folds: {found}.")
    return {sample: "validation" if value == str(fold) else "train" for sample, value in values.items()}


def _found(rows: list[dict[str, str]], column: str) -> str:
    return ", ".join(sorted({row[column] for row in rows}))


OPTION = "--loss-config"

EXAMPLE = "lines such as 'age: {loss-type: quantile, weight: 2}'"


class LossFileError(InputError):
    """The file cannot be read, or says what no column can have."""


def read_column_losses(path: Path) -> dict[str, ColumnLossConfig]:
    """Give what a YAML file says of each column that it names.

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
    return {str(column): _of_column(path, str(column), settings) for column, settings in values.items()}


def _of_column(path: Path, column: str, settings: Any) -> ColumnLossConfig:
    if not isinstance(settings, dict):
        raise LossFileError(f"{OPTION} {path}: {column} has no settings, but {settings!r}; expected {EXAMPLE}.")
    known = [field.name.replace("_", "-") for field in dataclasses.fields(ColumnLossConfig)]
    named = {str(key).replace("_", "-"): value for key, value in settings.items()}
    unknown = [key for key in named if key not in known]
    if unknown:
        raise LossFileError(f"{OPTION} {path}: {column} has {name_some(unknown)}; known are {', '.join(known)}.")
    try:
        return ColumnLossConfig(**{key.replace("-", "_"): value for key, value in named.items()})
    except ConfigError as error:
        raise LossFileError(f"{OPTION} {path}: {column}: {error}") from None


CLASS, WEIGHT = "class", "weight"


def read_class_weights(path: Path) -> dict[str, float]:
    """Give the weight of each class that a file lists.

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
    name, weight = header.index(CLASS), header.index(WEIGHT)
    found: dict[str, float] = {}
    for number, row in enumerate(rows[1:], start=2):
        cells = [cell.strip() for cell in row] + [""] * len(header)
        if cells[name] in found:
            raise MetadataError(f"--class-weights {path} lists {cells[name]!r} twice: keep one row of it.")
        found[cells[name]] = _weight(path, number, cells[weight])
    return found


def _weight(path: Path, row: int, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise MetadataError(f"--class-weights {path}: row {row} has the weight {cell!r}, which is no number above 0.")
    return value
