"""Bring metadata as R, Excel and others write them into the form of QIIME 2: tabs, and the sample ids first, under a name."""

import csv
import io
import re

from aam.io.foreign.cells import SEPARATORS, Cells, is_row_numbers, split_cells
from aam.io.foreign.loose_table import SAMPLE_NAMES
from aam.io.text_file import plain_name

ID = "sample-id"
"""Name that the column of ids is given."""

_OF_R = re.compile(r"X(\.\d+)?|V1|Unnamed: 0|row\.?names?", re.IGNORECASE)
"""Names that R and pandas give a column of row names."""

_MOST_COMMENTS = 200  # lines before the second row of cells


class MisplacedIdsError(Exception):
    """The sample ids are not in the first column, or it has no name; the message says where they are, and what to do."""


def header_cells(text: str) -> list[str]:
    """Return the cells of the header, split at tabs: of the first line that is no comment and not empty."""
    from skbio.metadata.base import is_id_header

    for line in io.StringIO(text):
        first, *others = (cell.strip() for cell in line.split("\t"))
        if any((first, *others)) and (is_id_header(first) or not first.startswith("#")):
            return [first, *others]
    return [""]


def as_qiime2(text: str) -> tuple[str, list[str], list[str]]:
    r"""Convert metadata of other programs to what QIIME 2 reads.

    What QIIME 2 reads as it is, and what cannot be split into a cell for each column, is not changed.

    Returns
    -------
    The text, with tabs, and the ids first; what was done, as clauses; and what was done of which the user should know, alike.

    Raises
    ------
    MisplacedIdsError
        The header is one cell short, or another column than the first is named as of sample ids.

    Examples
    --------
    >>> as_qiime2('"","age"\n"S1",3\n"S2",4\n')[0]
    'sample-id\tage\nS1\t3\nS2\t4\n'
    """
    from skbio.metadata.base import is_id_header

    header = header_cells(text)
    is_vector = len(header) == 2 and not header[0]  # of alpha diversity
    if (is_id_header(header[0]) and not _may_be_short(text, len(header))) or is_vector:
        return text, [], []
    cells = split_cells(text)
    if cells is None or (is_id_header(header[0]) and not cells.is_short):
        return text, [], []
    found = _find_ids(cells)
    if found is None:
        return text, [], []
    column, doubts, dropped = found
    has_no_name = not (cells.header[0] or doubts or cells.is_short)
    how = cells.how + (["its first column has no name, and is read as the sample ids"] if has_no_name else [])
    order = [column, *(k for k in range(len(cells.header)) if k not in (column, *dropped))]
    if not is_id_header(cells.header[column]):
        cells.header[column] = ID
    return _written(cells, order), how, doubts


def _may_be_short(text: str, n_cells: int) -> bool:
    """Return whether the row below a header has one cell more than it."""
    lines = [line for line in text.split("\n", _MOST_COMMENTS)[:-1] if line.strip() and not line.startswith("#")]
    return len(lines) > 1 and lines[1].count("\t") == n_cells


def _find_ids(cells: Cells) -> tuple[int, list[str], list[int]] | None:
    """Return the column of ids, what is to be said of it, and columns that are left out; None if no column is."""
    from skbio.metadata.base import is_id_header

    header = cells.header
    is_lost = cells.is_short and not (_are_copies(cells, 1) or is_row_numbers(cells.column(0)))
    if is_lost and is_id_header(header[1]):
        return None
    if is_lost:
        raise MisplacedIdsError(
            f"its first row has one cell fewer than the others, as write.table of R leaves it. Name the first column {ID!r}, "
            "or write it with col.names = NA."
        )
    of_copies = _first_of_copies(cells)
    if of_copies is not None:
        return of_copies[0], [], of_copies[1]
    if is_id_header(header[0]):
        return 0, [], []
    named = [index for index, name in enumerate(header) if index and is_id_header(name) and _are_ids(cells, index)]
    if not header[0]:
        return _numbered(cells, named) if is_row_numbers(cells.column(0)) else (0, [], [])
    if len(named) == 1:
        place = "second" if named[0] == 1 else "third" if named[0] == 2 else f"{named[0] + 1:,}th"
        raise MisplacedIdsError(
            f"the first column is named {header[0]!r}, which is not a name for sample ids, but the {place} column, "
            f"{header[named[0]]!r}, is. Move that to the front, or name the first column {ID!r} if it has the ids."
        )
    return None


def _numbered(cells: Cells, named: list[int]) -> tuple[int, list[str], list[int]]:
    """Return what `_find_ids` does where the first column has the row numbers of R, and others are named as of ids."""
    if len(named) != 1:
        return 0, ["its first column has the row numbers of R, and is read as the sample ids"], []
    clause = f"its first column has the row numbers of R, so {cells.header[named[0]]!r} is read as the sample ids"
    return named[0], [clause], [0]


def _first_of_copies(cells: Cells) -> tuple[int, list[int]] | None:
    """Return which of several columns with the same ids is read, and those that are left out; None if there is one such column."""
    from skbio.metadata.base import is_id_header

    header = cells.header
    copies = [index for index in range(1, len(header)) if _are_copies(cells, index)]
    if not copies or not (not header[0] or _OF_R.fullmatch(header[0]) or is_id_header(header[0])):
        return None
    named = [index for index in copies if is_id_header(header[index]) or _is_of_samples(header[index])]
    others = [index for index in copies if _OF_R.fullmatch(header[index])]
    return (named or [0])[0], [*([0] if named else []), *named[1:], *others]


def _is_of_samples(name: str) -> bool:
    """Return whether a column may hold sample ids by its name, in which R writes dots for blanks."""
    return plain_name(name).replace(".", "") in (*SAMPLE_NAMES, "name")


def _are_copies(cells: Cells, index: int) -> bool:
    """Return whether a column has the ids of the first, all of which differ."""
    return cells.column(index) == cells.column(0) and _are_ids(cells, index)


def _are_ids(cells: Cells, index: int) -> bool:
    names = [row[index] for row in cells.rows if not row[0].startswith("#q2:")]
    return all(names) and len(set(names)) == len(names)


def _written(cells: Cells, order: list[int]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, dialect="excel-tab", lineterminator="\n")
    writer.writerows([row[k] for k in order] for row in [cells.header, *cells.rows])
    return text.getvalue()


def advice(text: str) -> str:
    """Return how to name the first column, for a message that it is not named as of sample ids."""
    cells = split_cells(text)
    if cells is None or cells.separator == "\t":
        return f"Name it {ID!r}, and separate the columns by tabs."
    return f"Name the column of sample ids {ID!r}; the columns may be separated by {SEPARATORS[cells.separator]}."
