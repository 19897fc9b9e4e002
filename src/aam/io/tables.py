"""Read feature tables in all formats, detected by content; BIOM 1.0 (JSON) and text are parsed here."""

import io
import json
import logging
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import coo_array, csr_array, vstack

from aam.errors import TableError, name_some
from aam.io.biom_table import BiomFile
from aam.io.count_table import CountTable, Table, checked_table, refuse_duplicates
from aam.io.detect import name_other
from aam.io.foreign.cells import split_cells
from aam.io.foreign.loose_table import TAXONOMY_NAMES, is_beside_counts, read_loose_table
from aam.io.foreign.mothur import mothur_format, read_mothur_table
from aam.io.qza import TABLE, payload
from aam.io.text_file import as_utf8, plain_name, read_plain_or_gzip

logger = logging.getLogger(__name__)


_LONE_SURROGATE = re.compile("[\ud800-\udfff]")  # which JSON can write, and UTF-8 cannot

_KEYS = ("rows", "columns", "data", "matrix_type")

_FIRST_COLUMNS = ("otuid", "featureid", "asvid", "observationid")

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf|infinity)", re.IGNORECASE | re.ASCII)

_ZEROS = {"0", "0.0"}

_SHOWN = 40  # letters of a cell

ACCEPTED = (
    "Pass BIOM 2.1 (HDF5), BIOM 1.0 (JSON), tab-separated text with '#OTU ID', or a FeatureTable[Frequency] (.qza)."
)


def read_json_table(path: Path, text: str) -> CountTable:
    """Parse a BIOM 1.0 table, whose rows are features and columns samples.

    Parameters
    ----------
    path
        The file, for messages.
    text
        Content of the file.

    Raises
    ------
    TableError
        The text is not JSON or not a BIOM table; or ids or values are refused by `checked_table`.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TableError(f"--table {path} begins like BIOM 1.0 but is not JSON ({error}). Copy it again.") from None
    missing = [key for key in _KEYS if key not in content]
    if missing:
        raise TableError(
            f"--table {path} is JSON but not BIOM 1.0: it lacks {name_some(missing)}. Pass a feature table."
        )
    feature_ids, sample_ids = _ids(path, content["rows"]), _ids(path, content["columns"])
    shape = (len(feature_ids), len(sample_ids))
    matrix_type = _alone(content["matrix_type"])
    if matrix_type == "sparse":
        rows, columns, values = _sparse(path, content["data"], shape)
        matrix = coo_array((values, (columns, rows)), shape=shape[::-1]).tocsr()
    elif matrix_type == "dense":
        matrix = csr_array(_numbers(path, content["data"], shape).T)
    else:
        raise TableError(f"--table {path}: matrix_type {matrix_type!r} is neither 'sparse' nor 'dense'. Correct it.")
    table = checked_table(path, sample_ids, feature_ids, matrix)
    stated = content.get("shape", list(shape))
    if stated == list(shape):
        return table
    remark = f"its 'shape' is {str(stated)[:_SHOWN]}, but it names {shape[0]:,} features and {shape[1]:,} samples, which are read."
    return replace(table, remarks=(remark,))


def _ids(path: Path, items: Any) -> list[str]:
    """Return the ids of rows or columns; numbers become text, as biom-format reads them, and R writes text as an array of one."""
    try:
        ids = [_alone(item["id"]) for item in items]
    except (TypeError, KeyError):
        ids = [None]
    names = [name for name in map(_as_name, ids) if name is not None]
    if len(names) < len(ids) or any(map(_LONE_SURROGATE.search, names)):
        wrong = next((name for name in ids if _as_name(name) is None), "damaged text")
        raise TableError(
            f"--table {path}: a row or column has no 'id' that is text or a number, but {str(wrong)[:_SHOWN]!r}. Give each a name, "
            "and write the table anew."
        )
    return names


def _alone(value: Any) -> Any:
    """Return the only item of an array of one, as R writes a single value, and other values as they are."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value


def _as_name(value: Any) -> str | None:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return value if isinstance(value, str) else str(value) if is_number else None


