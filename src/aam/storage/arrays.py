"""Flat arrays in a directory: written by appending, opened by memory map, and checked by their digests."""

import hashlib
import json
import mmap
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np

from aam.errors import OutputError

_MANIFEST = "manifest.json"

_READ_BYTES = 1 << 18


class DamagedStoreError(Exception):
    """A file of a store is missing, or its content differs from the manifest; callers that can rebuild the store do so."""


class ArrayWriter:
    """Writer of a store, whose arrays grow along their first axis, so that none has to fit into memory.

    The directory becomes a store when ``finish`` writes the manifest.

    Parameters
    ----------
    directory
        An existing directory for the files.

    Raises
    ------
    OutputError
        The data cannot be written.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._files: dict[str, BinaryIO] = {}
        self._digests: dict[str, Any] = {}
        self._kinds: dict[str, tuple[np.dtype, tuple[int, ...]]] = {}
        self._rows: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            file.close()

    def append(self, name: str, rows: np.ndarray) -> None:
        """Append rows to an array; the first rows determine its type and the shape of a row."""
        kind = (rows.dtype, rows.shape[1:])
        assert self._kinds.setdefault(name, kind) == kind, f"{name} holds {self._kinds[name]}, not {kind}"
        content = np.ascontiguousarray(rows).view(np.uint8).reshape(-1).data if rows.size else b""
        try:
            if name not in self._files:
                self._files[name] = (self.directory / f"{name}.bin").open("wb")
            self._files[name].write(content)
        except OSError as error:
            raise _output_error(self.directory, error) from error
        self._digests.setdefault(name, hashlib.blake2b(digest_size=16)).update(content)
        self._rows[name] = self._rows.get(name, 0) + len(rows)

    def digest(self, name: str) -> str:
        """Return the digest of an array's present content, as 32 hexadecimal digits."""
        return self._digests[name].hexdigest()

    def finish(self, info: dict[str, Any]) -> None:
        """Close the arrays and write the manifest, with further information on them that JSON can hold."""
        arrays = {
            name: {"dtype": kind.str, "shape": [self._rows[name], *tail], "digest": self._digests[name].hexdigest()}
            for name, (kind, tail) in self._kinds.items()
        }
        try:
            for file in self._files.values():
                file.flush()
                os.fsync(file.fileno())
                file.close()
            text = json.dumps({"arrays": arrays, "facts": info})
            (self.directory / _MANIFEST).write_text(f"{_digest(text.encode())}\n{text}\n", encoding="utf-8")
        except OSError as error:
            raise _output_error(self.directory, error) from error


class ArrayStore(Mapping[str, np.ndarray]):
    """Arrays of a store by name, as read-only memory maps, and the further information on them in ``info``.

    Every file is read once to compare its digest, in about a second per gigabyte.

    Parameters
    ----------
    directory
        Directory in which an `ArrayWriter` finished a store.

    Raises
    ------
    DamagedStoreError
        A file is missing or changed.
    """

    def __init__(self, directory: Path) -> None:
        self._maps: list[mmap.mmap] = []
        try:
            manifest = _read_manifest(directory / _MANIFEST)
            self.info: dict[str, Any] = manifest["facts"]
            self._arrays = {
                name: self._open(directory / f"{name}.bin", **entry) for name, entry in manifest["arrays"].items()
            }
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DamagedStoreError(f"{directory}: {error}") from error

    def __getitem__(self, name: str) -> np.ndarray:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def release(self) -> None:
        """Unload the pages that were read, so that resident memory stays small; the system may keep them cached."""
        for mapped in self._maps:
            mapped.madvise(mmap.MADV_DONTNEED)

    def _open(self, path: Path, dtype: str, shape: list[int], digest: str) -> np.ndarray:
        if _file_digest(path) != digest:
            raise DamagedStoreError(f"{path} does not have the digest of its manifest")
        if path.stat().st_size == 0:
            return np.empty(tuple(shape), dtype=dtype)  # an empty file cannot be mapped
        with path.open("rb") as file:
            self._maps.append(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        return np.frombuffer(self._maps[-1], dtype=dtype).reshape(shape)


def _read_manifest(path: Path) -> dict[str, Any]:
    """Read the second line of a manifest as JSON; the first line is its digest."""
    digest, text, end = path.read_text(encoding="utf-8").split("\n")
    if digest != _digest(text.encode()) or end:
        raise DamagedStoreError(f"{path} does not have the digest in its first line")
    return json.loads(text)


def _file_digest(path: Path) -> str:
    content = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while chunk := file.read(_READ_BYTES):
            content.update(chunk)
    return content.hexdigest()


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _output_error(directory: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{directory} cannot be written: {error.strerror}. Free space or name another --cache-dir, or TMPDIR for aam inspect."
    )
