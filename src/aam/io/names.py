"""Names in one block of bytes, so that a million of them cost what their letters cost."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import overload

import numpy as np

_PER_BLOCK = 1 << 12


class Names(Sequence[str]):
    """A read-only sequence of names, decoded when they are asked for.

    Parameters
    ----------
    letters
        All names in UTF-8, one after the other; uint8, may be a memory map.
    offsets
        Where each name begins, and the end of the last; int64 [n + 1].
    rows
        Which of them this sequence shows, in its order; None for all.
    release
        Lets go of the pages that were read, after each list that is decoded.
    """

    def __init__(
        self,
        letters: np.ndarray,
        offsets: np.ndarray,
        rows: np.ndarray | None = None,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        self._letters, self._offsets, self._rows, self._release = letters, offsets, rows, release

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
        """Pack names that come block by block; no more than one block of them is there as strings."""
        packed = [pack_names(block) for block in blocks]
        letters = np.concatenate([np.empty(0, dtype=np.uint8), *(letters for letters, _ in packed)])
        lengths = [np.diff(ends, prepend=0) for _, ends in packed]
        return cls(letters, np.concatenate([[0], *lengths]).astype(np.int64).cumsum())

    def __len__(self) -> int:
        return len(self._offsets) - 1 if self._rows is None else len(self._rows)

    @overload
    def __getitem__(self, key: int) -> str: ...
    @overload
    def __getitem__(self, key: slice) -> list[str]: ...
    def __getitem__(self, key: int | slice) -> str | list[str]:
        """Decode one name, or a list of them."""
        if isinstance(key, slice):
            names = self._decode(key)
            self._release()
            return names
        n = len(self)
        if not -n <= key < n:
            raise IndexError(key)
        row = int(key) % n if self._rows is None else int(self._rows[key])
        return self._letters[self._offsets[row] : self._offsets[row + 1]].tobytes().decode()

    def _decode(self, key: slice) -> list[str]:
        if self._rows is None and key.step is None:
            start, stop, _ = key.indices(len(self))
            ends = self._offsets[start : max(start, stop) + 1]
            letters = self._letters[ends[0] : ends[-1]].tobytes()
            return [letters[begin:end].decode() for begin, end in pairwise((ends - ends[0]).tolist())]
        return [self[i] for i in range(*key.indices(len(self)))]

    def __iter__(self) -> Iterator[str]:
        """Decode the names one after the other."""
        return (name for block in self.in_blocks() for name in block)

    def in_blocks(self, size: int = _PER_BLOCK) -> Iterator[list[str]]:
        """Decode the names ``size`` at a time."""
        return (self[start : start + size] for start in range(0, len(self), size))

    def sorted_places(self) -> np.ndarray:
        """Give the places of the names in the order of their code points, int64 [n].

        Examples
        --------
        >>> Names.from_strings(["S9", "S10", "A"]).sorted_places()
        array([2, 1, 0])
        """
        lengths = np.diff(self._offsets)[slice(None) if self._rows is None else self._rows]
        encoded = np.empty(len(self), dtype=f"S{max(1, lengths.max(initial=0))}")  # UTF-8 sorts like code points
        for place, name in enumerate(self):
            encoded[place] = name.encode()
        return np.argsort(encoded, kind="stable")

    def select(self, rows: np.ndarray) -> "Names":
        """Show some of the names, in the order given."""
        return Names(self._letters, self._offsets, rows if self._rows is None else self._rows[rows], self._release)


def pack_names(names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Join names to bytes, uint8, and give where each ends, int64 [n]."""
    encoded = [name.encode() for name in names]
    ends = np.cumsum([len(name) for name in encoded], dtype=np.int64)
    return np.frombuffer(b"".join(encoded), dtype=np.uint8), ends
