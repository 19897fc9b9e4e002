"""Where a run writes: a new or empty directory, or the place of an earlier run of the command if the user asked to replace it."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from aam.config._base import command_of, command_that_wrote, input_paths, write_yaml
from aam.config.study import OutputDirectoryConfig
from aam.errors import OutputError, name_some
from aam.io.output_file import check_names

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
