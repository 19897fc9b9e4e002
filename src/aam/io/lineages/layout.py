"""Know the columns of a taxonomy: lineages of QIIME 2, mothur and SINTAX, or a column for each rank as R writes them."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from aam.io.lineages.rdp import first_name, lineage_of
from aam.io.lineages.text import RANK_OF_NAME, has_prefixes, known_taxa, split_lineage, without_prefix
from aam.io.text_file import plain_name

ID_HEADERS = (
    "featureid",
    "otuid",
    "id",
    "otu",
    "otus",
    "asv",
    "asvid",
    "feature",
    "sequence",
    "seqid",
    "name",
    "rowname",
    "rownames",
)
"""Names of the column of features, without white space and in lower case."""

LINEAGE_HEADERS = ("taxon", "taxonomy", "lineage", "consensuslineage", "classification", "taxonpath")
"""Names of the column of lineages."""

_NARROWER = ("kingdom",)
"""Names that are no rank of ours beside a column of domains."""

_FEWEST_RANKS = 2

_MOST_BESIDE_LINEAGES = 4  # columns of a table of lineages, with ids and confidences

_MOST_OTHERS = 3
"""Columns beside the ranks in a file that is taken for a taxonomy: ids, confidences; a table of counts has more."""

_STRANDS = ("+", "-", "")

_ROWS = 20

_HEAD = 1000  # lines, of which the first may be comments

_COMMENT = re.compile(r"#[^\t]*$")

Lineage = tuple[str | None, ...]


@dataclass(frozen=True)
class Layout:
    """Columns of a taxonomy.

    Attributes
    ----------
    id_column
        Column of the ids.
    lineage_column
        Column of the lineages; None if each rank has a column.
    rank_columns
        Rank of each column of one.
    cutoff_column
        Column with the part of a lineage that SINTAX is sure of; None if there is none.
    first_name
        Column of the first of several names with rank and confidence, of the RDP classifier; None for other files.
    has_header
        Whether the file has a header.
    """

    id_column: int
    lineage_column: int | None = None
    rank_columns: tuple[tuple[int, int], ...] = ()
    cutoff_column: int | None = None
    first_name: int | None = None
    has_header: bool = True

    @property
    def n_needed(self) -> int:
        """Number of columns that a row must have."""
        return 1 + max(self.id_column, self.first_telling, *(column for column, _ in self.rank_columns))

    @property
    def first_telling(self) -> int:
        """Column of the lineage, or of the first taxon."""
        if self.first_name is not None:
            return self.first_name
        return self.rank_columns[0][0] if self.lineage_column is None else self.lineage_column

    def lineage(self, cells: Sequence[str]) -> Lineage:
        """Return the lineage of a row."""
        if self.first_name is not None:
            return lineage_of(cells, self.first_name)
        if self.lineage_column is None:
            by_rank = {rank: without_prefix(cells[column]) for column, rank in self.rank_columns}
            return known_taxa([by_rank.get(rank, "") for rank in range(max(by_rank) + 1)])
        lineage = split_lineage(cells[self.lineage_column])
        if self.cutoff_column is None or len(cells) <= self.cutoff_column:
            return lineage
        sure = split_lineage(cells[self.cutoff_column])
        return sure if sure == lineage[: len(sure)] else lineage


def split_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the cells of each line that is not empty, split at tabs, or else at commas or semicolons."""
    lines = text.split("\n")
    delimiter = _delimiter([line for line in lines[:_HEAD] if line.strip() and not _COMMENT.match(line)][:2])
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, _cells(line, delimiter)


def _cells(line: str, delimiter: str) -> list[str]:
    cells = line.split("\t") if delimiter == "\t" else next(csv.reader([line], delimiter=delimiter))
    return [_unquoted(cell.strip()).strip() for cell in cells]


def _unquoted(cell: str) -> str:
    return cell[1:-1] if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell


