"""Where a run or a table is written: a new place, or that of an earlier run of the command if it may be replaced."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from aam.config.base import command_of, command_that_wrote, input_paths, write_yaml
from aam.config.study import OutputDirectoryConfig, OutputFileConfig
from aam.errors import OutputError, name_some
from aam.storage.atomic import write_text_atomic

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


OPTIONS = "config.yaml"
"""File with a run's options; its first line marks the directory as written by aam."""


class WritesDirectory(Protocol):
    """The config of a command that writes into a directory."""

    @property
    def output(self) -> OutputDirectoryConfig:
        """Where results go."""
        ...


def check_output_directory(config: WritesDirectory) -> None:
    """Refuse a directory that holds anything but, with ``--overwrite``, an earlier run of the same command; nothing is changed yet.

    Raises
    ------
    OutputError
        The path is a file, an input lies in it, or it has content that may not be replaced.
    """
    _check_place(config)
    holds = _content(config)
    if not holds:
        return
    if not config.output.overwrite:
        raise OutputError(
            f"{holds} Name a new directory, or pass --overwrite to replace the results of an earlier run."
        )
    command, found = command_of(config), _other_writer(config)
    if found:
        raise OutputError(
            f"{holds} --overwrite replaces an earlier run of 'aam {command}' only, and {found}. Name a new directory."
        )


def check_continued_directory(config: WritesDirectory) -> bool:
    """Refuse a directory that holds anything but a run of the same command, to go on with; say whether it holds one.

    Raises
    ------
    OutputError
        The path is a file, an input lies in it, or it has other content.
    """
    _check_place(config)
    holds = _content(config)
    if not holds:
        return False
    command, found = command_of(config), _other_writer(config)
    if found:
        raise OutputError(
            f"{holds} --resume continues a run of 'aam {command}' only, and {found}. Name the run's directory, or a new one."
        )
    return True


def start_output_directory(config: WritesDirectory, written: Iterable[str]) -> None:
    """Create the directory, remove what an earlier run wrote under the names given, and write the options; other files stay.

    Raises
    ------
    OutputError
        The directory cannot be created.
    """
    path = config.output.output_dir
    try:
        path.mkdir(parents=True, exist_ok=True)
        if config.output.overwrite:
            remove_results(path, written)
        with (path / OPTIONS).open("x", encoding="utf-8") as file:  # only one of several runs at once creates it
            file.write(write_yaml(config))
    except FileExistsError:
        raise OutputError(
            f"--output-dir {path}: another run has started there meanwhile. Name another directory for one of them."
        ) from None
    except OSError as error:
        raise OutputError(f"--output-dir {path}: {error.strerror}. Name another place.") from None


def remove_results(path: Path, written: Iterable[str]) -> None:
    """Remove what a run wrote under the names given, and its options; other files stay."""
    for name in [OPTIONS, *written]:
        old = path / name
        if old.is_dir() and not old.is_symlink():
            shutil.rmtree(old)
        else:
            old.unlink(missing_ok=True)


def _check_place(config: WritesDirectory) -> None:
    """Refuse a path that is no place for a directory, or that an input lies in."""
    path = config.output.output_dir
    check_names("--output-dir", path)
    if path.is_symlink() and not path.exists():
        raise OutputError(f"--output-dir {path} is a link to nothing. Name another directory, or remove the link.")
    if path.exists() and not path.is_dir():
        raise OutputError(f"--output-dir {path} is a file; name a directory.")
    for flag, given in input_paths(config):
        if any(place.is_relative_to(os.path.realpath(path)) for place in _places(given)):
            raise OutputError(
                f"{flag} {given} lies in --output-dir {path}, and no command writes over what it reads. Name another directory."
            )


def _content(config: WritesDirectory) -> str:
    """Say what a directory holds; nothing of one that is empty or not there."""
    path = config.output.output_dir
    content = sorted(item.name for item in path.iterdir()) if path.is_dir() else []
    return f"--output-dir {path} is not empty: it holds {name_some(content)}." if content else ""


def _other_writer(config: WritesDirectory) -> str:
    """Say who wrote what a directory holds; nothing if an earlier run of the same command did."""
    command, earlier = command_of(config), command_that_wrote(config.output.output_dir / OPTIONS)
    if earlier == command:
        return ""
    return f"no {OPTIONS} of 'aam {command}' is in it" if earlier is None else f"'aam {earlier}' wrote it"


def _places(given: Path) -> list[Path]:
    """Say where an input lies; of a link, where the link itself lies as well."""
    try:
        is_link = given.is_symlink()
    except OSError:  # a name that is too long; said by what reads it
        is_link = False
    links = [Path(os.path.realpath(given.parent)) / given.name] if is_link else []
    return [Path(os.path.realpath(given)), *links]
