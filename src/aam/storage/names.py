"""Names of millions of samples and features, packed in one block of bytes, and an index that finds them by their hashes."""

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import overload

import numpy as np

from aam.storage.arrays import ArrayStore, ArrayWriter

_NAMES_PER_BLOCK = 1 << 12

_DIGEST_BYTES = 16  # 128 bits: among ten million names, two share a hash with a probability of 1.5e-25

_PER_BLOCK = 1 << 12  # digests are three times as large before they are joined

_BLOCKS_PER_RUN = 1 << 3  # 0.7 MB

_PER_RELEASE = 1 << 5  # names in any order: each may make 64 kB resident, as the system maps the pages around

HASH_DTYPE = np.dtype(f"S{_DIGEST_BYTES}")
"""A hash of a name."""

SORTED_DTYPE = np.dtype([("hash", HASH_DTYPE), ("position", ">u4")])
"""A hash, and its position in the sequence that was sorted."""

_ROW = np.dtype(f"S{SORTED_DTYPE.itemsize}")  # as bytes, rows sort by hash, then position, without a second array


class Names(Sequence[str]):
    """A read-only sequence of names, each decoded when it is read.

    Parameters
    ----------
    letters
        All names in UTF-8, one after the other; uint8, may be a memory map.
    offsets
        Start of each name, and the end of the last; int64 [n + 1].
    indices
        Indices of the names of this sequence, in its order; None for all.
    release
        Function that unloads the pages that were read, called after each list that is decoded.
    """

    def __init__(
        self,
        letters: np.ndarray,
        offsets: np.ndarray,
        indices: np.ndarray | None = None,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        self._letters, self._offsets, self._indices, self._release = letters, offsets, indices, release

    @classmethod
    def from_strings(cls, names: Sequence[str]) -> "Names":
        """Pack names that are in memory.

        Examples
        --------
        >>> list(Names.from_strings(["S1", "é"]))
        ['S1', 'é']
        """
        return cls.from_blocks([names])

    @classmethod
    def from_blocks(cls, blocks: Iterable[Sequence[str]]) -> "Names":
        """Pack names that come block by block; only one block of them is in memory as strings."""
        packed = [pack_names(block) for block in blocks]
        letters = np.concatenate([np.empty(0, dtype=np.uint8), *(letters for letters, _ in packed)])
        lengths = [np.diff(ends, prepend=0) for _, ends in packed]
        return cls(letters, np.concatenate([[0], *lengths]).astype(np.int64).cumsum())

    def __len__(self) -> int:
        return len(self._offsets) - 1 if self._indices is None else len(self._indices)

    @overload
    def __getitem__(self, key: int) -> str: ...
    @overload
    def __getitem__(self, key: slice) -> list[str]: ...
    def __getitem__(self, key: int | slice) -> str | list[str]:
        """Decode one name, or the list of names of a slice."""
        if isinstance(key, slice):
            names = self._decode(key)
            self._release()
            return names
        n = len(self)
        if not -n <= key < n:
            raise IndexError(key)
        index = int(key) % n if self._indices is None else int(self._indices[key])
        return self._letters[self._offsets[index] : self._offsets[index + 1]].tobytes().decode()

    def _decode(self, key: slice) -> list[str]:
        if self._indices is None and key.step is None:
            start, stop, _ = key.indices(len(self))
            ends = self._offsets[start : max(start, stop) + 1]
            letters = self._letters[ends[0] : ends[-1]].tobytes()
            return [letters[begin:end].decode() for begin, end in pairwise((ends - ends[0]).tolist())]
        return [self[i] for i in range(*key.indices(len(self)))]

    def __iter__(self) -> Iterator[str]:
        """Yield the names one after the other."""
        return (name for block in self.in_blocks() for name in block)

    def in_blocks(self, size: int = _NAMES_PER_BLOCK) -> Iterator[list[str]]:
        """Yield lists of ``size`` names; the last may be shorter."""
        return (self[start : start + size] for start in range(0, len(self), size))

    def argsort(self) -> np.ndarray:
        """Return the indices that sort the names by their code points, int64 [n].

        Examples
        --------
        >>> Names.from_strings(["S9", "S10", "A"]).argsort()
        array([2, 1, 0])
        """
        lengths = np.diff(self._offsets)[slice(None) if self._indices is None else self._indices]
        encoded = np.empty(len(self), dtype=f"S{max(1, lengths.max(initial=0))}")  # UTF-8 sorts like code points
        for index, name in enumerate(self):
            encoded[index] = name.encode()
        return np.argsort(encoded, kind="stable")

    def select(self, indices: np.ndarray) -> "Names":
        """Return some of the names, in the order given, without a copy of their letters."""
        selected = indices if self._indices is None else self._indices[indices]
        return Names(self._letters, self._offsets, selected, self._release)


def pack_names(names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Encode names as UTF-8.

    Returns
    -------
    All names, one after the other, uint8; and the end of each, int64 [n].
    """
    encoded = [name.encode() for name in names]
    ends = np.cumsum([len(name) for name in encoded], dtype=np.int64)
    return np.frombuffer(b"".join(encoded), dtype=np.uint8), ends


def hash_names(names: Iterable[str]) -> np.ndarray:
    """Compute a hash of each name, ``HASH_DTYPE`` [n]."""
    return hash_bytes(name.encode() for name in names)


def hash_bytes(contents: Iterable[bytes]) -> np.ndarray:
    """Compute a hash of each content, ``HASH_DTYPE`` [n].

    Examples
    --------
    >>> hash_bytes([b"S1", b"S1"]).shape
    (2,)
    """
    digests, remaining = bytearray(), iter(contents)
    while block := [
        hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest() for content in islice(remaining, _PER_BLOCK)
    ]:
        digests += b"".join(block)
    return np.frombuffer(digests, dtype=HASH_DTYPE)


@dataclass(frozen=True)
class SortedHashes:
    """Hashes in increasing order, each with its original position; equal hashes are in their original order.

    Attributes
    ----------
    rows
        Hashes and positions, `SORTED_DTYPE` [n]; may be a memory map.
    release
        Function that unloads the pages that were read.
    """

    rows: np.ndarray
    release: Callable[[], None] = lambda: None

    def in_blocks(self) -> Iterator[np.ndarray]:
        """Yield the rows block by block, each a copy in memory."""
        for start in range(0, len(self.rows), _PER_BLOCK):
            rows = self.rows[start : start + _PER_BLOCK].copy()
            self.release()
            yield rows

    def search(self, wanted: np.ndarray) -> np.ndarray:
        """Find the first row that is not less than each wanted one, the last row if there is none.

        Parameters
        ----------
        wanted
            Hashes and positions, `SORTED_DTYPE` [m].

        Returns
        -------
        A row for each wanted one, `SORTED_DTYPE` [m].
        """
        nearest = np.empty_like(wanted)
        order = np.argsort(wanted.view(_ROW))  # neighbours are on the same pages
        for start in range(0, len(order), _PER_RELEASE):
            block = order[start : start + _PER_RELEASE]
            row_numbers = np.searchsorted(self.rows.view(_ROW), wanted[block].view(_ROW))
            nearest[block] = self.rows[np.minimum(row_numbers, len(self.rows) - 1)]
            self.release()
        return nearest


def sort_hashes(blocks: Iterable[np.ndarray], scratch: Path | None = None) -> SortedHashes:
    """Sort hashes in little memory: runs of them are sorted one by one, written to disk and merged there.

    Parameters
    ----------
    blocks
        The hashes, ``HASH_DTYPE``, block by block.
    scratch
        Directory for the runs, if there are several; None for the system's temporary directory.

    Raises
    ------
    OutputError
        The hashes cannot be written.
    """
    runs = _sorted_runs(blocks)
    first = next(runs, np.empty(0, dtype=SORTED_DTYPE))
    second = next(runs, None)
    if second is None:
        return SortedHashes(first)
    with tempfile.TemporaryDirectory(prefix="aam-", dir=scratch) as folder:
        with ArrayWriter(Path(folder)) as writer:
            starts = [0]
            for run in chain((first, second), runs):
                writer.append("runs", run.view(_ROW))
                starts.append(starts[-1] + len(run))
            del first, second
            writer.finish({})
        merged = Path(folder) / "merged"
        merged.mkdir()
        with ArrayWriter(merged) as writer:
            for rows in _merge(ArrayStore(Path(folder)), starts):
                writer.append("rows", rows)
            writer.finish({})
        store = ArrayStore(merged)  # maps stay when their files are deleted
    return SortedHashes(store["rows"].view(SORTED_DTYPE), store.release)


def _sorted_runs(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    hashes, start = iter(blocks), 0
    while parts := list(islice(hashes, _BLOCKS_PER_RUN)):
        rows = np.empty(sum(map(len, parts)), dtype=SORTED_DTYPE)
        rows["hash"], rows["position"] = np.concatenate(parts), np.arange(start, start + len(rows))
        rows.view(_ROW).sort()
        yield rows
        start += len(rows)


def _merge(store: ArrayStore, starts: list[int]) -> Iterator[np.ndarray]:
    """Yield the sorted rows of one range of hashes after the other; as hashes are uniform, each range has about a run's length."""
    runs = [store["runs"][start:stop] for start, stop in pairwise(starts)]
    bounds = [(number << 64) // len(runs) for number in range(1, len(runs))]
    positions = [0] * len(runs)
    for bound in [*bounds, None]:
        parts = []
        for number, run in enumerate(runs):
            stop = len(run) if bound is None else int(run.searchsorted(bound.to_bytes(8, "big")))
            parts.append(run[positions[number] : stop].copy())
            positions[number] = stop
            store.release()
        rows = np.concatenate(parts)
        rows.sort()
        yield rows


class NameIndex:
    """Index that finds names by their hashes, which are on disk if there are many.

    Parameters
    ----------
    names
        The names of the index.
    scratch
        Directory for the hashes; None for the system's temporary directory.

    Raises
    ------
    OutputError
        The hashes cannot be written.
    """

    def __init__(self, names: Sequence[str], scratch: Path | None = None) -> None:
        self._hashes = sort_hashes(map(hash_names, _in_blocks(names)), scratch)

    def find(self, names: Sequence[str]) -> np.ndarray:
        """Return the index of each name, −1 where it is not in the index; int64 [m]."""
        indices = np.full(len(names), -1, dtype=np.int64)
        if not len(self._hashes.rows):
            return indices
        for number, block in enumerate(_in_blocks(names)):
            wanted = np.zeros(len(block), dtype=SORTED_DTYPE)  # position 0: before all of the same hash
            wanted["hash"] = hash_names(block)
            nearest = self._hashes.search(wanted)
            block_indices = indices[number * _PER_BLOCK :][: len(block)]
            np.copyto(block_indices, nearest["position"], where=nearest["hash"] == wanted["hash"])
        return indices

    def duplicates(self) -> np.ndarray:
        """Return the indices of names that equal an earlier name, increasing, int64."""
        last, indices = None, [np.empty(0, dtype=np.int64)]
        for rows in self._hashes.in_blocks():
            is_same = np.append(rows["hash"][0] == last, rows["hash"][1:] == rows["hash"][:-1])
            indices.append(rows["position"][is_same].astype(np.int64))
            last = rows["hash"][-1]
        return np.sort(np.concatenate(indices))


def _in_blocks(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[start : start + _PER_BLOCK] for start in range(0, len(names), _PER_BLOCK))
