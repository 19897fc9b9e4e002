"""Write a tab-separated table that opens as QIIME 2 metadata."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from aam.io.atomic import atomic_path


def write_tsv(path: Path, columns: Mapping[str, Sequence | np.ndarray]) -> None:
    """Write columns of equal length; with ``sample-id`` as the first, the table opens as QIIME 2 metadata.

    Floats keep 9 significant digits, None and NaN become empty cells, and cells with tabs, quotes or line ends are quoted.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, dialect="excel-tab", lineterminator="\n")
        writer.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            writer.writerow([_format(value) for value in row])


def _format(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float | np.floating):
        return "" if math.isnan(value) else f"{value:.9g}"
    return str(value)
