"""Feature tables in BIOM 2.1 (HDF5): samples × features, sparse, whole counts."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from scipy.sparse import csc_matrix, csr_array

from aam.errors import TableError, name_some
from aam.io.atomic import atomic_path
from aam.io.hdf5_file import open_hdf5

_ACCEPTED = (
    "Pass a table in BIOM 2.1 (HDF5), BIOM 1.0 (JSON), tab-separated text or FeatureTable[Frequency] of QIIME 2."
)
_DATASETS = ("sample/ids", "observation/ids", "sample/matrix/data", "sample/matrix/indices", "sample/matrix/indptr")
_CREATED = datetime(1970, 1, 1)  # a fixed date: the same table gives the same file
_LARGEST = 2**53  # float64, in which BIOM stores counts, is exact up to here


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


def read_hdf5_table(path: Path, file: Path) -> CountTable:
    """Read a BIOM 2.1 table from ``file``, naming ``path`` in messages; samples without reads are kept.

    Raises
    ------
    TableError
        The file is not BIOM HDF5 or damaged, or holds what `checked_table` refuses.
    """
    sample_ids, feature_ids, data, indices, indptr = _read_datasets(path, file)
    try:
        indices, indptr = _places(indices), _places(indptr)
        if not len(indptr) or indptr[-1] != len(data) or len(data) != len(indices) or (np.diff(indptr) < 0).any():
            raise ValueError(
                "the pointers to samples do not ascend to the number of values"
            )  # scipy drops values instead
        matrix = csr_array((data, indices, indptr), shape=(len(sample_ids), len(feature_ids)))
        matrix.check_format(full_check=True)
    except (ValueError, TypeError) as error:
        raise TableError(f"--table {path}: the matrix does not fit its ids ({error}). Write the table anew.") from None
    return checked_table(path, sample_ids, feature_ids, matrix)


def checked_table(path: Path, sample_ids: list[str], feature_ids: list[str], matrix: csr_array) -> CountTable:
    """Make a table from what a file holds, samples × features of any type of number.

    Raises
    ------
    TableError
        There are no samples or no features, duplicate ids, or values that are not counts (negative, fractional or not finite).
    """
    _check_ids(path, sample_ids, "samples")
    _check_ids(path, feature_ids, "features")
    _check_counts(path, matrix, sample_ids)
    counts = csr_array((matrix.data.astype(np.int64), matrix.indices, matrix.indptr), shape=matrix.shape)
    counts.sum_duplicates()
    counts.eliminate_zeros()
    counts.sort_indices()
    return CountTable(sample_ids, feature_ids, counts)


def _read_datasets(path: Path, table: Path) -> tuple[list[str], list[str], np.ndarray, np.ndarray, np.ndarray]:
    import h5py

    with open_hdf5(path, table, TableError, "--table") as file:
        missing = [name for name in _DATASETS if not isinstance(file.get(name), h5py.Dataset)]
        if missing:
            raise TableError(f"--table {path} is HDF5 but not BIOM: it lacks {name_some(missing)}. {_ACCEPTED}")
        samples, features, data, indices, indptr = (np.asarray(file[name]) for name in _DATASETS)
    try:
        return _decode(samples), _decode(features), data, indices, indptr
    except UnicodeDecodeError:
        raise TableError(f"--table {path}: an id is not UTF-8 text. Rename it and write the table anew.") from None


def _places(values: np.ndarray) -> np.ndarray:
    """Make whole numbers signed: of unsigned ones, scipy does not notice that they decrease."""
    if values.dtype.kind not in "iu":
        raise TypeError(f"places are of type {values.dtype}")
    return values.astype(np.int64)


def _decode(ids: np.ndarray) -> list[str]:
    return [name.decode("utf-8") if isinstance(name, bytes) else str(name) for name in ids.ravel().tolist()]


def _check_ids(path: Path, ids: list[str], kind: str) -> None:
    if not ids:
        raise TableError(f"--table {path} holds no {kind}. Pass a table with samples and features.")
    if len(set(ids)) < len(ids):
        seen: set[str] = set()
        duplicates = sorted({name for name in ids if name in seen or seen.add(name)})
        raise TableError(
            f"{len(duplicates):,} ids of {kind} occur more than once in --table {path}: {name_some(duplicates)}. "
            "Make the ids unique."
        )


def _check_counts(path: Path, matrix: csr_array, sample_ids: list[str]) -> None:
    values = matrix.data
    if values.dtype.kind not in "iuf":
        raise TableError(f"--table {path} holds values of type {values.dtype}, not counts. Pass a table of counts.")
    for problem, is_bad in (
        ("not finite", ~np.isfinite(values)),
        ("negative", values < 0),
        ("not whole numbers", values != np.floor(values)),
        ("larger than 2^53", values > _LARGEST),
    ):
        if is_bad.any():
            rows = np.repeat(np.arange(len(sample_ids)), np.diff(matrix.indptr))[is_bad]
            samples = [sample_ids[row] for row in np.unique(rows)]
            raise TableError(
                f"{is_bad.sum():,} of {len(values):,} values in --table {path} are {problem}, in {len(samples):,} samples: "
                f"{name_some(samples)}. Counts of reads are needed; relative abundances and other transformed values are "
                "refused. Pass the table as it was before it was transformed."
            )


def write_table(path: Path, table: CountTable) -> None:
    """Write a table as BIOM 2.1; the same table gives the same file.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    import biom
    import h5py

    matrix = csc_matrix(table.counts.T, dtype=np.float64)
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        biom.Table(matrix, table.feature_ids, table.sample_ids).to_hdf5(file, "aam", creation_date=_CREATED)
