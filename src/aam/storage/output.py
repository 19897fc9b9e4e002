"""Check and create the output of a command: a new file or directory, or that of an earlier run that may be replaced."""

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from aam.config.base import command_of, command_that_wrote, input_paths, write_yaml
from aam.config.study import OutputDirectoryConfig, OutputFileConfig
from aam.errors import OutputError, name_some
from aam.storage.atomic import write_text_atomic

OPTIONS = "config.yaml"
"""Name of the file with a run's options; its first line marks the directory as written by aam."""

_SHOWN = 200  # letters of a name

_TRIED_BYTES = 1 << 16

_NOT_TEXT = (".gz", ".bz2", ".xz", ".zip", ".qza", ".qzv", ".biom", ".h5", ".parquet", ".xlsx")


class WritesFile(Protocol):
    """The config of a command that writes one table."""

    @property
    def output(self) -> OutputFileConfig:
        """Path of the result."""
        ...


def check_output_file(config: WritesFile) -> None:
    """Check that a command may write its table, and its options beside it.

    Raises
    ------
    OutputError
        ``--output`` or the file of options is an input, exists (without ``--overwrite``) or lies in a missing folder; or the file
        of options exists and aam did not write it.
    """
    path, overwrite = config.output.output, config.output.overwrite
    options = options_beside(path)
    check_names("--output", path, options)
    for flag, source in input_paths(config):
        if any(_replaces(written, source) for written in (path, options)):
            raise OutputError(f"--output {path} would replace {flag} {source}, which is read. Name another file.")
    _check_kind(path)
    if not path.parent.is_dir():
        raise OutputError(f"--output {path}: the folder {path.parent} does not exist. Create it first.")
    check_can_be_written("--output", path.parent)
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
    """Raise if the path is no regular file, or has the suffix of a format that is not plain text."""
    if path.is_dir():
        raise OutputError(f"--output {path} is a directory; name a file in it.")
    if path.suffix in _NOT_TEXT:
        raise OutputError(
            f"--output {path}: the table is written as plain text. Name it {path.stem.split('.')[0]}.tsv."
        )
    if path.exists() and not path.is_file():
        raise OutputError(f"--output {path} is a pipe or device. Name a file.")


def _replaces(written: Path, source: Path) -> bool:
    """Return whether a file is an input, or exists in a directory that is an input, such as a model's."""
    written_file, input_file = Path(os.path.realpath(written)), Path(os.path.realpath(source))
    return written_file == input_file or (written_file.is_relative_to(input_file) and written_file.exists())


def check_can_be_written(flag: str, path: Path) -> None:
    """Check that a folder, or the nearest folder above that exists, can be written to and has space; leave nothing there.

    Raises
    ------
    OutputError
        It cannot, or has none.
    """
    existing = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(bytes(_TRIED_BYTES))
    except OSError as error:
        raise OutputError(f"{flag} {path} cannot be written: {error.strerror}. Name another place.") from None


def check_names(flag: str, *paths: Path) -> None:
    """Check that the system can look up some paths.

    Raises
    ------
    OutputError
        A name is too long, or links form a circle.
    """
    for path in paths:
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue  # the check of the folder has a better message
        except OSError as error:
            raise OutputError(f"{flag} {str(path)[:_SHOWN]}: {error.strerror}. Name another place.") from None


def write_options_beside(config: WritesFile) -> None:
    """Write the options of a command beside its table."""
    write_text_atomic(options_beside(config.output.output), write_yaml(config))


def options_beside(output: Path) -> Path:
    """Return the path of the file for the options of a table.

    Examples
    --------
    >>> [options_beside(Path(name)).name for name in ("age.tsv", "age.v1")]
    ['age.config.yaml', 'age.v1.config.yaml']
    """
    stem = output.stem if output.suffix in (".tsv", ".txt") else output.name
    return output.parent / f"{stem}.config.yaml"


