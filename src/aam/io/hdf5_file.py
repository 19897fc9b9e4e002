"""Open an HDF5 file that may be damaged at any place."""

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from aam.errors import InputError

if TYPE_CHECKING:
    import h5py


DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, MemoryError)
"""Errors that h5py raises for damage of links, headers, types, sizes or data."""

_HEAP = b"GCOL\x01\0\0\0"  # begins a collection of texts of different lengths, such as ids

_WINDOW = 1 << 22  # bytes that are searched at a time

_CACHE_BYTES = 1 << 19  # by default it may grow to 32 MB, with texts that are read once

_HEADER = 16  # bytes before the objects of a heap, and before each object


@contextmanager
def open_hdf5(path: Path, file: Path, error: type[InputError], option: str) -> "Iterator[h5py.File]":
    """Open ``file`` for reading in a context; messages name ``path``.

    Parameters
    ----------
    path
        Path that the user named.
    file
        Path of the HDF5 file.
    error
        Class of the errors to raise.
    option
        Option that names the file, for messages.

    Raises
    ------
    InputError
        As the child ``error``: the file is not HDF5, or data that are read in the context are damaged.
    """
    import h5py

    try:
        check_heaps(file)
        with h5py.File(file, "r") as opened:
            yield opened
    except DAMAGE as reason:
        raise error(describe_damage(path, reason, option)) from None


def limit_cache(opened: "h5py.File") -> None:
    """Limit the library's cache of metadata and texts to 512 kB."""
    cache = opened.id.get_mdc_config()
    cache.set_initial_size = True
    cache.initial_size = cache.min_size = cache.max_size = _CACHE_BYTES
    opened.id.set_mdc_config(cache)


def describe_damage(path: Path, reason: Exception, option: str) -> str:
    """Return a message that a file is damaged, with the reason that h5py states."""
    problem = " ".join(str(reason).strip("'").split()) or type(reason).__name__
    return f"{option} {path} is not an HDF5 file or is damaged ({problem}). Copy it again."


def check_heaps(file: Path) -> None:
    """Check the heaps of texts, as the HDF5 library (2.0 and before) never returns from some damaged ones.

    Raises
    ------
    ValueError
        A heap is damaged; one of `DAMAGE`.
    """
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = _find_heap(content, 0)
        while start >= 0:
            stop = start + _number(content, start + 8)
            position = start + _HEADER
            while position + _HEADER <= stop <= len(content):
                position += _size_of_object(content, position)
            if not position <= stop <= len(content):
                raise ValueError("a heap of texts is damaged")
            start = _find_heap(content, stop)


def _find_heap(content: mmap.mmap, start: int) -> int:
    """Find the next heap, −1 if there is none; window by window, so that a large file does not become resident."""
    for begin in range(start, len(content), _WINDOW):
        position = content.find(_HEAP, begin, begin + _WINDOW + len(_HEAP) - 1)
        if position >= 0:
            return position
        content.madvise(mmap.MADV_DONTNEED)
    return -1


def _size_of_object(content: mmap.mmap, position: int) -> int:
    """Return the bytes of an object of a heap, with its header."""
    size = _number(content, position + 8)
    if content[position : position + 2] != b"\0\0":
        return _HEADER + -(-size // 8) * 8
    if size < _HEADER:  # free space, whose size counts its own header
        raise ValueError("a heap of texts is damaged")
    return size


def _number(content: mmap.mmap, position: int) -> int:
    return int.from_bytes(content[position : position + 8], "little")
