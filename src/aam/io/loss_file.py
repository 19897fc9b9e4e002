"""Read how each numeric column is learned."""

import dataclasses
from pathlib import Path
from typing import Any

import yaml

from aam.config.column_loss import ColumnLossConfig
from aam.errors import ConfigError, InputError, name_some
from aam.io.text_file import read_text

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
