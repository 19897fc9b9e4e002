"""Read the first bytes of a file that the user named; and read zip archives from untrusted sources, checked before use."""

import hashlib
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aam.errors import InputError
from aam.io.foreign.binary import describe_binary

HDF5 = b"\x89HDF\r\n\x1a\n"

GZIP = b"\x1f\x8b"

NPY = b"\x93NUMPY"

_ZIPS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")  # with entries, empty, in parts

_HEAD = 8


def read_head(path: Path, error: type[InputError], option: str) -> bytes:
    """Read the first 8 bytes of a file; fewer of a shorter file.

    Parameters
    ----------
    path
        The file.
    error
        Class of the errors to raise.
    option
        Option that names the file, for messages.

    Raises
    ------
    InputError
        As the child ``error``: the file is missing, a directory or another thing that is no file, not readable, or in a binary
        format of other programs, such as a workbook or data of R.
    """
    try:
        if path.is_dir():
            raise error(f"{option} {path} is a directory. Name a file in it.")
        if not path.exists():
            raise error(f"{option} {path} does not exist. Check the path.")
        if not path.is_file():
            raise error(f"{option} {path} is a pipe or device. Name a file: it is read more than once.")
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as reason:
        raise error(f"{option} {path} cannot be read: {reason.strerror}.") from None
    description = describe_binary(path, head, option)
    if description is not None:
        raise error(f"{option} {path} {description}")
    return head


def is_zip(head: bytes) -> bool:
    """Return whether a file with these first bytes is a zip archive, as QIIME 2 artifacts are."""
    return head.startswith(_ZIPS)


MOST_ENTRIES = 100_000
"""Most entries of an archive."""

LARGEST_TOTAL = 2**36
"""Most bytes (64 GiB) that the entries of an archive may unpack to."""

LARGEST_RATIO = 200
"""Most bytes that one byte of an archive may unpack to; tables, trees and sequences stay below 50, and deflate reaches 1,032."""

FREE_OF_RATIO = 2**26
"""Bytes (64 MiB) that may be unpacked at any ratio, as small repetitive files are harmless."""

_BLOCK = 2**20

_SHOWN = 120  # letters of a reason: some quote the archive

_ENCRYPTED = 0x1

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

_DRIVE = re.compile(r"[A-Za-z]:")

_DAMAGED = (
    zipfile.BadZipFile,
    OSError,  # a place before the start of the file
    zlib.error,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
    KeyError,
)


class ArchiveError(Exception):
    """A problem of an archive and its remedy; the message is the end of a sentence that begins with the archive's name."""


def is_bomb(n_packed: int, n_unpacked: int) -> bool:
    """Return whether packed data unpack to so many more bytes that they were probably made to fill a disk."""
    return n_unpacked > FREE_OF_RATIO and n_unpacked > LARGEST_RATIO * n_packed


