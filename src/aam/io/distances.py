"""Read square matrices of distances between samples, computed by other programs."""

import logging
import re
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aam.errors import DistanceError, name_some
from aam.io.archive import HDF5, NPY, read_head
from aam.io.detect import name_other
from aam.io.foreign.cells import split_cells
from aam.io.foreign.phylip import is_phylip, read_phylip
from aam.io.hdf5_file import open_hdf5
from aam.io.ids.advice import mismatch
from aam.io.qza import DISTANCES
from aam.io.text_file import check_readable, read_text

logger = logging.getLogger(__name__)


_NOT_NPY = (ValueError, EOFError, OSError, SyntaxError, tokenize.TokenError, TypeError, OverflowError, MemoryError)
"""Errors that NumPy raises for damaged files; it reads the header as Python."""

_TOLERANCE = 1e-6

_LARGEST = 1e15  # squares of distances are added up in single precision

_FEWEST = 3  # samples up to which all distances may well be the same

_TILE = 2048  # rows and columns checked at a time: 32 MB in float64

_ACCEPTED = (
    "Accepted are .npy (with a file of ids), HDF5 of unifrac's ssu, text with the ids as first row and column, matrices of PHYLIP "
    "and mothur, and DistanceMatrix .qza."
)


@dataclass(frozen=True)
class DistanceMatrix:
    """Distances between all pairs of samples.

    Attributes
    ----------
    ids
        Sample of each row and column, [N].
    values
        Distances, [N, N]: symmetric, not negative, zero on the diagonal; may be a memory map.
    """

    ids: list[str]
    values: np.ndarray

    def select(self, sample_ids: Sequence[str]) -> np.ndarray:
        """Return the rows of samples in the matrix, in the order given, int64 [n].

        Raises
        ------
        DistanceError
            A sample is not in the matrix.

        Examples
        --------
        >>> DistanceMatrix(["S1", "S2"], np.array([[0.0, 1.0], [1.0, 0.0]])).select(["S2", "S1"])
        array([1, 0])
        """
        row_of_id = {name: row for row, name in enumerate(self.ids)}
        missing = [sample_id for sample_id in sample_ids if sample_id not in row_of_id]
        if missing:
            raise DistanceError(
                f"{len(missing):,} of {len(sample_ids):,} samples of the table are not in the distance matrix: "
                f"{name_some(missing)}. Compute --distances for all samples of --table. "
                f"{mismatch(sample_ids, self.ids, 'The matrix')}"
            )
        return np.array([row_of_id[sample_id] for sample_id in sample_ids], dtype=np.int64)


def read_distances(path: Path, ids_path: Path | None = None) -> DistanceMatrix:
    """Read and check a matrix, whose format is told by its content.

    ``.npy`` is memory-mapped, and its ids are the lines of ``ids_path``, or of a file beside it with the same name but the suffix
    .ids, .ids.txt or .txt. HDF5 holds datasets ``order`` and ``matrix`` (or ``matrix:0``), as unifrac's ``ssu`` writes them. Text,
    plain or gzip, has the ids as first row and first column, separated by tabs, commas, semicolons or blanks, or is a matrix of
    PHYLIP or mothur; and so has a QIIME 2 artifact DistanceMatrix.

    Parameters
    ----------
    path
        File of the matrix.
    ids_path
        File with the ids of a ``.npy`` matrix; None for the file beside it.

    Raises
    ------
    DistanceError
        A file is missing or malformed; the matrix is not square, symmetric, finite, non-negative and zero on its diagonal, or is
        the same everywhere; or the ids are not unique, not as many as rows, or not the same in rows and columns.
    """
    kind = _format(path)
    if ids_path is not None and kind != ".npy":
        raise DistanceError(f"--distance-ids is for a .npy matrix; {path} holds its own ids. Leave --distance-ids out.")
    if kind == ".npy":
        ids, values = _read_npy(path, ids_path)
    else:
        ids, values = _read_hdf5(path) if kind == ".h5" else _read_labelled(path)
    _check_shape(path, ids, values)
    ranges = [_check_tile(path, ids, values, tile) for tile in _tiles(len(ids))]
    least, largest = min(low for low, _ in ranges), max(high for _, high in ranges)
    if (len(ids) > 1 and largest <= _TOLERANCE) or (len(ids) > _FEWEST and least == largest):
        raise DistanceError(
            f"--distances {path} holds {max(largest, 0.0):g} for all pairs of its {len(ids):,} samples: there is nothing to learn. "
            "Pass another matrix."
        )
    return DistanceMatrix(ids, values)


