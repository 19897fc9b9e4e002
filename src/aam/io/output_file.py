"""Where one table is written: a new file, or an earlier one if the user asked to replace it, with its options beside it."""

import os
from pathlib import Path
from typing import Protocol

from aam.config._base import command_that_wrote, input_paths, write_yaml
from aam.config.study import OutputFileConfig
from aam.errors import OutputError
from aam.io.atomic import write_text_atomic

_SHOWN = 200  # letters of a name
_NOT_TEXT = (".gz", ".bz2", ".xz", ".zip", ".qza", ".qzv", ".biom", ".h5", ".parquet", ".xlsx")


class WritesFile(Protocol):
    """The config of a command that writes one table."""

    @property
    def output(self) -> OutputFileConfig:
        """Where the result goes."""
        ...


def check_output_file(config: WritesFile) -> None:
    """Refuse an input, a file that exists (unless ``--overwrite``), a folder that does not, and options that aam did not write.

    Raises
    ------
    OutputError
        The table or the options beside it cannot go where the user asked.
    """
    path, overwrite = config.output.output, config.output.overwrite
    options = options_beside(path)
    check_names("--output", path, options)
    for flag, given in input_paths(config):
        if any(_replaces(written, given) for written in (path, options)):
            raise OutputError(f"--output {path} would replace {flag} {given}, which is read. Name another file.")
    _check_kind(path)
    if not path.parent.is_dir():
        raise OutputError(f"--output {path}: the folder {path.parent} does not exist. Create it first.")
    if path.exists() and not overwrite:
        raise OutputError(f"--output {path} exists. Name another file, or pass --overwrite to replace it.")
    if not options.exists():
        return
    if not overwrite:
        raise OutputError(
            f"--output {path}: its options go to {options}, which exists. Name another file, or pass --overwrite to replace both."
        )
    if command_that_wrote(options) is None:
        raise OutputError(
            f"--output {path}: its options go to {options}, which aam did not write and does not replace. Name another file."
        )


def _check_kind(path: Path) -> None:
    """Refuse what is no file, and names of files that hold something else than text."""
    if path.is_dir():
        raise OutputError(f"--output {path} is a directory; name a file in it.")
    if path.suffix in _NOT_TEXT:
        raise OutputError(
            f"--output {path}: the table is written as plain text. Name it {path.stem.split('.')[0]}.tsv."
        )
    if path.exists() and not path.is_file():
        raise OutputError(f"--output {path} is a pipe or device. Name a file.")


def _replaces(written: Path, given: Path) -> bool:
    """Whether a file is an input, or is there already in a directory that is one, such as a model's."""
    place, read = Path(os.path.realpath(written)), Path(os.path.realpath(given))
    return place == read or (place.is_relative_to(read) and place.exists())


def check_names(flag: str, *paths: Path) -> None:
    """Refuse names that the system cannot look up: too long, or links in a circle.

    Raises
    ------
    OutputError
        A name is.
    """
    for path in paths:
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue  # said better by what looks at the folder
        except OSError as error:
            raise OutputError(f"{flag} {str(path)[:_SHOWN]}: {error.strerror}. Name another place.") from None


def write_options_beside(config: WritesFile) -> None:
    """Write a command's options beside its table."""
    write_text_atomic(options_beside(config.output.output), write_yaml(config))


def options_beside(output: Path) -> Path:
    """Name the file for the options of a table.

    Examples
    --------
    >>> [options_beside(Path(name)).name for name in ("age.tsv", "age.v1")]
    ['age.config.yaml', 'age.v1.config.yaml']
    """
    stem = output.stem if output.suffix in (".tsv", ".txt") else output.name
    return output.parent / f"{stem}.config.yaml"
