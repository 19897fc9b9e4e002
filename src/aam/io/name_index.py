"""Millions of names as fixed-width hashes: to find them, and to notice doubles, without holding the names."""

import hashlib
import mmap
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np

_DIGEST_BYTES = 16  # 128 bits: among ten million names, two share a hash with a probability of 1.5e-25
_PER_BLOCK = 1 << 12  # digests are three times as large before they are joined
HASH_DTYPE = np.dtype(f"S{_DIGEST_BYTES}")
SORTED_DTYPE = np.dtype([("hash", HASH_DTYPE), ("place", ">u4")])
_ROW = np.dtype(f"S{SORTED_DTYPE.itemsize}")  # read as bytes, rows sort by hash, then place, and without a second array


def hash_names(names: Iterable[str]) -> np.ndarray:
    """Hash each name; ``HASH_DTYPE`` [n]."""
    return hash_bytes(name.encode() for name in names)


def hash_bytes(contents: Iterable[bytes]) -> np.ndarray:
    """Hash each content; ``HASH_DTYPE`` [n].

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


def sort_hashes(blocks: Iterable[np.ndarray], n: int) -> np.ndarray:
    """Sort ``n`` hashes in place, equal ones in the order in which they come; with their places, `SORTED_DTYPE` [n].

    Parameters
    ----------
    blocks
        The hashes, ``HASH_DTYPE``, block by block.
    n
        How many there are.
    """
    # mapped by itself, it goes back to the system at once; and what the allocator frees raises how much it keeps for itself
    rows = np.frombuffer(mmap.mmap(-1, max(1, n * SORTED_DTYPE.itemsize)), dtype=SORTED_DTYPE, count=n)
    start = 0
    for block in blocks:
        part = rows[start : start + len(block)]
        part["hash"], part["place"] = block, np.arange(start, start + len(block))
        start += len(block)
    rows.view(_ROW).sort()
    return rows


class NameIndex:
    """Finds names among others by their hashes, at 20 bytes a name.

    Parameters
    ----------
    names
        What to find others in.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._rows = sort_hashes(map(hash_names, _in_blocks(names)), len(names))

    def find(self, names: Sequence[str]) -> np.ndarray:
        """Give the place of each name, −1 where it is not among them; int64 [m]."""
        found = np.full(len(names), -1, dtype=np.int64)
        if not len(self._rows):
            return found
        for number, block in enumerate(_in_blocks(names)):
            wanted = np.zeros(len(block), dtype=SORTED_DTYPE)  # place 0: before all of the same hash
            wanted["hash"] = hash_names(block)
            near = self._rows[
                np.minimum(np.searchsorted(self._rows.view(_ROW), wanted.view(_ROW)), len(self._rows) - 1)
            ]
            part = found[number * _PER_BLOCK :][: len(block)]
            np.copyto(part, near["place"], where=near["hash"] == wanted["hash"])
        return found

    def duplicates(self) -> np.ndarray:
        """Give the places of names that an earlier one equals, increasing; int64."""
        is_same = self._rows["hash"][1:] == self._rows["hash"][:-1]
        return np.sort(self._rows["place"][1:][is_same].astype(np.int64))


def _in_blocks(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[start : start + _PER_BLOCK] for start in range(0, len(names), _PER_BLOCK))