class WritesDirectory(Protocol):
    """The config of a command that writes into a directory."""

    @property
    def output(self) -> OutputDirectoryConfig:
        """Directory of the results."""
        ...


def check_output_directory(config: WritesDirectory) -> None:
    """Check that a directory is new or empty or, with ``--overwrite``, holds an earlier run of the same command; change nothing.

    Raises
    ------
    OutputError
        The path is a file, an input lies in it, or it has content that may not be replaced.
    """
    _check_directory_path(config)
    content = _describe_content(config)
    if not content:
        return
    if not config.output.overwrite:
        raise OutputError(
            f"{content} Name a new directory, or pass --overwrite to replace the results of an earlier run."
        )
    command, writer = command_of(config), _describe_other_writer(config)
    if writer:
        raise OutputError(
            f"{content} --overwrite replaces an earlier run of 'aam {command}' only, and {writer}. Name a new directory."
        )


def check_continued_directory(config: WritesDirectory) -> bool:
    """Check that a directory is new or empty, or holds a run of the same command that ``--resume`` continues.

    Returns
    -------
    Whether it holds such a run.

    Raises
    ------
    OutputError
        The path is a file, an input lies in it, or it has other content.
    """
    _check_directory_path(config)
    content = _describe_content(config)
    if not content:
        return False
    command, writer = command_of(config), _describe_other_writer(config)
    if writer:
        raise OutputError(
            f"{content} --resume continues a run of 'aam {command}' only, and {writer}. Name the run's directory, or a new one."
        )
    return True


def start_output_directory(config: WritesDirectory, written: Iterable[str]) -> None:
    """Create the directory, remove results of an earlier run with ``--overwrite``, and write the options; other files stay.

    Parameters
    ----------
    config
        Options of the command.
    written
        Names of the files and directories that the command writes.

    Raises
    ------
    OutputError
        The directory cannot be created, or another run has started in it meanwhile.
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
    """Remove the results of a run by their names, and its options; other files stay."""
    for name in [OPTIONS, *written]:
        result = path / name
        if result.is_dir() and not result.is_symlink():
            shutil.rmtree(result)
        else:
            result.unlink(missing_ok=True)


def _check_directory_path(config: WritesDirectory) -> None:
    """Raise if the path cannot be a directory, or an input lies in it."""
    path = config.output.output_dir
    check_names("--output-dir", path)
    if path.is_symlink() and not path.exists():
        raise OutputError(f"--output-dir {path} is a link to nothing. Name another directory, or remove the link.")
    if path.exists() and not path.is_dir():
        raise OutputError(f"--output-dir {path} is a file; name a directory.")
    check_can_be_written("--output-dir", path)
    for flag, source in input_paths(config):
        if any(location.is_relative_to(os.path.realpath(path)) for location in _locations(source)):
            raise OutputError(
                f"{flag} {source} lies in --output-dir {path}, and no command writes over what it reads. Name another directory."
            )


def _describe_content(config: WritesDirectory) -> str:
    """Describe the content of the directory; return an empty text if it is empty or missing."""
    path = config.output.output_dir
    content = sorted(item.name for item in path.iterdir()) if path.is_dir() else []
    return f"--output-dir {path} is not empty: it holds {name_some(content)}." if content else ""


def _describe_other_writer(config: WritesDirectory) -> str:
    """Describe who wrote the content of the directory; return an empty text if an earlier run of the same command did."""
    command, earlier = command_of(config), command_that_wrote(config.output.output_dir / OPTIONS)
    if earlier == command:
        return ""
    return f"no {OPTIONS} of 'aam {command}' is in it" if earlier is None else f"'aam {earlier}' wrote it"


def _locations(source: Path) -> list[Path]:
    """Return the real path of an input and, if it is a link, that of the link itself."""
    try:
        is_link = source.is_symlink()
    except OSError:  # a name that is too long; its reader reports it
        is_link = False
    links = [Path(os.path.realpath(source.parent)) / source.name] if is_link else []
    return [Path(os.path.realpath(source)), *links]
