"""Open an HDF5 file that may be damaged anywhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from aam.errors import InputError

if TYPE_CHECKING:
    import h5py

DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, MemoryError)
"""What h5py raises for damage, depending on the place: links, headers, types, sizes or data."""


@contextmanager
def open_hdf5(path: Path, file: Path, error: type[InputError], option: str) -> "Iterator[h5py.File]":
    """Open ``file`` for reading, naming ``path`` in messages.

    Raises
    ------
    InputError
        As the child ``error``: the file is not HDF5, or something that is read within is damaged.
    """
    import h5py

    try:
        with h5py.File(file, "r") as opened:
            yield opened
    except DAMAGE as reason:
        raise error(describe_damage(path, reason, option)) from None


def describe_damage(path: Path, reason: Exception, option: str) -> str:
    """Say that a file is damaged, in h5py's words."""
    problem = " ".join(str(reason).strip("'").split()) or type(reason).__name__
    return f"{option} {path} is not an HDF5 file or is damaged ({problem}). Copy it again."
