"""A cache of data that are expensive to compute, keyed by the content of their source; shared by processes, and limited in size."""

import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from filelock import FileLock

from aam.errors import OutputError
from aam.storage.arrays import DamagedStoreError

logger = logging.getLogger(__name__)


T = TypeVar("T")

ENVIRONMENT_VARIABLE = "AAM_CACHE_DIR"
"""Environment variable with the default directory of the cache."""

DEFAULT_LIMIT_GB = 50.0
"""Size of the cache in gigabytes (10⁹ bytes), unless the user sets another."""

_SETTINGS, _LOCKS, _UNFINISHED = "settings.json", "locks", "unfinished"

_USED = "used"  # an empty file in each entry; its time of change is the last use

_ABANDONED_SECONDS = 86_400  # nothing is built for a day without a new file

_READ_BYTES = 1 << 18


@dataclass(frozen=True)
class CacheEntry:
    """One entry of the cache.

    Attributes
    ----------
    kind
        Kind of data: study, tree or asv-vectors.
    key
        Digest of what the entry was built from.
    n_bytes
        Size on disk in bytes.
    last_used
        Time of the last use, in seconds since 1970.
    """

    kind: str
    key: str
    n_bytes: int
    last_used: float


class Cache:
    """Entries in a directory, each a folder ``KIND/KEY``.

    An entry is built in a folder for unfinished ones and renamed when it is complete, under a lock, so that several processes
    build it once. An open entry stays readable when it is removed.

    Parameters
    ----------
    directory
        Directory of the entries; None for the environment variable ``AAM_CACHE_DIR``, or else ``~/.cache/aam``.

    Raises
    ------
    OutputError
        The directory cannot be written.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = default_directory() if directory is None else directory
        if not self.directory.is_dir():
            self._create()

    def _create(self) -> None:
        with self._writing():
            for name in (_LOCKS, _UNFINISHED):
                (self.directory / name).mkdir(parents=True, exist_ok=True)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn errors of the system in a block that writes into one message."""
        try:
            yield
        except OSError as error:
            raise OutputError(
                f"The cache {self.directory} cannot be written: {error.strerror or error}. Free space, or pass --cache-dir with "
                "another place."
            ) from error

    def fetch(
        self, kind: str, key: str, build: Callable[[Path], None], read: Callable[[Path], T], is_kept: bool = True
    ) -> T:
        """Read an entry; build it first if it is missing or damaged. A cache that cannot be written is read.

        Parameters
        ----------
        kind, key
            Kind of the entry, and digest of what it is built from.
        build
            Function that fills an empty directory.
        read
            Function that opens a directory that ``build`` filled; raises `DamagedStoreError` if a file is missing or damaged.
        is_kept
            False for an entry that is built for this call alone where the cache cannot be written.

        Returns
        -------
        The result of ``read``.

        Raises
        ------
        OutputError
            The entry is missing or damaged, and the cache cannot be written.
        """
        entry = self.directory / kind / key
        with suppress(DamagedStoreError, OSError):  # a complete entry needs no lock
            return self._read(entry, read)
        try:
            with self._writing():
                self._create()
                with FileLock(self.directory / _LOCKS / f"{kind}-{key}.lock"):
                    content = self._read_or_build(entry, build, read)
        except OutputError as error:
            if is_kept or self._can_be_written():
                raise
            logger.warning("%s What is missing in it is computed for this command alone.", error)
            with tempfile.TemporaryDirectory() as directory:
                return Cache(Path(directory)).fetch(kind, key, build, read)
        self.shrink(self.limit_gb, keep=entry)
        return content

    def _can_be_written(self) -> bool:
        try:
            with tempfile.TemporaryFile(dir=self.directory / _LOCKS):
                return True
        except OSError:
            return False

    def _read_or_build(self, entry: Path, build: Callable[[Path], None], read: Callable[[Path], T]) -> T:
        """Read an entry, which another process may have built meanwhile, or build it; the lock is held."""
        if entry.is_dir():
            try:
                return self._read(entry, read)
            except (DamagedStoreError, OSError) as error:
                logger.warning("A damaged entry of the cache is made anew: %s.", error)
                self._remove(entry)
        self._build(entry, build)
        return read(entry)

    def _read(self, entry: Path, read: Callable[[Path], T]) -> T:
        content = read(entry)
        with suppress(OSError):  # of a cache that cannot be written
            (entry / _USED).touch()
        return content

    def entries(self) -> list[CacheEntry]:
        """List the entries of the cache, the least recently used first."""
        entries = []
        for used in self.directory.glob(f"*/*/{_USED}"):
            try:
                n_bytes = sum(path.stat().st_size for path in used.parent.rglob("*") if path.is_file())
                entries.append(CacheEntry(used.parent.parent.name, used.parent.name, n_bytes, used.stat().st_mtime))
            except FileNotFoundError:
                continue  # another process removed it meanwhile
        return sorted(entries, key=lambda entry: entry.last_used)

    @property
    def limit_gb(self) -> float:
        """Size beyond which the least recently used entries are removed, in gigabytes (10⁹ bytes)."""
        try:
            return float(json.loads((self.directory / _SETTINGS).read_text(encoding="utf-8"))["limit_gb"])
        except (OSError, ValueError, KeyError, TypeError):
            return DEFAULT_LIMIT_GB

    @limit_gb.setter
    def limit_gb(self, limit: float) -> None:
        temporary = self.directory / f"{_SETTINGS}-{uuid.uuid4().hex[:8]}"
        with self._writing():
            temporary.write_text(json.dumps({"limit_gb": limit}) + "\n", encoding="utf-8")
            temporary.replace(self.directory / _SETTINGS)

    def shrink(self, limit_gb: float, keep: Path | None = None) -> list[CacheEntry]:
        """Remove the least recently used entries until the rest fits a limit.

        Parameters
        ----------
        limit_gb
            Size of the cache in gigabytes (10⁹ bytes).
        keep
            Directory of an entry that stays in any case.

        Returns
        -------
        The entries that were removed.
        """
        entries, removed = self.entries(), []
        total = sum(entry.n_bytes for entry in entries)
        for entry in entries:
            path = self.directory / entry.kind / entry.key
            if total <= limit_gb * 1e9:
                break
            if path == keep:
                continue
            self._remove(path)
            total -= entry.n_bytes
            removed.append(entry)
        if removed:
            freed = sum(entry.n_bytes for entry in removed) / 1e9
            logger.info("Removed %d of the least recently used entries of the cache (%.2f GB).", len(removed), freed)
        return removed

    def _build(self, entry: Path, build: Callable[[Path], None]) -> None:
        self._remove_abandoned()
        unfinished = self.directory / _UNFINISHED / uuid.uuid4().hex
        try:
            unfinished.mkdir()
            build(unfinished)
            (unfinished / _USED).touch()
            entry.parent.mkdir(exist_ok=True)
            unfinished.rename(entry)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _remove(self, entry: Path) -> None:
        """Move an entry away, then delete it, so that no process reads half of it."""
        moved = self.directory / _UNFINISHED / uuid.uuid4().hex
        with self._writing():
            try:
                entry.rename(moved)
            except FileNotFoundError:
                return
        shutil.rmtree(moved, ignore_errors=True)

    def _remove_abandoned(self) -> None:
        """Delete unfinished entries of processes that were killed."""
        for path in (self.directory / _UNFINISHED).iterdir():
            with suppress(FileNotFoundError):  # another process may do the same
                if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                    shutil.rmtree(path, ignore_errors=True)


def holds_cache(directory: Path) -> bool:
    """Check whether a directory has been used by `Cache`."""
    return all((directory / name).is_dir() for name in (_LOCKS, _UNFINISHED))


def default_directory() -> Path:
    """Return ``$AAM_CACHE_DIR``, or else ``aam`` in the user's cache directory."""
    directory = os.environ.get(ENVIRONMENT_VARIABLE)
    if directory:
        return Path(directory)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aam"


def digest_of(*parts: str | Path | None) -> str:
    """Hash texts and the contents of files, in their order, to 32 hexadecimal digits; None differs from an empty text.

    Examples
    --------
    >>> digest_of("a", None) == digest_of("a")
    False
    """
    content = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, Path):
            with part.open("rb") as file:
                n_bytes = 0
                while chunk := file.read(_READ_BYTES):
                    content.update(chunk)
                    n_bytes += len(chunk)
            content.update(f"\0file {n_bytes}\0".encode())
        else:
            content.update(f"\0{part!r}\0".encode())
    return content.hexdigest()
