"""Feature tables in BIOM 2.1 (HDF5): samples × features, sparse, whole counts; read in blocks of samples."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from scipy.sparse import csc_matrix, csr_array

from aam.errors import TableError, name_some
from aam.io.atomic import atomic_path
from aam.io.count_table import PROBLEMS, Axis, CountTable, check_type, no_counts, no_ids
from aam.io.hdf5_file import DAMAGE, check_heaps, describe_damage

_ACCEPTED = (
    "Pass a table in BIOM 2.1 (HDF5), BIOM 1.0 (JSON), tab-separated text or FeatureTable[Frequency] of QIIME 2."
)
_DATASETS = ("sample/ids", "observation/ids", "sample/matrix/data", "sample/matrix/indices", "sample/matrix/indptr")
_CREATED = datetime(1970, 1, 1)  # a fixed date: the same table gives the same file
_IDS_PER_BLOCK = 1 << 12
_VALUES_PER_BLOCK = 1 << 16  # about 3 MB with all that is made of them on the way
_KINDS = {"sample": "samples", "observation": "features"}


class BiomFile:
    """A BIOM 2.1 file, read in blocks of samples; the memory needed does not grow with the table.

    Parameters
    ----------
    path
        What the user named; messages name it.
    file
        Where the HDF5 file is: ``path``, or what was unpacked from it.

    Raises
    ------
    TableError
        The file is not BIOM or is damaged; it has no samples or features; or its matrix does not fit its ids.
    """

    def __init__(self, path: Path, file: Path) -> None:
        import h5py

        self.path = path
        try:
            check_heaps(file)
            self._file: Any = h5py.File(file, "r")  # h5py's own types know no dataset from a group
        except DAMAGE as error:
            raise self._damage(error) from None
        try:
            self.shape = self._check_datasets()
        except DAMAGE as error:  # even the type of a dataset may be damaged
            self._file.close()
            raise self._damage(error) from None
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
            except DAMAGE as error:
                raise self._damage(error) from None

    def blocks(self) -> Iterator[csr_array]:
        """Give the counts of one sample after the other, int64 in blocks of whole samples; no zeros, indices sorted.

        Raises
        ------
        TableError
            A value is not a count, or a feature's number is out of range.
        """
        for start, block in self._raw_blocks():
            for problem, is_bad in PROBLEMS.items():
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
                data, indices = matrix["data"][part], matrix["indices"][part].astype(np.int64)
            except DAMAGE as error:
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
                raise self._not_biom(missing)
            samples, features, data, indices, indptr = (self._file[name] for name in _DATASETS)
            self._indptr = np.asarray(indptr)
        except DAMAGE as error:
            raise self._damage(error) from None
        for dataset, axis in ((samples, "sample"), (features, "observation")):
            if not dataset.size:
                raise no_ids(self.path, _KINDS[axis])
            if len(dataset.shape) != 1:
                raise self._misfit(f"ids of {_KINDS[axis]} in the shape {dataset.shape}")
        check_type(self.path, data.dtype)
        self._check_pointers(samples.size, data.shape or (), indices)
        return samples.size, features.size

    def _check_pointers(self, n_samples: int, data_shape: tuple[int, ...], indices: Any) -> None:
        if self._indptr.dtype.kind not in "iu":
            raise self._misfit(f"row pointers of type {self._indptr.dtype}")
        self._indptr = pointers = self._indptr.astype(np.int64)
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
            is_bad = PROBLEMS[problem](block.data)
            n_bad += int(is_bad.sum())
            rows += (
                start + np.unique(np.repeat(np.arange(len(block.indptr) - 1), np.diff(block.indptr))[is_bad])
            ).tolist()
        names = [name for block in self.ids("sample") for name in block]
        samples = [names[row] for row in rows]
        raise no_counts(self.path, problem, (n_bad, int(self._indptr[-1])), samples)

    def _not_biom(self, missing: list[str]) -> TableError:
        return TableError(f"--table {self.path} is HDF5 but not BIOM: it lacks {name_some(missing)}. {_ACCEPTED}")

    def _misfit(self, reason: str) -> TableError:
        return TableError(f"--table {self.path}: the matrix does not fit its ids ({reason}). Write the table anew.")

    def _damage(self, error: Exception) -> TableError:
        return TableError(describe_damage(self.path, error, "--table"))


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
