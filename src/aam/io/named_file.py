"""Whether a file that the user named can be opened, and how it begins."""

from pathlib import Path

from aam.errors import InputError

HDF5 = b"\x89HDF\r\n\x1a\n"
GZIP = b"\x1f\x8b"
NPY = b"\x93NUMPY"
_ZIPS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")  # with entries, empty, in parts
_HEAD = 8


def read_head(path: Path, error: type[InputError], option: str) -> bytes:
    """Give the first 8 bytes of a file.

    Raises
    ------
    InputError
        As the child ``error``: the file is missing, a directory or another thing that is no file, or not readable.
    """
    try:
        if path.is_dir():
            raise error(f"{option} {path} is a directory. Name a file in it.")
        if not path.exists():
            raise error(f"{option} {path} does not exist. Check the path.")
        if not path.is_file():
            raise error(f"{option} {path} is a pipe or device. Name a file: it is read more than once.")
        with path.open("rb") as file:
            return file.read(_HEAD)
    except OSError as reason:
        raise error(f"{option} {path} cannot be read: {reason.strerror}.") from None


def is_zip(head: bytes) -> bool:
    """Whether a file that begins so is a zip archive, as QIIME 2 artifacts are."""
    return head.startswith(_ZIPS)
