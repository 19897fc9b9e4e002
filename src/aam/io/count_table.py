"""A table of counts in memory, and what makes values counts and names sample ids."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from scipy.sparse import csr_array

from aam.errors import TableError, name_some
from aam.storage.names import NameIndex

Axis = Literal["sample", "observation"]

_LARGEST = 2**53  # float64, in which BIOM stores counts, is exact below; 2^53 may have been 2^53 + 1

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

_LIKE_A_HEADER = re.compile(r"#?(sample|feature|otu)?[ _-]?(id|name)", re.IGNORECASE)

PROBLEMS = {
    "not finite": lambda values: ~np.isfinite(values),
    "negative": lambda values: values < 0,
    "not whole numbers": lambda values: values != np.floor(values),
    "2^53 or larger": lambda values: values >= _LARGEST,
}
"""Which values are no counts, by what is wrong with them."""


class Table(Protocol):
    """A feature table that gives its ids and its counts block by block, in the order of the file."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number of samples and of features."""
        ...

    def ids(self, axis: Axis) -> Iterator[Sequence[str]]:
        """Give the ids of an axis."""
        ...

    def blocks(self) -> Iterator[csr_array]:
        """Give the counts of one sample after the other, int64, without zeros, each feature once in a sample."""
        ...


@dataclass(frozen=True)
class CountTable:
    """How often each feature was seen in each sample.

    Attributes
    ----------
    sample_ids, feature_ids
        Distinct names of rows and columns, in the order of the file.
    counts
        Reads, int64, samples × features, without stored zeros, indices sorted within each row.
    """

    sample_ids: list[str]
    feature_ids: list[str]
    counts: csr_array

    @property
    def shape(self) -> tuple[int, int]:
        """Number of samples and of features."""
        return len(self.sample_ids), len(self.feature_ids)

    def ids(self, axis: Axis) -> Iterator[Sequence[str]]:
        """Give the ids of an axis."""
        yield self.sample_ids if axis == "sample" else self.feature_ids

    def blocks(self) -> Iterator[csr_array]:
        """Give the counts."""
        yield self.counts


def checked_table(path: Path, sample_ids: list[str], feature_ids: list[str], matrix: csr_array) -> CountTable:
    """Make a table from what a file holds, samples × features of any type of number.

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
            raise no_counts(path, problem, (int(bad.sum()), len(bad)), samples)
    counts = csr_array((matrix.data.astype(np.int64), matrix.indices, matrix.indptr), shape=matrix.shape)
    counts.sum_duplicates()
    counts.eliminate_zeros()
    counts.sort_indices()
    check_depths(path, counts)
    return CountTable(sample_ids, feature_ids, counts)


def no_ids(path: Path, kind: str) -> TableError:
    """Say that an axis is empty."""
    return TableError(f"--table {path} holds no {kind}. Pass a table with samples and features.")


def check_type(path: Path, dtype: np.dtype) -> None:
    """Refuse values that are not numbers.

    Raises
    ------
    TableError
        They are not.
    """
    if dtype.kind not in "iuf":
        raise TableError(f"--table {path} holds values of type {dtype}, not counts. Pass a table of counts.")


def check_sample_ids(path: Path, sample_ids: Sequence[str]) -> None:
    """Refuse ids that metadata in QIIME 2's format cannot hold, so that our results could not be read.

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
"""Which names are no sample ids, by what is wrong with them."""


def check_depths(path: Path, counts: csr_array) -> None:
    """Refuse samples whose reads cannot be added up.

    Raises
    ------
    TableError
        There is one.
    """
    if not counts.nnz or int(counts.data.max()) * int(np.diff(counts.indptr).max()) < _LARGEST:
        return
    n_deep = int((counts.astype(np.float64).sum(axis=1) >= _LARGEST).sum())
    if n_deep:
        raise TableError(
            f"{n_deep:,} samples in --table {path} hold 2^53 reads or more, which no sequencing gives. Pass the table as it was "
            "before it was transformed."
        )


def no_counts(path: Path, problem: str, n_bad_of_all: tuple[int, int], samples: Sequence[str]) -> TableError:
    """Say how many values are no counts, why, and in which samples."""
    n_bad, n_values = n_bad_of_all
    return TableError(
        f"{n_bad:,} of {n_values:,} values in --table {path} are {problem}, in {len(samples):,} samples: "
        f"{name_some(samples)}. Counts of reads are needed; relative abundances and other transformed values are "
        "refused. Pass the table as it was before it was transformed."
    )


def refuse_duplicates(kind: str, ids: Sequence[str], scratch: Path | None = None) -> None:
    """Refuse ids that occur more than once; ``scratch`` is where `NameIndex` writes.

    Raises
    ------
    TableError
        An id does.
    """
    places = NameIndex(ids, scratch).duplicates()
    if len(places):
        names = sorted({ids[int(place)] for place in places})
        raise TableError(
            f"{len(names):,} ids of {kind} occur more than once in --table: {name_some(names)}. Make the ids unique."
        )
