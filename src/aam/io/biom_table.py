"""Feature tables in BIOM 2.1 (HDF5), with whole counts, samples × features; read in blocks of samples."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from scipy.sparse import csc_matrix, csr_array

from aam.errors import TableError, name_some
from aam.io.biom_matrix import PARTS, BiomMatrix, Fingerprint, MisfitError, check_columns
from aam.io.count_table import PROBLEMS, Axis, CountTable, check_depths, check_sample_ids, check_type, no_counts, no_ids
from aam.io.hdf5_file import DAMAGE, check_heaps, describe_damage, limit_cache
from aam.storage.atomic import atomic_path

_ACCEPTED = (
    "Pass a table in BIOM 2.1 (HDF5), BIOM 1.0 (JSON), tab-separated text or FeatureTable[Frequency] of QIIME 2."
)

_BY_SAMPLE, _BY_FEATURE = "sample/matrix", "observation/matrix"

_DATASETS = ("sample/ids", "observation/ids", *(f"{_BY_SAMPLE}/{part}" for part in PARTS))

_CREATED = datetime(1970, 1, 1)  # a fixed date: the same table gives the same file

_IDS_PER_BLOCK = 1 << 12

_KINDS = {"sample": "samples", "observation": "features"}


class BiomFile:
    """A BIOM 2.1 file, read in blocks of samples; the memory needed does not grow with the table.

    Parameters
    ----------
    path
        Path that the user named, for messages.
    file
        Path of the HDF5 file: ``path``, or the file that was unpacked from it.

    Raises
    ------
    TableError
        The file is not BIOM or is damaged; it has no samples or features; or its matrix does not fit its ids.
    """

    remarks: tuple[str, ...] = ()

    def __init__(self, path: Path, file: Path) -> None:
        import h5py

        self.path = path
        with self._explained():
            check_heaps(file)
            self._file: Any = h5py.File(file, "r")  # h5py's own types know no dataset from a group
            limit_cache(self._file)
        try:
            with self._explained():  # even the type of a dataset may be damaged
                self.shape = self._check_ids()
                self._matrix = self._open(_BY_SAMPLE, self.shape)
                check_type(path, self._matrix.data.dtype)
                self._other = (
                    self._open(_BY_FEATURE, (self.shape[1], self.shape[0])) if _BY_FEATURE in self._file else None
                )
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
        """Yield the ids of an axis, block by block.

        Raises
        ------
        TableError
            An id is not UTF-8, or is a sample id that metadata cannot hold.
        """
        dataset = self._file[f"{axis}/ids"]
        for start in range(0, dataset.shape[0], _IDS_PER_BLOCK):
            with self._explained():
                names = np.asarray(dataset[start : start + _IDS_PER_BLOCK]).ravel().tolist()
            try:
                decoded = [name.decode("utf-8") if isinstance(name, bytes) else str(name) for name in names]
            except UnicodeDecodeError:
                raise TableError(
                    f"--table {self.path}: an id is not UTF-8 text. Rename it and write the table anew."
                ) from None
            if axis == "sample":
                check_sample_ids(self.path, decoded)
            yield decoded

    def blocks(self) -> Iterator[csr_array]:
        """Yield the counts in blocks of whole samples, samples × features, int64, without zeros, indices sorted.

        Raises
        ------
        TableError
            A value is not a count, a feature's number is out of range, or, after the last block, the counts by feature, which the
            file holds as well, differ from those by sample.
        """
        by_sample = Fingerprint()
        with self._explained():
            for start, block in self._matrix.blocks():
                for problem, is_bad in PROBLEMS.items():
                    if is_bad(block.data).any():
                        self._refuse(problem)
                check_columns(start, block)
                counts = csr_array((block.data.astype(np.int64), block.indices, block.indptr), shape=block.shape)
                counts.sum_duplicates()
                counts.eliminate_zeros()
                check_depths(self.path, counts)
                by_sample.add(start, counts, (self.shape[1], 1))
                yield counts
            if self._other is not None:
                self._compare(by_sample, self._other)
                self._other = None  # once is enough

    def _compare(self, by_sample: Fingerprint, other_matrix: BiomMatrix) -> None:
        """Raise if the matrix of features holds other counts than that of samples."""
        by_feature = Fingerprint()
        for start, block in other_matrix.blocks():
            check_columns(start, block)
            block.sum_duplicates()
            block.eliminate_zeros()
            by_feature.add(start, block, (1, self.shape[1]))
        if by_sample != by_feature:
            raise TableError(
                f"--table {self.path} contradicts itself: {_BY_SAMPLE} holds {by_sample.n_values:,} counts that sum to "
                f"{by_sample.total:,.0f}, {_BY_FEATURE} {by_feature.n_values:,} others that sum to {by_feature.total:,.0f}. "
                f"Export or make it again. If {_BY_SAMPLE}, which biom-format and QIIME 2 read, is right, this writes both from "
                "it: biom convert --to-hdf5 --table-type 'OTU table' -i TABLE -o NEW."
            )

    def _check_ids(self) -> tuple[int, int]:
        """Check the datasets of the file; return the number of samples and of features."""
        import h5py

        missing = [name for name in _DATASETS if not isinstance(self._file.get(name), h5py.Dataset)]
        if missing:
            raise self._not_biom(missing)
        for axis, kind in _KINDS.items():
            dataset = self._file[f"{axis}/ids"]
            if not dataset.size:
                raise no_ids(self.path, kind)
            if len(dataset.shape) != 1:
                raise MisfitError(f"ids of {kind} in the shape {dataset.shape}")
        return self._file["sample/ids"].size, self._file["observation/ids"].size

    def _open(self, name: str, shape: tuple[int, int]) -> BiomMatrix:
        try:
            return BiomMatrix.open(self._file[name], shape)
        except MisfitError as reason:
            raise MisfitError(f"{name}: {reason}") from None

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Raise errors of damage as `TableError` that names the file."""
        try:
            yield
        except MisfitError as reason:
            raise TableError(
                f"--table {self.path}: the matrix does not fit its ids ({reason}). Write the table anew."
            ) from None
        except DAMAGE as error:
            raise TableError(describe_damage(self.path, error, "--table")) from None

    def _refuse(self, problem: str) -> None:
        """Count a problem over the whole table, and raise with the samples that have it."""
        n_bad, rows = 0, []
        for start, block in self._matrix.blocks():
            is_bad = PROBLEMS[problem](block.data)
            n_bad += int(is_bad.sum())
            rows += (
                start + np.unique(np.repeat(np.arange(len(block.indptr) - 1), np.diff(block.indptr))[is_bad])
            ).tolist()
        names = [name for block in self.ids("sample") for name in block]
        samples = [names[row] for row in rows]
        raise no_counts(self.path, problem, (n_bad, int(self._matrix.pointers[-1])), samples)

    def _not_biom(self, missing: list[str]) -> TableError:
        return TableError(f"--table {self.path} is HDF5 but not BIOM: it lacks {name_some(missing)}. {_ACCEPTED}")


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
