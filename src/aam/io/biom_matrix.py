"""One matrix of a BIOM 2.1 file, which holds its counts twice: by sample and by feature; read in blocks of whole rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_array

PARTS = ("data", "indices", "indptr")

_VALUES_PER_BLOCK = 1 << 16  # about 3 MB with all that is made of them on the way

_HASHED_AT_ONCE = 1 << 15  # so that what is made on the way stays in the processor's cache

_MIX = tuple(map(np.uint64, (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)))

_SHIFTS = tuple(map(np.uint64, (30, 27, 31)))


class MisfitError(Exception):
    """The parts of a matrix do not fit each other or the ids; the message says why."""


@dataclass
class Fingerprint:
    """What a matrix holds, in three numbers that do not depend on the order in which its entries come.

    Attributes
    ----------
    n_values
        Entries that are not zero.
    total
        Their sum.
    mixed
        Sum of a 64-bit hash of each entry's place and value, modulo 2^64.
    """

    n_values: int = 0
    total: float = field(default=0.0, compare=False)  # exact up to 2^53 only
    mixed: int = 0

    def add(self, start: int, block: csr_array, strides: tuple[int, int]) -> None:
        """Take in rows without zeros.

        Parameters
        ----------
        start
            Number of the first row.
        block
            The rows.
        strides
            How far apart the numbers of two cells of the table are that lie a row, or a column, apart.
        """
        self.n_values += block.nnz
        self.total += float(block.data.sum())
        rows = np.repeat(np.arange(start, start + len(block.indptr) - 1, dtype=np.int64), np.diff(block.indptr))
        for first in range(0, block.nnz, _HASHED_AT_ONCE):
            part = slice(first, first + _HASHED_AT_ONCE)
            places = rows[part] * strides[0] + block.indices[part].astype(np.int64) * strides[1]
            bits = block.data[part].astype(np.float64).view(np.uint64)
            hashes = _mixed(_mixed(places.astype(np.uint64)) + bits)
            self.mixed = (self.mixed + int(hashes.sum(dtype=np.uint64))) % 2**64


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """Hash each number by one step of splitmix64 (Steele et al. 2014)."""
    mixed = numbers + _MIX[0]
    for shift, factor in zip(_SHIFTS, _MIX[1:], strict=False):
        mixed = (mixed ^ (mixed >> shift)) * factor
    return mixed ^ (mixed >> _SHIFTS[2])


@dataclass(frozen=True)
class BiomMatrix:
    """A compressed matrix on disk.

    Attributes
    ----------
    data, indices
        Values, and the column of each; datasets of HDF5.
    pointers
        Where the values of each row begin, and the end of the last; int64 [rows + 1].
    n_columns
        How many columns there are.
    """

    data: Any
    indices: Any
    pointers: np.ndarray
    n_columns: int

    @classmethod
    def open(cls, datasets: Mapping[str, Any], shape: tuple[int, int]) -> Self:
        """Check that the `PARTS` of a matrix fit each other and its shape.

        Raises
        ------
        MisfitError
            They do not.
        """
        data, indices, pointers = (datasets[name] for name in PARTS)
        pointers = np.asarray(pointers)
        if pointers.dtype.kind not in "iu":
            raise MisfitError(f"row pointers of type {pointers.dtype}")
        if pointers.shape != (shape[0] + 1,):
            raise MisfitError(f"{pointers.size:,} row pointers for {shape[0]:,} rows")
        size = data.shape or ()
        if indices.dtype.kind not in "iu" or indices.shape != size or len(size) != 1:
            raise MisfitError(f"values of shape {size} with column numbers of {indices.shape} {indices.dtype}")
        pointers = pointers.astype(np.int64)
        if pointers[0] != 0 or pointers[-1] != size[0] or (np.diff(pointers) < 0).any():
            raise MisfitError(f"row pointers that do not rise from 0 to the {size[0]:,} values")
        return cls(data, indices, pointers, shape[1])

    def blocks(self) -> Iterator[tuple[int, csr_array]]:
        """Give the number of a row and the rows from it on, as they are stored.

        Raises
        ------
        MisfitError
            The rows are no matrix.
        """
        pointers, n_rows = self.pointers, len(self.pointers) - 1
        start = 0
        while start < n_rows:
            full = int(np.searchsorted(pointers, pointers[start] + _VALUES_PER_BLOCK, side="right")) - 1
            stop = min(max(full, start + 1), n_rows)
            part = slice(int(pointers[start]), int(pointers[stop]))
            parts = self.data[part], self.indices[part].astype(np.int64), pointers[start : stop + 1] - pointers[start]
            try:
                block = csr_array(parts, shape=(stop - start, self.n_columns))
            except ValueError as error:
                raise MisfitError(str(error)) from None
            yield start, block
            start = stop


def check_columns(start: int, block: csr_array) -> None:
    """Refuse column numbers that are out of range.

    Raises
    ------
    MisfitError
        One is.
    """
    try:
        block.check_format(full_check=True)
    except ValueError as error:
        raise MisfitError(f"from row {start:,} on: {error}") from None
