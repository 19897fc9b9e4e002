"""Know what R prints to a terminal or a file: distances as a triangle, tables in several blocks, phyloseq and tibbles."""

import re
from collections.abc import Sequence
from itertools import islice

_WRITE = "write.table({what}, 'x.tsv', sep = '\\t', quote = FALSE, col.names = NA)"

_DISTANCES = (
    "is a triangle of distances, as R prints them, rounded. Write the matrix itself, in R, where d has the distances: "
    + _WRITE.format(what="as.matrix(d)")
    + "."
)

_BLOCKS = (
    "is what R prints of a table, in several blocks of columns, one below the other. Write the table itself, in R, where x is the "
    "table: " + _WRITE.format(what="x") + "."
)

_PHYLOSEQ = (
    "is what R prints of a phyloseq object. Write the table itself, in R, where x is the object: "
    + _WRITE.format(what="otu_table(x)")
    + "; of its other parts, tax_table(x) or as(sample_data(x), 'data.frame') in the place of otu_table(x)."
)

_TIBBLE = (
    "is what R prints of a tibble, often its first rows only. Write all of it, in R, where x is the tibble: "
    + "write.table(x, 'x.tsv', sep = '\\t', quote = FALSE, row.names = FALSE)."
)

_OF_PHYLOSEQ = re.compile(r"(OTU Table|Taxonomy Table|Sample Data):\s+\[|phyloseq-class experiment-level object")

_OF_TIBBLE = re.compile(r"#\s*A tibble: [\d,]+ [x\u00d7] \d+")

_LOOKED_AT = 5000  # lines


def describe_printed(text: str) -> str | None:
    r"""Say what a text is that R has printed.

    Parameters
    ----------
    text
        Its beginning.

    Returns
    -------
    The end of a sentence that begins with the name of the file, and the advice; None for all other files.

    Examples
    --------
    >>> describe_printed("   A   B\nB 0.1\nC 0.2 0.3\n")[:25]
    'is a triangle of distance'
    >>> describe_printed("   A   B\nx 1 2\ny 3 4\n") is None
    True
    """
    if _OF_PHYLOSEQ.match(text.lstrip()):
        return _PHYLOSEQ
    if _OF_TIBBLE.match(text.lstrip()):
        return _TIBBLE
    lines = list(islice((line for line in text.split("\n") if line.strip()), _LOOKED_AT))
    if len(lines) < 3 or any("\t" in line for line in lines[:3]):
        return None
    rows = [line.split() for line in lines]
    if _is_triangle(rows):
        return _DISTANCES
    return _BLOCKS if _is_in_blocks(lines, rows) else None


def _is_triangle(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether rows are of distances without a diagonal: the second has one number, the third two."""
    names, first, second = rows[:3]
    if len(names) < 2 or len(first) != 2 or len(second) != 3 or first[0] != names[1]:
        return False
    return all(map(_is_number, [*first[1:], *second[1:]])) and (len(names) < 3 or second[0] == names[2])


def _is_in_blocks(lines: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Return whether a line of names alone follows rows, and the names of the rows begin anew below it."""
    n_columns = len(rows[0])
    if len(rows[1]) != n_columns + 1:
        return False
    second = next((k for k in range(2, len(lines) - 1) if lines[k][0] == " " and rows[k + 1][0] == rows[1][0]), None)
    if second is None or len(rows[second + 1]) != len(rows[second]) + 1:
        return False
    of_rows = [row[0] for row in rows[1:second]]
    return [row[0] for row in rows[second + 1 : 2 * second]] == of_rows[: len(rows) - second - 1]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
