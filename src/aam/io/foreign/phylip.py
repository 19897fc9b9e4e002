"""Read matrices of distances as PHYLIP and mothur write them: a number of samples, and a lower triangle or a square."""

import re
from pathlib import Path

import numpy as np

from aam.errors import DistanceError

_COUNT = re.compile(r"\s*(\d+)\s*(?:\n|$)")

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|nan", re.IGNORECASE | re.ASCII)


def is_phylip(text: str) -> bool:
    r"""Return whether a text begins as a matrix of PHYLIP: a line with the number of names alone, and one with a name.

    Examples
    --------
    >>> is_phylip("2\nS1\nS2\t0.5\n"), is_phylip("2\n3\n")
    (True, False)
    """
    lines = text.lstrip("\n").split("\n", 3)[:3]
    if len(lines) < 2 or _COUNT.fullmatch(lines[0]) is None:
        return False
    n_samples, cells = int(lines[0]), lines[1].split()
    are_numbers = all(map(_NUMBER.fullmatch, cells[1:]))
    if not cells or not are_numbers:
        return False
    n_values = len(cells) - 1
    n_next = len(lines[2].split()) - 1 if len(lines) > 2 else 0
    is_triangle = n_values < 2 and n_next == n_values + 1
    return n_values == n_samples or is_triangle or 1 < n_values < n_samples  # the last goes on in the next line


def read_phylip(path: Path, text: str) -> tuple[list[str], np.ndarray]:
    """Parse a lower triangle, with or without its diagonal, or a square; rows may go on in lines that begin with white space.

    Returns
    -------
    Names, and the symmetric matrix of a triangle or the square as it is, float64 [N, N].

    Raises
    ------
    DistanceError
        The number of rows or of values of a row does not fit, or a value is no number.
    """
    first, *lines = text.lstrip("\n").split("\n")
    n_samples = int(first)
    names: list[str] = []
    rows: list[list[str]] = []
    for line in lines:
        cells = line.split()
        if not cells:
            continue
        if line[0].isspace() and names and all(map(_NUMBER.fullmatch, cells)):
            rows[-1] += cells
        else:
            names.append(cells[0])
            rows.append(cells[1:])
    if len(rows) != n_samples:
        raise DistanceError(
            f"--distances {path} says in its first line that it has {n_samples:,} rows, as PHYLIP and mothur write it, but has "
            f"{len(rows):,}. Write it anew."
        )
    return names, _filled(path, names, rows)


def _filled(path: Path, names: list[str], rows: list[list[str]]) -> np.ndarray:
    """Return the matrix of a square, or of a triangle below it."""
    n_samples = len(rows)
    for offset in (None, 0, 1):
        expected = [n_samples if offset is None else number + offset for number in range(n_samples)]
        if [len(row) for row in rows] == expected:
            break
    else:
        raise DistanceError(
            f"--distances {path} is neither a square nor a lower triangle of PHYLIP: the row of {names[-1]!r}, its last, has "
            f"{len(rows[-1]):,} values for {n_samples:,} names. Write it anew; names must hold no blanks."
        )
    values = np.zeros((n_samples, n_samples))
    for number, (name, row) in enumerate(zip(names, rows, strict=True)):
        try:
            values[number, : len(row)] = np.array(row, dtype=np.float64)
        except ValueError as error:
            raise DistanceError(f"--distances {path}: the row of {name!r} holds text ({error}). Correct it.") from None
    return values if offset is None else values + np.tril(values, -1).T
