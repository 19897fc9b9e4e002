"""Take the quotes of cells away, as R's ``write.table`` and spreadsheets write them, so that what is compared is the cell."""

import csv
import io
from collections.abc import Iterable

_NEEDS_QUOTES = ("\t", "\n", "\r", '"')


def unquoted(text: str) -> str:
    r"""Return tab-separated text whose cells have no quotes, but for those that would fall apart without.

    Quotes are those of CSV: around a whole cell, a quote in it doubled. As R writes it with ``qmethod = "escape"``, one that has a
    backslash before it is read, too. Text in which quotes are not in pairs is returned as it is, for its reader to refuse.

    Parameters
    ----------
    text
        Text of a table, one row per line.

    Examples
    --------
    >>> unquoted('"id"\t"site"\n"S1"\t"not collected"\n"S2"\t5" gauge\n')
    'id\tsite\nS1\tnot collected\nS2\t"5"" gauge"\n'
    >>> unquoted('id\tnote\nS1\t"a\tb"\n')
    'id\tnote\nS1\t"a\tb"\n'
    """
    if '"' not in text:
        return text
    for escape in (None, "\\"):
        try:
            rows = list(csv.reader(io.StringIO(text, newline=""), dialect="excel-tab", strict=True, escapechar=escape))
        except csv.Error:
            continue
        return "".join(f"{_line(row)}\n" for row in rows)
    return text


def _line(row: Iterable[str]) -> str:
    return "\t".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' if _falls_apart(cell) else cell for cell in row)


def _falls_apart(cell: str) -> bool:
    return any(letter in cell for letter in _NEEDS_QUOTES)
