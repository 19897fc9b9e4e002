"""Open a file that the user named, or say in one sentence why it cannot be read."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from aam.errors import InputError

_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"


def check_readable(path: Path, error: type[InputError], option: str) -> bytes:
    """Give the first 8 bytes of a file.

    Raises
    ------
    InputError
        As the child ``error``: the file is missing, a directory, not readable, or a zip archive such as a ``.qza``.
    """
    if not path.exists():
        raise error(f"{option} {path} does not exist. Check the path.")
    if path.is_dir():
        raise error(f"{option} {path} is a directory. Name a file in it.")
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as reason:
        raise error(f"{option} {path} cannot be read: {reason.strerror}.") from None
    if head.startswith(_ZIP):
        raise error(
            f"{option} {path} is a zip archive, as QIIME 2 artifacts are. Unpack it with "
            "`qiime tools export --input-path FILE --output-path FOLDER` and pass the file inside."
        )
    return head


def read_text(path: Path, error: type[InputError], option: str) -> str:
    r"""Read a UTF-8 text file, plain or gzip (noticed by its first bytes); line ends become ``\n``.

    Raises
    ------
    InputError
        As the child ``error``: the file cannot be read, is not UTF-8, or is a damaged gzip file.
    """
    return "".join(text_lines(path, error, option))


def text_lines(path: Path, error: type[InputError], option: str) -> Iterator[str]:
    r"""Read a UTF-8 text file line by line, each with its ``\n``; plain or gzip, as in `read_text`.

    Raises
    ------
    InputError
        As in `read_text`.
    """
    is_gzip = check_readable(path, error, option).startswith(_GZIP)
    try:
        with gzip.open(path, "rt", encoding="utf-8-sig") if is_gzip else path.open(encoding="utf-8-sig") as file:
            yield from file
    except UnicodeDecodeError:
        raise error(f"{option} {path} is not UTF-8 text. Save it as UTF-8.") from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise error(f"{option} {path} is a damaged or incomplete gzip file. Copy it again.") from None
