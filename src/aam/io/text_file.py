"""Read a text file that the user named, or say in one sentence why it cannot be read."""

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from aam.errors import InputError
from aam.io.archive import LARGEST_RATIO, is_bomb
from aam.io.named_file import GZIP, HDF5, is_zip, read_head
from aam.io.qza import ArtifactKind, payload

_BLOCK = 2**20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def check_readable(path: Path, error: type[InputError], option: str) -> bytes:
    """Give the first 8 bytes of a file of an option that takes no artifacts.

    Raises
    ------
    InputError
        As the child ``error``: the file is missing, a directory, not readable, or a zip archive such as a ``.qza``.
    """
    head = read_head(path, error, option)
    if is_zip(head):
        raise error(
            f"{option} {path} is a zip archive, as QIIME 2 artifacts are. Unpack it with "
            "`qiime tools export --input-path FILE --output-path FOLDER` and pass the file inside."
        )
    return head


def read_bytes(path: Path, error: type[InputError], option: str, kind: ArtifactKind | None = None) -> bytes:
    r"""Read a UTF-8 text file as bytes: plain, gzip (noticed by its first bytes) or in an artifact, without a byte order mark.

    Raises
    ------
    InputError
        As the child ``error``: the file cannot be read, is not UTF-8, holds NUL bytes, is damaged gzip, or an artifact that does
        not fit.
    """
    if kind is None:
        check_readable(path, error, option)
        content = read_plain_or_gzip(path, path, error, option)
    else:
        with payload(path, kind, error, option) as file:
            content = read_plain_or_gzip(path, file, error, option)
    if content.startswith(HDF5):
        raise error(
            f"{option} {path} is an HDF5 file, such as a BIOM table, but text is needed. Pass it as another option."
        )
    if not content.isascii():
        try:
            content.decode("utf-8")
        except UnicodeDecodeError as reason:
            raise error(
                f"{option} {path} is not UTF-8 text: byte {reason.start + 1} cannot be read. Save it as UTF-8."
            ) from None
    if b"\0" in content:
        raise error(
            f"{option} {path} holds NUL bytes, as damaged files and other encodings do. Save it as UTF-8, or copy it again."
        )
    return content.removeprefix(_BYTE_ORDER_MARK)


def read_text(path: Path, error: type[InputError], option: str, kind: ArtifactKind | None = None) -> str:
    r"""Read a UTF-8 text file as `read_bytes` does; line ends become ``\n``.

    Raises
    ------
    InputError
        As in `read_bytes`.
    """
    text = read_bytes(path, error, option, kind).decode("utf-8")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def text_lines(path: Path, error: type[InputError], option: str, kind: ArtifactKind) -> Iterator[str]:
    r"""Read a UTF-8 text file line by line, each with its ``\n``, in little memory: plain, gzip or in an artifact.

    A line of more than a million letters comes in parts.

    Raises
    ------
    InputError
        As in `read_bytes`.
    """
    with payload(path, kind, error, option) as file:
        try:
            with file.open("rb") as raw:
                is_gzip = raw.read(len(GZIP)) == GZIP
            opener = gzip.open if is_gzip else open
            if is_gzip:
                with gzip.open(file) as unpacked:
                    refuse_packed_twice(unpacked.read(len(HDF5)), path, error, option)
            with opener(file, "rb") as opened, io.TextIOWrapper(opened, encoding="utf-8-sig") as text:
                while line := text.readline(_BLOCK):
                    yield line
        except UnicodeDecodeError:
            raise error(f"{option} {path} is not UTF-8 text. Save it as UTF-8.") from None
        except (gzip.BadGzipFile, EOFError, zlib.error):
            raise _damaged_gzip(path, error, option) from None
        except OSError as reason:
            raise error(f"{option} {path} cannot be read: {reason.strerror or reason}.") from None


def read_plain_or_gzip(path: Path, file: Path, error: type[InputError], option: str) -> bytes:
    """Read all bytes of ``file``, unpacked if it is gzip, naming ``path`` in messages.

    Raises
    ------
    InputError
        As the child ``error``: the file cannot be read, is damaged gzip, or unpacks to far more than it holds.
    """
    try:
        with file.open("rb") as raw:
            if raw.read(len(GZIP)) != GZIP:
                raw.seek(0)
                return raw.read()
        content = io.BytesIO()
        n_packed = file.stat().st_size
        with gzip.open(file) as unpacked:
            while block := unpacked.read(_BLOCK):
                if not content.tell():
                    refuse_packed_twice(block, path, error, option)
                content.write(block)
                if is_bomb(n_packed, content.tell()):
                    raise error(
                        f"{option} {path} unpacks to more than {LARGEST_RATIO} times its size, as files do that are made to fill "
                        "the memory. Unpack it, if you trust it."
                    )
        return content.getvalue()
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise _damaged_gzip(path, error, option) from None
    except OSError as reason:
        raise error(f"{option} {path} cannot be read: {reason.strerror or reason}.") from None


def refuse_packed_twice(begin: bytes, path: Path, error: type[InputError], option: str) -> None:
    """Refuse a gzip file of a format that is packed already, by how its content begins.

    Raises
    ------
    InputError
        As the child ``error``.
    """
    what = "an HDF5 file" if begin.startswith(HDF5) else "a zip archive" if is_zip(begin) else None
    if what is not None:
        raise error(f"{option} {path} is {what} inside of gzip. Decompress it with gunzip and pass the result.")


def _damaged_gzip(path: Path, error: type[InputError], option: str) -> InputError:
    return error(f"{option} {path} is a damaged or incomplete gzip file. Copy it again.")
