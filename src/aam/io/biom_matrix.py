"""A matrix of a BIOM 2.1 file, which holds its counts twice, by sample and by feature; read in blocks of whole rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_array

PARTS = ("data", "indices", "indptr")
"""Names of the datasets of a matrix."""

_VALUES_PER_BLOCK = 1 << 16  # about 3 MB with all intermediate arrays

_HASHED_AT_ONCE = 1 << 15  # so that intermediate arrays stay in the processor's cache

_MIX = tuple(map(np.uint64, (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)))

_SHIFTS = tuple(map(np.uint64, (30, 27, 31)))


class MisfitError(Exception):
    """The parts of a matrix do not fit each other or the ids; the message says why."""


@dataclass
class Fingerprint:
    """Summary of the entries of a matrix, in three numbers that do not depend on their order.

    Attributes
    ----------
    n_values
        Number of entries that are not zero.
    total
        Sum of the entries.
    mixed
        Sum of a 64-bit hash of each entry's position and value, modulo 2^64.
    """

    n_values: int = 0
    total: float = field(default=0.0, compare=False)  # exact up to 2^53 only
    mixed: int = 0

    def add(self, start: int, block: csr_array, strides: tuple[int, int]) -> None:
        """Add rows without zeros.

        Parameters
        ----------
        start
            Index of the first row.
        block
            The rows.
        strides
            Difference of the numbers of two neighbouring cells of the table, in one column and in one row.
        """
        self.n_values += block.nnz
        self.total += float(block.data.sum())
        rows = np.repeat(np.arange(start, start + len(block.indptr) - 1, dtype=np.int64), np.diff(block.indptr))
        for first in range(0, block.nnz, _HASHED_AT_ONCE):
            entries = slice(first, first + _HASHED_AT_ONCE)
            cells = rows[entries] * strides[0] + block.indices[entries].astype(np.int64) * strides[1]
            bits = block.data[entries].astype(np.float64).view(np.uint64)
            hashes = _mixed(_mixed(cells.astype(np.uint64)) + bits)
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
        Start of the values of each row, and the end of the last; int64 [rows + 1].
    n_columns
        Number of columns.
    """

    data: Any
    indices: Any
    pointers: np.ndarray
    n_columns: int

    @classmethod
    def open(cls, datasets: Mapping[str, Any], shape: tuple[int, int]) -> Self:
        """Open a matrix, and check that its `PARTS` fit each other and its shape.

        Parameters
        ----------
        datasets
            The parts by their names.
        shape
            Number of rows and of columns.

        Raises
        ------
        MisfitError
            The parts do not fit.
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
        """Yield blocks of rows as they are stored, each with the index of its first row.

        Raises
        ------
        MisfitError
            The stored rows are not a valid sparse matrix.
        """
        pointers, n_rows = self.pointers, len(self.pointers) - 1
        start = 0
        while start < n_rows:
            full = int(np.searchsorted(pointers, pointers[start] + _VALUES_PER_BLOCK, side="right")) - 1
            stop = min(max(full, start + 1), n_rows)
            values = slice(int(pointers[start]), int(pointers[stop]))
            data, columns = self.data[values], self.indices[values].astype(np.int64)
            parts = data, columns, pointers[start : stop + 1] - pointers[start]
            try:
                block = csr_array(parts, shape=(stop - start, self.n_columns))
            except ValueError as error:
                raise MisfitError(str(error)) from None
            yield start, block
            start = stop


def check_columns(start: int, block: csr_array) -> None:
    """Check the column numbers of a block, whose first row is ``start``.

    Raises
    ------
    MisfitError
        A column number is out of range.
    """
    try:
        block.check_format(full_check=True)
    except ValueError as error:
        raise MisfitError(f"from row {start:,} on: {error}") from None
