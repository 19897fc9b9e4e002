"""A table of counts in memory, and the checks of counts and of sample ids."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from scipy.sparse import csr_array

from aam.errors import TableError, name_some
from aam.io.foreign.statistics_names import hint_of_statistics
from aam.storage.names import NameIndex

Axis = Literal["sample", "observation"]
"""Axis of a table; observations are features."""

_LARGEST = 2**53  # float64, in which BIOM stores counts, is exact below; 2^53 may have been 2^53 + 1

_FEW = 8  # columns or rows, less than which may hold statistics

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

_LIKE_A_HEADER = re.compile(r"#?(sample|feature|otu)?[ _-]?(id|name)", re.IGNORECASE)

PROBLEMS = {
    "not finite": lambda values: ~np.isfinite(values),
    "negative": lambda values: values < 0,
    "not whole numbers": lambda values: values != np.floor(values),
    "2^53 or larger": lambda values: values >= _LARGEST,
}
"""Functions that mark the values that are not counts, by what is wrong with them."""


class Table(Protocol):
    """A feature table whose ids and counts are read block by block, in the order of the file."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was changed to read the file, as ends of sentences that begin with its name."""
        ...

    @property
    def shape(self) -> tuple[int, int]:
        """Number of samples and of features."""
        ...

    def ids(self, axis: Axis) -> Iterator[Sequence[str]]:
        """Yield the ids of an axis, block by block."""
        ...

    def blocks(self) -> Iterator[csr_array]:
        """Yield the counts in blocks of samples, samples × features, int64, without zeros, each feature once in a sample."""
        ...


@dataclass(frozen=True)
class CountTable:
    """Number of reads of each feature in each sample.

    Attributes
    ----------
    sample_ids, feature_ids
        Distinct names of rows and columns, in the order of the file.
    counts
        Reads, int64, samples × features, without stored zeros, indices sorted within each row.
    remarks
        What was changed to read the file, as ends of sentences that begin with its name.
    """

    sample_ids: list[str]
    feature_ids: list[str]
    counts: csr_array
    remarks: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """Number of samples and of features."""
        return len(self.sample_ids), len(self.feature_ids)

    def ids(self, axis: Axis) -> Iterator[Sequence[str]]:
        """Yield the ids of an axis, in one block."""
        yield self.sample_ids if axis == "sample" else self.feature_ids

    def blocks(self) -> Iterator[csr_array]:
        """Yield the counts, in one block."""
        yield self.counts


class SparseRows:
    """Rows of numbers, most of which are 0, collected one after the other."""

    def __init__(self, n_columns: int) -> None:
        self._n_columns = n_columns
        self._columns: list[np.ndarray] = []
        self._values: list[np.ndarray] = []

    def add(self, row: np.ndarray) -> None:
        """Add a row, float64 [n_columns]."""
        columns = np.flatnonzero(row)
        self._columns.append(columns)
        self._values.append(row[columns])

    def matrix(self) -> csr_array:
        """Return the rows as a matrix."""
        ends = np.cumsum([0, *map(len, self._columns)])
        shape = (len(self._columns), self._n_columns)
        parts = [
            np.concatenate([np.empty(0, dtype), *arrays])
            for dtype, arrays in ((float, self._values), (int, self._columns))
        ]
        return csr_array((*parts, ends), shape=shape)


def checked_table(path: Path, sample_ids: list[str], feature_ids: list[str], matrix: csr_array) -> CountTable:
    """Check the content of a file and build a table from it.

    Parameters
    ----------
    path
        The file, for messages.
    sample_ids, feature_ids
        Names of rows and columns.
    matrix
        Numbers of any type, samples × features.

    Raises
    ------
    TableError
        There are no samples or no features, duplicate ids, ids that no metadata can hold, or values that are not counts
        (negative, fractional, not finite or too large).
    """
    for kind, ids in (("samples", sample_ids), ("features", feature_ids)):
        if not ids:
            raise no_ids(path, kind)
        refuse_duplicates(kind, ids)
    check_sample_ids(path, sample_ids)
    check_type(path, matrix.data.dtype)
    for problem, is_bad in PROBLEMS.items():
        bad = is_bad(matrix.data)
        if bad.any():
            rows = np.repeat(np.arange(len(sample_ids)), np.diff(matrix.indptr))[bad]
            samples = [sample_ids[row] for row in np.unique(rows)]
            features = [feature_ids[column] for column in np.unique(matrix.indices[bad])[:_FEW]]
            raise no_counts(path, problem, (int(bad.sum()), len(bad)), samples, features)
    counts = csr_array((matrix.data.astype(np.int64), matrix.indices, matrix.indptr), shape=matrix.shape)
    counts.sum_duplicates()
    counts.eliminate_zeros()
    counts.sort_indices()
    check_depths(path, counts)
    return CountTable(sample_ids, feature_ids, counts)