def _format(path: Path) -> str:
    """Return .npy, .h5 or .tsv by the first bytes; by the name only of what is neither text nor a format, as if damaged."""
    head = read_head(path, DistanceError, "--distances")
    if head.startswith(NPY) or head == HDF5:
        return ".npy" if head.startswith(NPY) else ".h5"
    suffix = path.suffix.lower().replace(".hdf5", ".h5")
    return suffix if suffix in (".npy", ".h5") and (b"\0" in head or not head[:1].isascii()) else ".tsv"


def _read_npy(path: Path, ids_path: Path | None) -> tuple[list[str], np.ndarray]:
    check_readable(path, DistanceError, "--distances")
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except _NOT_NPY as error:
        raise DistanceError(f"--distances {path} is not a .npy matrix of numbers ({error}). {_ACCEPTED}") from None
    text = read_text(ids_path or _find_ids(path), DistanceError, "--distance-ids")
    return [line.strip() for line in text.splitlines() if line.strip()], values


def _find_ids(path: Path) -> Path:
    """Return the file of ids beside a ``.npy`` matrix."""
    candidates = [path.with_suffix(suffix) for suffix in (".ids", ".ids.txt", ".txt")]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise DistanceError(
        f"--distances {path} has no ids: none of {name_some([candidate.name for candidate in candidates])} is beside it. "
        "Pass --distance-ids, a text file with the sample id of each row."
    )


def _read_hdf5(path: Path) -> tuple[list[str], np.ndarray]:
    check_readable(path, DistanceError, "--distances")
    with open_hdf5(path, path, DistanceError, "--distances") as file:
        name = "matrix" if "matrix" in file else "matrix:0"
        if name not in file or "order" not in file:
            raise DistanceError(
                f"--distances {path} lacks the datasets 'order' and 'matrix'; it holds {name_some(list(file))}. {_ACCEPTED}"
            )
        if "matrix:1" in file:
            logger.warning("--distances %s holds several matrices; only the first, 'matrix:0', is used.", path)
        ids, values = np.asarray(file["order"]).ravel().tolist(), np.asarray(file[name])
    return [item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item) for item in ids], values


def _read_labelled(path: Path) -> tuple[list[str], np.ndarray]:
    text = read_text(path, DistanceError, "--distances", DISTANCES)
    if not text.strip():
        raise DistanceError(f"--distances {path} is empty: it holds no samples. {_ACCEPTED}")
    if is_phylip(text):
        return read_phylip(path, text)
    cells = split_cells(text)
    other = name_other(text, "distances") if cells is None or cells.column(0) != cells.header[1:] else None
    if other is not None:
        raise DistanceError(f"--distances {path} {other}")
    if cells is None:
        raise _unequal(path, text)
    if cells.how:
        logger.info("--distances %s: %s.", path, "; ".join(cells.how))
    rows = [_parse_row(path, row) for row in cells.rows]
    return _same_ids(path, cells.column(0), cells.header[1:]), np.stack(rows)


def _same_ids(path: Path, row_ids: list[str], column_ids: list[str]) -> list[str]:
    """Check that rows and columns have the same ids in the same order; where R changed columns, those of rows count."""
    if row_ids == column_ids:
        return row_ids
    if [_name_of_r(name) for name in row_ids] == column_ids:
        logger.info("--distances %s: R changed the names of its columns, so the ids are read from its rows.", path)
        return row_ids
    different = sorted(set(row_ids).symmetric_difference(column_ids))
    difference = f"only one of them holds {name_some(different)}" if different else "their order or number differs"
    raise DistanceError(
        f"--distances {path}: rows and columns have different ids; {difference}. Write the matrix anew."
    )


def _name_of_r(name: str) -> str:
    """Return what make.names of R makes of a name for a column."""
    changed = re.sub(r"[^\w.]", ".", name)
    return f"X{changed}" if re.match(r"[\d_]|\.\d", changed) else changed