def _sparse(path: Path, data: Any, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Check entries of (row, column, value); return the rows, the columns and the values."""
    if data == []:
        empty = np.empty(0, dtype=np.int64)
        return empty, empty, empty
    entries = _numbers(path, data, (len(data) if isinstance(data, list) else 0, 3))
    rows, columns, values = entries.T
    for indices, n in ((rows, shape[0]), (columns, shape[1])):
        is_outside = ~((indices >= 0) & (indices < n) & (indices == np.floor(indices)))
        if is_outside.any():
            raise TableError(
                f"--table {path}: {is_outside.sum():,} entries lie outside of its {shape[0]:,} features and {shape[1]:,} samples, "
                f"first at {indices[is_outside][0]:g}. Write the table anew."
            )
    return rows.astype(np.int64), columns.astype(np.int64), values


def _numbers(path: Path, data: Any, shape: tuple[int, int]) -> np.ndarray:
    """Convert nested lists to an array of numbers, and check its shape."""
    try:
        numbers = np.array(data)
    except (ValueError, OverflowError):
        numbers = np.array(None)
    if numbers.size == 0:
        numbers = np.zeros(shape, dtype=np.int64) if 0 in shape else numbers.astype(np.int64)
    if numbers.shape != shape or numbers.dtype.kind not in "iuf":
        raise TableError(
            f"--table {path}: its data are not {shape[0]:,} × {shape[1]:,} numbers, as its ids and matrix_type say. "
            "Write the table anew."
        )
    return numbers


def read_classic_table(path: Path, text: str) -> CountTable:
    """Parse a table whose header begins with ``#OTU ID``, such as ``biom convert --to-tsv`` writes.

    Comment lines before the header, empty lines, and a last column with the taxonomy are skipped.

    Parameters
    ----------
    path
        The file, for messages.
    text
        Content of the file.

    Raises
    ------
    TableError
        There is no header; a row has too few or too many cells, or text in the place of a number; or ids or values are refused
        by `checked_table`.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    start, header = _find_header(path, lines)
    has_taxonomy = plain_name(header[-1]) in TAXONOMY_NAMES
    if has_taxonomy:
        logger.info("--table %s: its last column, %r, is not read.", path, header[-1])
    n_samples = len(header) - 1 - has_taxonomy
    feature_ids: list[str] = []
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    for number, line in enumerate(lines[start:], start=start + 1):
        if not line.strip():
            continue
        cells = _split_row(path, number, line, len(header))
        for column, cell in enumerate(cells[1 : 1 + n_samples]):
            if cell not in _ZEROS:
                rows.append(len(feature_ids))
                columns.append(column)
                values.append(_parse(path, (number, header[1 + column]), cell))
        feature_ids.append(cells[0].strip())
    shape = (n_samples, len(feature_ids))
    matrix = coo_array((np.array(values, dtype=np.float64), (columns, rows)), shape=shape).tocsr()
    return checked_table(path, header[1 : 1 + n_samples], feature_ids, matrix)


def _find_header(path: Path, lines: list[str]) -> tuple[int, list[str]]:
    """Return the number of lines up to and with the header, and the cells of the header."""
    for number, line in enumerate(lines, start=1):
        cells = [cell.strip() for cell in line.rstrip().split("\t")]
        if not line.strip() or (
            len(cells) == 1 and line.startswith("#") and plain_name(cells[0]) not in _FIRST_COLUMNS
        ):
            continue
        if plain_name(cells[0]) not in _FIRST_COLUMNS:
            raise TableError(
                f"--table {path} is not a feature table: line {number:,} begins with {cells[0][:_SHOWN]!r} instead of '#OTU ID'. "
                "Pass a table with one row per feature, the columns separated by tabs, or a BIOM file."
            )
        if "" in cells:
            raise TableError(f"--table {path}: column {cells.index('') + 1:,} has no sample id. Name it.")
        return number, cells
    raise TableError(f"--table {path} holds comments only. Pass a table with a header that begins with '#OTU ID'.")


def _split_row(path: Path, number: int, line: str, n_cells: int) -> list[str]:
    cells = line.split("\t")
    while len(cells) > n_cells and not cells[-1].strip():
        cells.pop()
    if len(cells) != n_cells:
        raise TableError(
            f"--table {path}: line {number:,} has {len(cells):,} cells, but the header {n_cells:,}. Separate the columns by tabs."
        )
    if not cells[0].strip():
        raise TableError(f"--table {path}: line {number:,} has no feature id. Give it one.")
    return cells


def _parse(path: Path, line_and_sample: tuple[int, str], cell: str) -> float:
    number = cell.strip()
    if not _NUMBER.fullmatch(number):
        line, sample = line_and_sample
        raise TableError(
            f"--table {path}: line {line:,} has {number[:_SHOWN]!r} instead of a count, in sample {sample!r}. "
            "Correct it."
        )
    return float(number)


def _read_text_table(path: Path, text: str) -> CountTable:
    """Parse a table of text: a classic one, one of mothur, or what R and others write."""
    if mothur_format(text) is not None:
        return read_mothur_table(path, text)
    header = _classic_header(text)
    others = header[:-1] if header and plain_name(header[-1]) in TAXONOMY_NAMES else header
    if header and not any(map(is_beside_counts, others)):
        return read_classic_table(path, text)
    other = None if header else name_other(text, "table")
    if other is not None:
        raise TableError(f"--table {path} {other}")
    cells = split_cells(text)
    return read_classic_table(path, text) if cells is None else read_loose_table(path, cells)


def _classic_header(text: str) -> list[str]:
    """Return the header of a table whose first column is named ``#OTU ID``, separated by tabs; nothing for other text."""
    for line in io.StringIO(text):
        cells = [cell.strip() for cell in line.split("\t")]
        if line.strip() and not (len(cells) == 1 and line.startswith("#")):
            return cells if plain_name(cells[0]) in _FIRST_COLUMNS else []
        if line.strip() and plain_name(line) in _FIRST_COLUMNS:
            return cells
    return []


_TEXT_FORMATS = {b"{": read_json_table}
"""Parsers of text by its first byte; other text has rows of cells."""


@contextmanager
def open_table(path: Path) -> Iterator[Table]:
    """Open a table of counts, to be read block by block; samples without reads are kept.

    Only HDF5 is read in blocks; other formats are read into memory whole. Accepted are BIOM 2.1 (HDF5), BIOM 1.0 (JSON) and
    text, the last two plain or gzip, and each of them in a QIIME 2 artifact FeatureTable[Frequency]. Text is tab-separated with
    ``#OTU ID`` as first column, or as mothur, R and DADA2 write it.

    Raises
    ------
    TableError
        The file is missing, damaged or in another format; it has no samples or features, duplicate ids, or values that are not
        counts (negative, fractional or not finite).
    """
    import h5py

    with payload(path, TABLE, TableError, "--table") as file:
        if h5py.is_hdf5(file):
            with BiomFile(path, file) as table:
                yield table
            return
        content = read_plain_or_gzip(path, file, TableError, "--table")
    try:
        text = as_utf8(content).decode("utf-8-sig").lstrip("\r\n ")
    except UnicodeDecodeError:
        raise TableError(
            f"--table {path} is neither HDF5 nor UTF-8 text: it is damaged or in another format. {ACCEPTED}"
        ) from None
    if not text.strip():
        raise TableError(f"--table {path} is empty. {ACCEPTED}")
    yield _TEXT_FORMATS.get(text.lstrip()[0].encode(), _read_text_table)(path, text)


def read_table(path: Path) -> CountTable:
    """Read a whole table of counts into memory; formats and errors are those of `open_table`.

    Raises
    ------
    TableError
        As in `open_table`.
    """
    with open_table(path) as table:
        if isinstance(table, CountTable):
            return table
        samples = [name for block in table.ids("sample") for name in block]
        features = [name for block in table.ids("observation") for name in block]
        refuse_duplicates("samples", samples)
        refuse_duplicates("features", features)
        return CountTable(samples, features, csr_array(vstack(list(table.blocks()), format="csr")))
