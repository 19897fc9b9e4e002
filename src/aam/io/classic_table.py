"""Feature tables as tab-separated text: one row per feature, one column per sample."""

import logging
import re
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array

from aam.errors import TableError
from aam.io.count_table import CountTable, checked_table

logger = logging.getLogger(__name__)

_FIRST_COLUMNS = ("otuid", "featureid", "asvid", "observationid")
_TAXONOMY_COLUMNS = ("taxonomy", "taxon", "consensuslineage", "lineage")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf|infinity)", re.IGNORECASE | re.ASCII)
_ZEROS = {"0", "0.0"}
_SHOWN = 40  # letters of a cell


def read_classic_table(path: Path, text: str) -> CountTable:
    """Read a table whose header begins with ``#OTU ID``, such as ``biom convert --to-tsv`` writes.

    Comment lines before the header, empty lines, and a last column with the taxonomy are skipped.

    Raises
    ------
    TableError
        There is no header; a row has too few or too many cells, or text in the place of a number; ids or values are not as
        `checked_table` needs them.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    start, header = _find_header(path, lines)
    has_taxonomy = _plain(header[-1]) in _TAXONOMY_COLUMNS
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
    """Give the number of lines up to and with the header, and its cells."""
    for number, line in enumerate(lines, start=1):
        cells = [cell.strip() for cell in line.rstrip().split("\t")]
        if not line.strip() or (len(cells) == 1 and line.startswith("#") and _plain(cells[0]) not in _FIRST_COLUMNS):
            continue
        if _plain(cells[0]) not in _FIRST_COLUMNS:
            raise TableError(
                f"--table {path} is not a feature table: line {number:,} begins with {cells[0][:_SHOWN]!r} instead of '#OTU ID'. "
                "Pass a table with one row per feature, the columns separated by tabs, or a BIOM file."
            )
        if "" in cells:
            raise TableError(f"--table {path}: column {cells.index('') + 1:,} has no sample id. Name it.")
        return number, cells
    raise TableError(f"--table {path} holds comments only. Pass a table with a header that begins with '#OTU ID'.")


def _plain(name: str) -> str:
    return re.sub(r"[\s#_-]", "", name).lower()


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


def _parse(path: Path, place: tuple[int, str], cell: str) -> float:
    number = cell.strip()
    if not _NUMBER.fullmatch(number):
        raise TableError(
            f"--table {path}: line {place[0]:,} has {number[:_SHOWN]!r} instead of a count, in sample {place[1]!r}. "
            "Correct it."
        )
    return float(number)
