"""Split text into cells whatever separates its columns: tabs, commas, semicolons or blanks, with or without quotes."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

SEPARATORS = {"\t": "tabs", ",": "commas", ";": "semicolons", " ": "blanks"}
"""What may separate columns, with its name: tabs if they fit, blanks if nothing else does, else what gives most columns."""

_LOOKED_AT = 100  # lines by which the separator is chosen

_DECIMAL_COMMA = re.compile(r"-?\d*,\d+(?:[eE][-+]?\d+)?")

_WHOLE_OR_EMPTY = re.compile(r"-?\d+(?:[eE][-+]?\d+)?|NA|NaN|")


@dataclass(frozen=True)
class Cells:
    """A text as a header and rows of cells, without white space at the ends of cells.

    Attributes
    ----------
    header
        Names of the columns. Where `is_short`, an empty name was put before them.
    rows
        Cells of each row, as many as the header has.
    separator
        What separates the columns.
    is_short
        Whether the first line had one cell fewer than the others, as ``write.table`` of R leaves it.
    """

    header: list[str]
    rows: list[list[str]]
    separator: str
    is_short: bool

    def column(self, index: int) -> list[str]:
        """Return the cells of a column."""
        return [row[index] for row in self.rows]

    def without(self, columns: Sequence[int]) -> "Cells":
        """Return the cells but for some columns."""
        if not columns:
            return self
        kept = [index for index in range(len(self.header)) if index not in columns]
        rows = [[row[index] for index in kept] for row in self.rows]
        return replace(self, header=[self.header[index] for index in kept], rows=rows)

    @property
    def how(self) -> list[str]:
        """Remarks on how the text was read, where it has not one name for each column and tabs between them, as clauses."""
        clauses = []
        if self.separator != "\t":
            clauses.append(f"its columns are separated by {SEPARATORS[self.separator]}")
        if self.is_short:
            clauses.append("its first row has one cell fewer than the others, as write.table of R leaves it")
        return clauses


def split_cells(text: str) -> Cells | None:
    r"""Split a text into cells, whose separator is found by counting; None where no separator gives each row as many cells.

    Comments, which begin with '#' and do not have as many cells, are left out, and so are empty lines.

    Examples
    --------
    >>> cells = split_cells('"S1";"S2"\n"F1";1;0,5\n')
    >>> cells.header, cells.rows
    (['', 'S1', 'S2'], [['F1', '1', '0.5']])
    """
    lines = list(islice((line for line in io.StringIO(text) if line.strip()), _LOOKED_AT))
    separators = ["\t"] if all("\t" in line for line in lines) else list(SEPARATORS)
    found = [(separator, _fit(lines, separator)) for separator in separators]
    fitting = [(separator, fit) for separator, fit in found if fit is not None]
    if not fitting:
        return None
    separator, (n_columns, is_short) = max(fitting, key=_preference)
    try:
        rows = list(_rows(io.StringIO(text, newline=""), separator))
    except csv.Error:
        return None
    header, *others = _without_comments(rows, n_columns, is_short)
    if any(len(row) != n_columns for row in others):
        return None
    header = ["", *header] if is_short else header
    cells = Cells(header, others, separator, is_short)
    return _with_points(cells) if separator == ";" else cells


def _preference(found: tuple[str, tuple[int, bool]]) -> tuple[bool, bool, int]:
    separator, (n_columns, is_short) = found
    return separator == "\t", separator != " ", n_columns - is_short


def _rows(lines: Sequence[str] | io.StringIO, separator: str) -> Iterator[list[str]]:
    """Yield the cells of each row that has any."""
    for row in csv.reader(lines, delimiter=separator, skipinitialspace=separator == " "):
        cells = [cell.strip() for cell in row]
        if any(cells):
            yield cells


def _fit(lines: list[str], separator: str) -> tuple[int, bool] | None:
    """Return the number of cells of each row, and whether the header has one fewer; None if rows differ."""
    try:
        rows = list(_rows(lines[:-1] if len(lines) == _LOOKED_AT else lines, separator))  # the last may go on
    except csv.Error:
        return None
    if len(rows) < 2:
        return None
    n_cells = len(rows[-1])
    for is_short in (False, True):
        if n_cells < 2:
            return None
        header, *others = _without_comments(rows, n_cells, is_short)
        n_header = len(header) + is_short
        if others and n_header == n_cells and all(len(row) == n_cells for row in others):
            return n_cells, is_short
        n_spare = n_cells - n_header
        if not is_short and n_spare > 0 and all(not any(row[n_header:]) for row in others):
            return None  # cells without a name at the end: the reader of tabs knows them
    return None


def _without_comments(rows: list[list[str]], n_cells: int, is_short: bool) -> list[list[str]]:
    """Leave out comments before the header and between rows."""
    n_header = n_cells - is_short
    start = next((k for k, row in enumerate(rows) if len(row) == n_header or not row[0].startswith("#")), 0)
    return [rows[start], *(row for row in rows[start + 1 :] if len(row) == n_cells or not row[0].startswith("#"))]


def _with_points(cells: Cells) -> Cells:
    """Return the cells with points in the place of decimal commas, in the columns that have them alone."""
    rows = [list(row) for row in cells.rows]
    for index in range(1, len(cells.header)):
        column = cells.column(index)
        has_commas = [_DECIMAL_COMMA.fullmatch(cell) is not None for cell in column]
        if any(has_commas) and all(
            has or _WHOLE_OR_EMPTY.fullmatch(cell) for has, cell in zip(has_commas, column, strict=True)
        ):
            for row in rows:
                row[index] = row[index].replace(",", ".")
    return replace(cells, rows=rows)


def is_row_numbers(names: Sequence[str]) -> bool:
    """Return whether names are the numbers 1, 2, 3 and so on, as R names rows that have no names.

    Examples
    --------
    >>> is_row_numbers(["1", "2"]), is_row_numbers(["0", "1"])
    (True, False)
    """
    return len(names) > 1 and all(name == str(number) for number, name in enumerate(names, start=1))