def _unequal(path: Path, text: str) -> DistanceError:
    """Build the error of a text that has not as many cells in each row."""
    lines = [line for line in text.split("\n") if line.strip() and ("\t" in line or not line.startswith("#"))]
    separator = next((separator for separator in "\t,;" if lines and separator in lines[-1]), None)
    if separator is None:
        return DistanceError(
            f"--distances {path} has an unknown format: no row of it has an id and values. {_ACCEPTED}"
        )
    n_columns = lines[0].count(separator)
    wrong = next((line for line in lines[1:] if line.count(separator) != n_columns), lines[-1])
    return DistanceError(
        f"--distances {path}: the row of {wrong.split(separator)[0]!r} holds {wrong.count(separator):,} values, but there are "
        f"{n_columns:,} column ids (the first cell of the first row is empty). Write the matrix anew."
    )


def _parse_row(path: Path, cells: list[str]) -> np.ndarray:
    try:
        return np.array(cells[1:], dtype=np.float64)
    except ValueError as error:
        raise DistanceError(f"--distances {path}: the row of {cells[0]!r} holds text ({error}). Correct it.") from None


def _check_shape(path: Path, ids: list[str], values: np.ndarray) -> None:
    if values.dtype.kind not in "fiu":
        raise DistanceError(f"--distances {path} holds values of type {values.dtype}, not numbers. {_ACCEPTED}")
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        raise DistanceError(
            f"--distances {path} is not square: its shape is {values.shape}. Pass all pairs of samples."
        )
    if not ids:
        raise DistanceError(f"--distances {path} is empty: it holds no samples. Pass a matrix of the table's samples.")
    if len(ids) != len(values):
        raise DistanceError(
            f"--distances {path} has {len(values):,} rows but {len(ids):,} ids. Pass the ids of exactly these rows."
        )
    seen: set[str] = set()
    duplicates = sorted({name for name in ids if name in seen or seen.add(name)})
    if duplicates:
        raise DistanceError(
            f"{len(duplicates):,} ids occur more than once in --distances {path}: {name_some(duplicates)}. "
            "Make the ids unique."
        )


def _tiles(n: int) -> Iterator[tuple[slice, slice]]:
    """Yield tiles of the upper triangle of an n × n matrix, so that a matrix larger than memory can be checked."""
    starts = range(0, n, _TILE)
    for row in starts:
        for column in starts:
            if column >= row:
                yield slice(row, row + _TILE), slice(column, column + _TILE)


def _check_tile(path: Path, ids: list[str], values: np.ndarray, tile: tuple[slice, slice]) -> tuple[float, float]:
    """Check the values of a tile; return the least and the largest distance between its pairs."""
    rows, columns = tile
    block = np.asarray(values[rows, columns], dtype=np.float64)
    mirror = np.asarray(values[columns, rows], dtype=np.float64).T
    is_finite = np.isfinite(block) & np.isfinite(mirror)
    _refuse(path, ids, tile, (~is_finite, "not finite"))
    _refuse(path, ids, tile, ((block < -_TOLERANCE) | (mirror < -_TOLERANCE), "negative"))
    is_different = np.abs(block - mirror) > _TOLERANCE * np.maximum(1.0, np.abs(block))
    _refuse(path, ids, tile, (is_different, "not symmetric"))
    if rows == columns:
        is_far_from_itself = np.eye(len(block), dtype=bool) & (np.abs(block) > _TOLERANCE)
        _refuse(path, ids, tile, (is_far_from_itself, "not zero on the diagonal"))
    _refuse(path, ids, tile, (block > _LARGEST, f"beyond {_LARGEST:g}"))
    pairs = block[~np.eye(len(block), dtype=bool)] if rows == columns else block
    return float(pairs.min(initial=np.inf)), float(pairs.max(initial=-np.inf))


def _refuse(path: Path, ids: list[str], tile: tuple[slice, slice], rule: tuple[np.ndarray, str]) -> None:
    """Raise if any value of a tile is bad; the rule is a mask of bad values, and the problem that they have."""
    is_bad, problem = rule
    if is_bad.any():
        row, column = np.argwhere(is_bad)[0]
        pair = f"{ids[tile[0].start + row]!r} and {ids[tile[1].start + column]!r}"
        raise DistanceError(
            f"--distances {path} is {problem}, first between {pair}. Pass distances, as scikit-bio, QIIME 2 or ssu write them."
        )
