"""Feature tables in BIOM 2.1 (HDF5): samples × features, sparse, whole counts; read in blocks of samples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
from scipy.sparse import csc_matrix, csr_array, vstack

from aam.errors import TableError, name_some
from aam.io.atomic import atomic_path
from aam.io.name_index import NameIndex, hash_names
from aam.io.text_file import check_readable

Axis = Literal["sample", "observation"]

_ACCEPTED = "BIOM 2.1 (HDF5) is accepted; convert JSON and text tables with `biom convert --to-hdf5`."
_DATASETS = ("sample/ids", "observation/ids", "sample/matrix/data", "sample/matrix/indices", "sample/matrix/indptr")
_CREATED = datetime(1970, 1, 1)  # a fixed date: the same table gives the same file
_LARGEST = 2**53  # float64, in which BIOM stores counts, is exact up to here
_IDS_PER_BLOCK = 1 << 16
_VALUES_PER_BLOCK = 1 << 20  # about 40 MB with all that is made of them on the way
_KINDS = {"sample": "samples", "observation": "features"}
_PROBLEMS = {
    "not finite": lambda values: ~np.isfinite(values),
    "negative": lambda values: values < 0,
    "not whole numbers": lambda values: values != np.floor(values),
    "larger than 2^53": lambda values: values > _LARGEST,
}


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


class BiomFile:
    """A BIOM 2.1 file, read in blocks of samples; the memory needed does not grow with the table.

    Raises
    ------
    TableError
        The file is missing, not BIOM HDF5 or damaged; it has no samples or features; its matrix does not fit its ids.
    """

    def __init__(self, path: Path) -> None:
        import h5py

        check_readable(path, TableError, "--table")
        if not h5py.is_hdf5(path):
            raise TableError(f"--table {path} is not a BIOM HDF5 file. {_ACCEPTED}")
        self.path = path
        try:
            self._file: Any = h5py.File(path, "r")  # h5py's own types know no dataset from a group
        except OSError as error:
            raise self._damage(error) from None
        try:
            self.shape = self._check_datasets()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def ids(self, axis: Axis) -> Iterator[list[str]]:
        """Give the ids of an axis, block by block.

        Raises
        ------
        TableError
            An id is not UTF-8.
        """
        dataset = self._file[f"{axis}/ids"]
        for start in range(0, dataset.shape[0], _IDS_PER_BLOCK):
            try:
                names = np.asarray(dataset[start : start + _IDS_PER_BLOCK]).ravel().tolist()
                yield [name.decode("utf-8") if isinstance(name, bytes) else str(name) for name in names]
            except UnicodeDecodeError:
                raise TableError(
                    f"--table {self.path}: an id is not UTF-8 text. Rename it and write the table anew."
                ) from None
            except OSError as error:
                raise self._damage(error) from None

    def blocks(self) -> Iterator[csr_array]:
        """Give the counts of one sample after the other, int64 in blocks of whole samples; no zeros, indices sorted.

        Raises
        ------
        TableError
            A value is not a count, or a feature's number is out of range.
        """
        for start, block in self._raw_blocks():
            for problem, is_bad in _PROBLEMS.items():
                if is_bad(block.data).any():
                    self._refuse(problem)
            try:
                block.check_format(full_check=True)
            except ValueError as error:
                raise self._misfit(f"samples from row {start:,} on: {error}") from None
            counts = csr_array((block.data.astype(np.int64), block.indices, block.indptr), shape=block.shape)
            counts.sum_duplicates()
            counts.eliminate_zeros()
            yield counts

    def _raw_blocks(self) -> Iterator[tuple[int, csr_array]]:
        matrix, indptr = self._file["sample/matrix"], self._indptr
        start = 0
        while start < self.shape[0]:
            full = int(np.searchsorted(indptr, indptr[start] + _VALUES_PER_BLOCK, side="right")) - 1
            stop = min(max(full, start + 1), self.shape[0])
            part = slice(int(indptr[start]), int(indptr[stop]))
            try:
                data, indices = matrix["data"][part], matrix["indices"][part]
            except OSError as error:
                raise self._damage(error) from None
            offsets = indptr[start : stop + 1] - indptr[start]
            shape = (stop - start, self.shape[1])
            try:
                yield start, csr_array((data, indices, offsets), shape=shape)
            except ValueError as error:
                raise self._misfit(str(error)) from None
            start = stop

    def _check_datasets(self) -> tuple[int, int]:
        import h5py

        try:
            missing = [name for name in _DATASETS if not isinstance(self._file.get(name), h5py.Dataset)]
            if missing:
                raise TableError(
                    f"--table {self.path} is HDF5 but not BIOM: it lacks {name_some(missing)}. {_ACCEPTED}"
                )
            samples, features, data, indices, indptr = (self._file[name] for name in _DATASETS)
            self._indptr = np.asarray(indptr).astype(np.int64)
        except (OSError, ValueError, TypeError) as error:
            raise self._damage(error) from None
        for dataset, axis in ((samples, "sample"), (features, "observation")):
            if dataset.size == 0:
                raise TableError(
                    f"--table {self.path} holds no {_KINDS[axis]}. Pass a table with samples and features."
                )
        if data.dtype.kind not in "iuf":
            raise TableError(
                f"--table {self.path} holds values of type {data.dtype}, not counts. Pass a table of counts."
            )
        self._check_pointers(samples.size, data.shape, indices)
        return samples.size, features.size

    def _check_pointers(self, n_samples: int, data_shape: tuple[int, ...], indices: Any) -> None:
        pointers = self._indptr
        if pointers.shape != (n_samples + 1,):
            raise self._misfit(f"{pointers.size:,} row pointers for {n_samples:,} samples")
        if indices.dtype.kind not in "iu" or indices.shape != data_shape or len(data_shape) != 1:
            raise self._misfit(f"values of shape {data_shape} with feature numbers of {indices.shape} {indices.dtype}")
        if pointers[0] != 0 or pointers[-1] != data_shape[0] or (np.diff(pointers) < 0).any():
            raise self._misfit(f"row pointers that do not rise from 0 to the {data_shape[0]:,} values")

    def _refuse(self, problem: str) -> None:
        """Count a problem over the whole table, and say in which samples it is."""
        n_bad, rows = 0, []
        for start, block in self._raw_blocks():
            is_bad = _PROBLEMS[problem](block.data)
            n_bad += int(is_bad.sum())
            rows += (
                start + np.unique(np.repeat(np.arange(len(block.indptr) - 1), np.diff(block.indptr))[is_bad])
            ).tolist()
        names = [name for block in self.ids("sample") for name in block]
        samples = [names[row] for row in rows]
        raise TableError(
            f"{n_bad:,} of {self._indptr[-1]:,} values in --table {self.path} are {problem}, in {len(samples):,} samples: "
            f"{name_some(samples)}. Counts of reads are needed; relative abundances and other transformed values are "
            "refused. Pass the table as it was before it was transformed."
        )

    def _misfit(self, reason: str) -> TableError:
        return TableError(f"--table {self.path}: the matrix does not fit its ids ({reason}). Write the table anew.")

    def _damage(self, error: Exception) -> TableError:
        return TableError(f"--table {self.path} is a damaged HDF5 file ({error}). Copy it again.")


def read_table(path: Path) -> CountTable:
    """Read a whole BIOM 2.1 table into memory; samples without reads are kept.

    Raises
    ------
    TableError
        The file is not a table that `BiomFile` reads, or holds duplicate ids.
    """
    with BiomFile(path) as file:
        samples, features = ([name for block in file.ids(axis) for name in block] for axis in ("sample", "observation"))
        refuse_duplicates("samples", samples)
        refuse_duplicates("features", features)
        counts = csr_array(vstack(list(file.blocks()), format="csr"))
    return CountTable(samples, features, counts)


def refuse_duplicates(kind: str, ids: Sequence[str]) -> None:
    """Refuse ids that occur more than once.

    Raises
    ------
    TableError
        An id does.
    """
    places = NameIndex(hash_names(ids)).duplicates()
    if len(places):
        names = sorted({ids[int(place)] for place in places})
        raise TableError(
            f"{len(names):,} ids of {kind} occur more than once in --table: {name_some(names)}. Make the ids unique."
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