def no_ids(path: Path, kind: str) -> TableError:
    """Build the error of a table without samples or features."""
    return TableError(f"--table {path} holds no {kind}. Pass a table with samples and features.")


def check_type(path: Path, dtype: np.dtype) -> None:
    """Check that values are numbers.

    Raises
    ------
    TableError
        They are not.
    """
    if dtype.kind not in "iuf":
        raise TableError(f"--table {path} holds values of type {dtype}, not counts. Pass a table of counts.")


def check_sample_ids(path: Path, sample_ids: Sequence[str]) -> None:
    """Check that metadata in QIIME 2's format, and thus our results, can hold the sample ids.

    Raises
    ------
    TableError
        An id is empty, begins with '#', which makes a row a comment, has white space at an end, holds tabs, line ends or other
        control characters, or is a name of the column of ids.
    """
    for problem, is_bad in _NO_IDS.items():
        names = [name for name in sample_ids if is_bad(name)]
        if names:
            raise TableError(
                f"{len(names):,} ids of samples in --table {path} {problem}: {name_some(names)}. "
                "Neither metadata nor results can hold such ids as QIIME 2 reads them. Rename these samples in all files."
            )


def _is_header(name: str) -> bool:
    """Return whether QIIME 2 takes a name for that of the column of ids."""
    if not _LIKE_A_HEADER.fullmatch(name):
        return False
    from skbio.metadata.base import is_id_header  # slow to import, and hardly ever needed

    return bool(is_id_header(name))


_NO_IDS: dict[str, Callable[[str], bool]] = {
    "are empty": lambda name: not name.strip(),
    "begin with '#'": lambda name: name.startswith("#"),
    "begin or end with white space": lambda name: name != name.strip(),
    "hold control characters": lambda name: _CONTROL.search(name) is not None,
    "are names of the column of ids": _is_header,
}
"""Functions that return whether a name cannot be a sample id, by what is wrong with it."""


def check_depths(path: Path, counts: csr_array) -> None:
    """Check that the reads of each sample can be added up exactly.

    Raises
    ------
    TableError
        A sample has 2^53 reads or more.
    """
    if not counts.nnz or int(counts.data.max()) * int(np.diff(counts.indptr).max()) < _LARGEST:
        return
    n_deep = int((counts.astype(np.float64).sum(axis=1) >= _LARGEST).sum())
    if n_deep:
        raise TableError(
            f"{n_deep:,} samples in --table {path} hold 2^53 reads or more, which no sequencing gives. Pass the table as it was "
            "before it was transformed."
        )


def no_counts(
    path: Path, problem: str, n_bad_of_all: tuple[int, int], samples: Sequence[str], features: Sequence[str] = ()
) -> TableError:
    """Build the error of values that are not counts.

    Parameters
    ----------
    path
        The table.
    problem
        Key of `PROBLEMS`.
    n_bad_of_all
        Number of such values, and of all values.
    samples
        Ids of the samples with such values.
    features
        Ids of the first features with such values, if they are known.
    """
    n_bad, n_values = n_bad_of_all
    hint = hint_of_statistics(samples, "column") if len(samples) < _FEW else ""
    if not hint and len(features) < _FEW:
        hint = hint_of_statistics(features)
    return TableError(
        f"{n_bad:,} of {n_values:,} values in --table {path} are {problem}, in {len(samples):,} samples: "
        f"{name_some(samples)}. Counts of reads are needed; relative abundances and other transformed values are "
        f"refused. Pass the table as it was before it was transformed.{hint}"
    )


def refuse_duplicates(kind: str, ids: Sequence[str], scratch: Path | None = None) -> None:
    """Check that ids are unique.

    Parameters
    ----------
    kind
        Name of the axis, for messages.
    ids
        The ids.
    scratch
        Directory in which `NameIndex` writes.

    Raises
    ------
    TableError
        An id occurs more than once.
    """
    duplicates = NameIndex(ids, scratch).duplicates()
    if len(duplicates):
        names = sorted({ids[int(index)] for index in duplicates})
        raise TableError(
            f"{len(names):,} ids of {kind} occur more than once in --table: {name_some(names)}. Make the ids unique."
        )
