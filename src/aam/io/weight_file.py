"""Read how much each class counts."""

import csv
import math
from pathlib import Path

from aam.errors import MetadataError, name_some
from aam.io.text_file import read_text

CLASS, WEIGHT = "class", "weight"


def read_class_weights(path: Path) -> dict[str, float]:
    """Give the weight of each class that a file lists.

    Raises
    ------
    MetadataError
        The file cannot be read, lacks a column, lists a class twice, or a weight is not a number above 0.
    """
    rows = [
        row
        for row in csv.reader(read_text(path, MetadataError, "--class-weights").splitlines(), dialect="excel-tab")
        if row
    ]
    header = [cell.strip() for cell in rows[0]] if rows else []
    if not {CLASS, WEIGHT} <= set(header):
        raise MetadataError(
            f"--class-weights {path}: expected tab-separated columns '{CLASS}' and '{WEIGHT}'; found "
            f"{name_some(header) or 'nothing'}."
        )
    name, weight = header.index(CLASS), header.index(WEIGHT)
    found: dict[str, float] = {}
    for number, row in enumerate(rows[1:], start=2):
        cells = [cell.strip() for cell in row] + [""] * len(header)
        if cells[name] in found:
            raise MetadataError(f"--class-weights {path} lists {cells[name]!r} twice: keep one row of it.")
        found[cells[name]] = _weight(path, number, cells[weight])
    return found


def _weight(path: Path, row: int, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise MetadataError(f"--class-weights {path}: row {row} has the weight {cell!r}, which is no number above 0.")
    return value