class Archive:
    """The files of a zip archive by their path below its one root directory.

    Sizes are counted while unpacking; those that the archive states are not trusted.

    Parameters
    ----------
    file
        The open archive.
    n_packed
        Size of the archive in bytes.

    Raises
    ------
    ArchiveError
        As in `open_archive`, or the archive has no entries or too many.
    """

    def __init__(self, file: zipfile.ZipFile, n_packed: int) -> None:
        self._file = file
        self._n_packed = n_packed
        self._n_unpacked = 0
        entries = file.infolist()
        if not entries:
            raise ArchiveError("is an archive without files. Copy or export it again.")
        if len(entries) > MOST_ENTRIES:
            raise ArchiveError(
                f"holds {len(entries):,} entries; at most {MOST_ENTRIES:,} are read. Pass the file inside."
            )
        for entry in entries:
            _check_entry(entry)
        self.root = _only_root(entries)
        names = [entry.filename.partition("/")[2] for entry in entries]
        if len(set(names)) < len(names):
            raise ArchiveError(
                f"is refused: entries have the same name, first {_first_repeated(names)!r}. Export it again."
            )
        self._entries = {name: entry for name, entry in zip(names, entries, strict=True) if not entry.is_dir()}

    @property
    def names(self) -> list[str]:
        """Paths of the files, relative to the root directory."""
        return list(self._entries)

    def blocks(self, name: str) -> Iterator[bytes]:
        """Yield the content of a file block by block.

        Raises
        ------
        ArchiveError
            The file is absent, damaged, or unpacks to more than an honest file would.
        """
        if name not in self._entries:
            raise ArchiveError(f"lacks the file {name!r}. Copy or export it again.")
        try:
            with self._file.open(self._entries[name]) as file:
                while block := file.read(_BLOCK):
                    self._count(len(block))
                    yield block
        except _DAMAGED as reason:
            raise ArchiveError(
                f"is damaged: {name!r} cannot be unpacked ({str(reason)[:_SHOWN]}). Copy it again."
            ) from None

    def read(self, name: str, most_bytes: int = _BLOCK) -> bytes:
        """Return the content of a small file.

        Raises
        ------
        ArchiveError
            As `blocks`, or the file has more than ``most_bytes``.
        """
        content = b""
        for block in self.blocks(name):
            content += block
            if len(content) > most_bytes:
                raise ArchiveError(f"is refused: {name!r} is larger than {most_bytes:,} bytes. Export it again.")
        return content

    def digest(self, name: str, algorithm: str, copy_to: Path | None = None) -> str:
        """Compute the checksum of a file.

        Parameters
        ----------
        name
            Path of the file in the archive.
        algorithm
            Name of the checksum in ``hashlib``.
        copy_to
            Path to unpack the file to on the way, if any; it must not exist.

        Returns
        -------
        The checksum in hexadecimal digits.
        """
        content = hashlib.new(algorithm, usedforsecurity=False)
        if copy_to is None:
            for block in self.blocks(name):
                content.update(block)
            return content.hexdigest()
        with copy_to.open("xb") as copy:
            for block in self.blocks(name):
                content.update(block)
                copy.write(block)
        return content.hexdigest()

    def _count(self, n_bytes: int) -> None:
        self._n_unpacked += n_bytes
        if self._n_unpacked > LARGEST_TOTAL or is_bomb(self._n_packed, self._n_unpacked):
            raise ArchiveError(
                f"is refused: its {self._n_packed:,} bytes unpack to more than {self._n_unpacked:,}, as archives do that are "
                "made to fill a disk. Pass the file inside, if you trust it."
            )


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open an archive whose entries all lie below one root directory; close it at the end of the context.

    Raises
    ------
    ArchiveError
        The archive is damaged, or an entry is absolute, leads out of the archive, is a link, is encrypted, is packed by an unusual
        method or has the name of another.
    """
    try:
        file = zipfile.ZipFile(path)
    except _DAMAGED as reason:
        raise ArchiveError(f"is a damaged zip archive ({str(reason)[:_SHOWN]}). Copy it again.") from None
    with file:
        yield Archive(file, path.stat().st_size)


def _check_entry(entry: zipfile.ZipInfo) -> None:
    name = entry.orig_filename
    problem = None
    if name.startswith("/") or _DRIVE.match(name):
        problem = "is an absolute path"
    elif "\\" in name or "\0" in name:
        problem = "holds a character that paths in artifacts do not"
    elif {"", ".", ".."}.intersection(name.removesuffix("/").split("/")):
        problem = "leads out of the archive or in circles"
    elif stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        problem = "is a link or device"
    elif entry.flag_bits & _ENCRYPTED:
        problem = "is encrypted"
    elif entry.compress_type not in _METHODS:
        problem = "is packed by a method that QIIME 2 does not use"
    if problem:
        raise ArchiveError(f"is refused: the entry {name[:80]!r} {problem}. Export it again from where it was made.")


def _only_root(entries: list[zipfile.ZipInfo]) -> str:
    roots = sorted({entry.filename.partition("/")[0] for entry in entries})
    if len(roots) > 1 or any("/" not in entry.filename for entry in entries):
        raise ArchiveError(
            "is no QIIME 2 artifact: its files do not lie in one root directory. Pass an artifact, or the file inside."
        )
    return roots[0]


def _first_repeated(names: list[str]) -> str:
    """Return the first name that equals an earlier one."""
    seen: set[str] = set()
    return next(name for name in names if name in seen or seen.add(name))
