"""Where a run writes: a new or empty directory, or the earlier run's place if the user asked to replace it."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from aam.errors import OutputError, name_some


def check_output_directory(path: Path, overwrite: bool) -> None:
    """Refuse a directory that holds anything, unless ``overwrite``; nothing is changed yet.

    Raises
    ------
    OutputError
        The path is a file, or a directory with content and ``overwrite`` is off.
    """
    if path.exists() and not path.is_dir():
        raise OutputError(f"--output-dir {path} is a file; name a directory.")
    if path.is_dir() and not overwrite:
        content = sorted(item.name for item in path.iterdir())
        if content:
            raise OutputError(
                f"--output-dir {path} is not empty: it holds {name_some(content)}. Name a new directory, or pass "
                "--overwrite to replace the results of an earlier run."
            )


def start_output_directory(path: Path, written: Iterable[str]) -> None:
    """Create the directory, and remove what an earlier run wrote under the names given; other files stay.

    Raises
    ------
    OutputError
        The directory cannot be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        for name in written:
            old = path / name
            if old.is_dir() and not old.is_symlink():
                shutil.rmtree(old)
            else:
                old.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"--output-dir {path}: {error.strerror}. Name another place.") from None


def check_output_file(path: Path, overwrite: bool) -> None:
    """Refuse a file that exists, unless ``overwrite``, and a folder that does not.

    Raises
    ------
    OutputError
        The file exists and ``overwrite`` is off, or its folder is missing.
    """
    if path.is_dir():
        raise OutputError(f"--output {path} is a directory; name a file in it.")
    if path.exists() and not overwrite:
        raise OutputError(f"--output {path} exists. Name another file, or pass --overwrite to replace it.")
    if not path.parent.is_dir():
        raise OutputError(f"--output {path}: the folder {path.parent} does not exist. Create it first.")