def _delimiter(lines: Sequence[str]) -> str:
    """Return a comma or a semicolon if the header is one of a taxonomy by it, else a tab."""
    for delimiter in ",;" if lines and "\t" not in lines[0] else "":
        header, row = _cells(lines[0], delimiter), _cells(lines[-1], delimiter)
        if len(header) > 1 and header_layout(header, row) is not None:
            return delimiter
    return "\t"


def header_layout(header: Sequence[str], row: Sequence[str]) -> Layout | None:
    """Return the layout that the header of a file says, given the row below it; None if its first row is no header.

    A header of R's ``write.table`` has no cell above the ids.
    """
    if first_name([header]) is not None:
        return None
    shifted = ["", *header] if len(row) == len(header) + 1 else list(header)
    names = [plain_name(name).removeprefix("tax.") for name in shifted]
    ids = [column for column, name in enumerate(names) if name in ID_HEADERS or (not name and column == 0)]
    ranks = _rank_columns(names)
    if len(ranks) >= _FEWEST_RANKS and not {column for column, _ in ranks} >= set(ids or [0]):
        return Layout(ids[0] if ids else 0, rank_columns=ranks)
    lineages = [column for column, name in enumerate(names) if name in LINEAGE_HEADERS]
    if ids and lineages and ids[0] != lineages[0]:
        return Layout(ids[0], lineages[0])
    return None


def bare_layout(rows: Sequence[Sequence[str]]) -> Layout:
    """Return the layout of rows without a header: ids, then lineages, of SINTAX, mothur or others."""
    name_column = first_name(rows)
    if name_column is not None:
        return Layout(0, first_name=name_column, has_header=False)
    has_sizes = all(len(row) > 2 and row[1].isdecimal() and ";" in row[2] for row in islice(rows, _ROWS))
    if has_sizes:  # mothur's .cons.taxonomy, its header cut off
        return Layout(0, 2, has_header=False)
    is_sintax = any(len(row) > 3 and row[2] in _STRANDS and has_prefixes(row[3]) for row in rows)
    return Layout(0, 1, cutoff_column=3 if is_sintax else None, has_header=False)


def looks_like_taxonomy(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the first rows of a file are of SINTAX, RDP, mothur with a header, or have a column for each rank.

    Metadata may have a few ranks, such as those of the host, but not the widest beside the ids of features.
    """
    if not rows or first_name(rows) is not None:
        return bool(rows)
    header, row = (
        [cell.strip('" ') for cell in _split_again(cells)] for cells in (rows[0], rows[1] if len(rows) > 1 else rows[0])
    )
    layout = header_layout(header, row)
    if layout is None:
        return _is_sintax(rows)
    if layout.lineage_column is not None:
        is_narrow = len(header) <= _MOST_BESIDE_LINEAGES  # more are counts
        return (layout.lineage_column == 1 and is_narrow) or [plain_name(name) for name in header] == [
            "otu",
            "size",
            "taxonomy",
        ]
    ranks = {rank for _, rank in layout.rank_columns}
    return (
        {0, 1} <= ranks
        and len(header) <= 2 * len(ranks) + _MOST_OTHERS
        and not plain_name(header[0]).startswith("sample")
    )


def _is_sintax(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether rows have lineages with prefixes, or none, beside a strand."""
    fit = (len(row) > 2 and row[2] in _STRANDS and (not row[1] or has_prefixes(row[1])) for row in rows)
    return all(fit) and any(row[1] for row in rows)


def _split_again(cells: Sequence[str]) -> Sequence[str]:
    return cells if len(cells) > 1 else "".join(cells).split(";")


def _rank_columns(names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Return the columns of ranks, each rank once, and their ranks."""
    has_domain = any(RANK_OF_NAME.get(name) == 0 and name not in _NARROWER for name in names)
    columns: dict[int, int] = {}
    for column, name in enumerate(names):
        if name in RANK_OF_NAME and not (has_domain and name in _NARROWER):
            columns.setdefault(RANK_OF_NAME[name], column)
    return tuple((column, rank) for rank, column in sorted(columns.items()))
