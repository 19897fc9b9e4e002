"""Millions of names as fixed-width hashes: to find them, and to notice doubles, without holding the names."""

import hashlib
from collections.abc import Iterable
from itertools import islice

import numpy as np

_DIGEST_BYTES = 16  # 128 bits: among ten million names, two share a hash with a probability of 1.5e-25
_PER_BLOCK = 1 << 12  # digests are three times as large before they are joined
HASH_DTYPE = np.dtype(f"S{_DIGEST_BYTES}")


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


class NameIndex:
    """Finds names among others by their hashes.

    Parameters
    ----------
    hashes
        Of the names to find others in, ``HASH_DTYPE`` [n].
    """

    def __init__(self, hashes: np.ndarray) -> None:
        self._order = np.argsort(hashes, kind="stable")
        self._sorted = hashes[self._order]

    def find(self, hashes: np.ndarray) -> np.ndarray:
        """Give the place of each name, −1 where it is not among them; int64 [m]."""
        if not len(self._sorted):
            return np.full(len(hashes), -1, dtype=np.int64)
        place = np.minimum(np.searchsorted(self._sorted, hashes), len(self._sorted) - 1)
        return np.where(self._sorted[place] == hashes, self._order[place], -1)

    def duplicates(self) -> np.ndarray:
        """Give the places of names that an earlier one equals, increasing; int64."""
        return np.sort(self._order[1:][self._sorted[1:] == self._sorted[:-1]])
