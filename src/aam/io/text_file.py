"""Read a text file that the user named; an error says in one sentence why it cannot be read."""

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from aam.errors import InputError
from aam.io.archive import GZIP, HDF5, LARGEST_RATIO, NPY, is_bomb, is_zip, read_head
from aam.io.qza import ArtifactKind, payload

_BLOCK = 2**20

_BYTES_PER_BLOCK = 2**18

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

UTF_16 = (b"\xff\xfe", b"\xfe\xff")
"""First bytes of UTF-16, as "Unicode text" of Excel is."""


def check_readable(path: Path, error: type[InputError], option: str) -> bytes:
    """Read the first 8 bytes of a file of an option that takes no artifacts; fewer of a shorter file.

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


def byte_blocks(path: Path, error: type[InputError], option: str, kind: ArtifactKind | None = None) -> Iterator[bytes]:
    """Yield the content of a UTF-8 text file in blocks of bytes, without a byte order mark.

    The file is plain, gzip (detected by its first bytes) or in an artifact.

    Parameters
    ----------
    path
        The file.
    error
        Class of the errors to raise.
    option
        Option that names the file, for messages.
    kind
        Artifacts that the option takes; None for none.

    Raises
    ------
    InputError
        As the child ``error``: the file cannot be read, is not UTF-8, holds NUL bytes, is damaged gzip, or an artifact that does
        not fit.
    """
    if kind is None:
        check_readable(path, error, option)
        yield from _text_blocks(path, path, error, option)
    else:
        with payload(path, kind, error, option) as file:
            yield from _text_blocks(path, file, error, option)


def _text_blocks(path: Path, file: Path, error: type[InputError], option: str) -> Iterator[bytes]:
    decoder, n_read = codecs.getincrementaldecoder("utf-8")(), 0
    for block in chain(_as_utf8(path, _plain_or_gzip(path, file, error, option), error, option), [b""]):
        if block.startswith(HDF5) and not n_read:
            raise error(
                f"{option} {path} is an HDF5 file, such as a BIOM table, but text is needed. Pass it as another option."
            )
        n_waiting = len(decoder.getstate()[0])
        if n_waiting or not block.isascii():
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as reason:
                raise error(
                    f"{option} {path} is not UTF-8 text: byte {n_read - n_waiting + reason.start + 1} cannot be read. "
                    "Save it as UTF-8."
                ) from None
        if b"\0" in block:
            raise error(
                f"{option} {path} holds NUL bytes, as damaged files and other encodings do. Save it as UTF-8, or copy it again."
            )
        yield block if n_read else block.removeprefix(_BYTE_ORDER_MARK)
        n_read += len(block)


def as_utf8(content: bytes) -> bytes:
    """Return text in UTF-16 with a byte order mark, as Excel saves it, in UTF-8; other bytes as they are.

    Raises
    ------
    UnicodeDecodeError
        The content begins as UTF-16 and is not.
    """
    return content.decode("utf-16").encode("utf-8") if content.startswith(UTF_16) else content


def _as_utf8(path: Path, blocks: Iterator[bytes], error: type[InputError], option: str) -> Iterator[bytes]:
    """Yield blocks of text in UTF-16 with a byte order mark in UTF-8, and blocks of other files as they are."""
    first = next(blocks, b"")
    if not first.startswith(UTF_16):
        yield from chain([first] if first else [], blocks)
        return
    decoder = codecs.getincrementaldecoder("utf-16")()
    try:
        for block in chain([first], blocks):
            yield decoder.decode(block).encode("utf-8")
        decoder.decode(b"", final=True)
    except UnicodeError:
        raise error(f"{option} {path} begins as UTF-16 text, but is damaged. Save it as UTF-8.") from None


def read_text(path: Path, error: type[InputError], option: str, kind: ArtifactKind | None = None) -> str:
    r"""Return the content of a UTF-8 text file, read as `byte_blocks` does; line ends become ``\n``.

    Raises
    ------
    InputError
        As in `byte_blocks`.
    """
    text = b"".join(byte_blocks(path, error, option, kind)).decode("utf-8")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def text_lines(path: Path, error: type[InputError], option: str, kind: ArtifactKind) -> Iterator[str]:
    r"""Yield the lines of a UTF-8 text file, each with its ``\n``, in little memory; plain, gzip or in an artifact.

    A line of more than a million letters comes in several parts.

    Raises
    ------
    InputError
        As in `byte_blocks`.
    """
    with payload(path, kind, error, option) as file:
        try:
            with file.open("rb") as raw:
                is_gzip = raw.read(len(GZIP)) == GZIP
            opener = gzip.open if is_gzip else open
            with opener(file, "rb") as opened:
                begin = opened.read(len(HDF5))
            if is_gzip:
                refuse_packed_twice(begin, path, error, option)
            encoding = "utf-16" if begin.startswith(UTF_16) else "utf-8-sig"
            with opener(file, "rb") as opened, io.TextIOWrapper(opened, encoding=encoding) as text:
                while line := text.readline(_BLOCK):
                    yield line
        except UnicodeDecodeError:
            raise error(f"{option} {path} is not UTF-8 text. Save it as UTF-8.") from None
        except (gzip.BadGzipFile, EOFError, zlib.error):
            raise _damaged_gzip(path, error, option) from None
        except OSError as reason:
            raise error(f"{option} {path} cannot be read: {reason.strerror or reason}.") from None


def read_plain_or_gzip(path: Path, file: Path, error: type[InputError], option: str) -> bytes:
    """Return all bytes of ``file``, unpacked if it is gzip; messages name ``path``.

    Raises
    ------
    InputError
        As the child ``error``: the file cannot be read, is damaged gzip, or unpacks to far more than it holds.
    """
    content = io.BytesIO()  # returns its content without a copy
    content.writelines(_plain_or_gzip(path, file, error, option))
    return content.getvalue()


def _plain_or_gzip(path: Path, file: Path, error: type[InputError], option: str) -> Iterator[bytes]:
    try:
        with file.open("rb") as raw:
            is_gzip = raw.read(len(GZIP)) == GZIP
        n_packed, n_read = file.stat().st_size, 0
        opener = gzip.open if is_gzip else open
        with opener(file, "rb") as opened:
            while block := opened.read(_BYTES_PER_BLOCK):
                if is_gzip and not n_read:
                    refuse_packed_twice(block, path, error, option)
                n_read += len(block)
                if is_bomb(n_packed, n_read):
                    raise error(
                        f"{option} {path} unpacks to more than {LARGEST_RATIO} times its size, as files do that are made to fill "
                        "the memory. Unpack it, if you trust it."
                    )
                yield block
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise _damaged_gzip(path, error, option) from None
    except OSError as reason:
        raise error(f"{option} {path} cannot be read: {reason.strerror or reason}.") from None


def refuse_packed_twice(begin: bytes, path: Path, error: type[InputError], option: str) -> None:
    """Check that a gzip file does not hold a format that is packed already, by the first bytes of its content.

    Raises
    ------
    InputError
        As the child ``error``: the content is HDF5, a matrix of numpy or a zip archive.
    """
    content = "an HDF5 file" if begin.startswith(HDF5) else "a zip archive" if is_zip(begin) else None
    content = "a matrix of numpy" if begin.startswith(NPY) else content
    if content is not None:
        raise error(
            f"{option} {path} is {content} inside of gzip, from which only text is read. Decompress it with gunzip."
        )


def plain_name(name: str) -> str:
    """Return the name of a column in lower case and without white space, '#', '_' and '-', to compare it with others.

    Examples
    --------
    >>> plain_name("#OTU ID")
    'otuid'
    """
    return re.sub(r"[\s#_-]", "", name).lower()


def _damaged_gzip(path: Path, error: type[InputError], option: str) -> InputError:
    return error(f"{option} {path} is a damaged or incomplete gzip file. Copy it again.")
