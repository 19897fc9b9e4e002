"""Read tables of mothur (.shared, .count_table), and name its other files."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from aam.errors import TableError, name_some
from aam.io.count_table import CountTable, SparseRows, checked_table

_NUMBERED = re.compile(r"num(?:otus|asvs|phylos|phylotypes|bins)?", re.IGNORECASE)

_COMPRESSED = "#Compressed Format: groupIndex,abundance"

_REPRESENTATIVE = "representative_sequence"

_PAIR = re.compile(r"(\d+),(\d+)")

_SHOWN = 40

LABEL = "awk 'NR == 1 || $1 == \"{label}\"' {file} > one-label.shared"
"""Command that keeps one label of a .shared file."""


def is_shared(header: Sequence[str]) -> bool:
    """Return whether cells are the header of a .shared file: label, Group, numOtus (or numASVs), and the OTUs.

    Examples
    --------
    >>> is_shared(["label", "Group", "numOtus", "Otu1"])
    True
    """
    return (
        len(header) > 3
        and [cell.lower() for cell in header[:2]] == ["label", "group"]
        and _NUMBERED.fullmatch(header[2]) is not None
    )


def is_count_table(text: str) -> bool:
    """Return whether a text is a .count_table, whole or compressed."""
    return text.startswith(_COMPRESSED) or _first_cells(text)[0].lower() == _REPRESENTATIVE


def _first_cells(text: str) -> list[str]:
    return [cell.strip().strip('"') for cell in text[: text.find("\n") + 1 or None].split("\t")]


def mothur_format(text: str) -> str | None:
    """Return the name of the format of a table of mothur; None for other text."""
    if is_shared(_first_cells(text)):
        return "table of mothur (.shared)"
    return "table of mothur (.count_table)" if is_count_table(text) else None


def read_mothur_table(path: Path, text: str) -> CountTable:
    """Parse a .shared file of one label, or a .count_table of several groups.

    Parameters
    ----------
    path
        The file, for messages.
    text
        Content of the file, of which `mothur_format` knows the format.

    Raises
    ------
    TableError
        The file has several labels or no groups, a row does not fit its header, or `checked_table` refuses ids or values.
    """
    lines = [line.rstrip("\r") for line in text.split("\n")]
    return _read_counts(path, lines) if is_count_table(text) else _read_shared(path, lines)


def _read_shared(path: Path, lines: list[str]) -> CountTable:
    header = [cell.strip() for cell in lines[0].rstrip().split("\t")]
    labels: dict[str, None] = {}
    samples, rows = [], SparseRows(len(header) - 3)
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        label, sample, *cells = [cell.strip() for cell in line.rstrip().split("\t")] + ([] if "\t" in line else [""])
        labels[label] = None
        samples.append(sample)
        rows.add(_numbers(path, number, cells[1:], len(header) - 3))
    if len(labels) > 1:
        command = LABEL.format(label=next(iter(labels)), file=path.name)
        raise TableError(
            f"--table {path} is a .shared file of mothur with {len(labels):,} labels, each a table of its own: "
            f"{name_some(list(labels))}. Keep one of them: {command}"
        )
    return checked_table(path, samples, header[3:], rows.matrix())


def _numbers(path: Path, number: int, cells: list[str], n_features: int) -> np.ndarray:
    """Return the counts of a row; features after the last cell have none, as in labels with fewer OTUs."""
    values = np.zeros(n_features)
    try:
        values[: len(cells)] = np.array(cells, dtype=np.float64)
    except ValueError:
        raise TableError(
            f"--table {path}: line {number:,} does not hold {n_features:,} counts, as the header of this file of mothur says. "
            "Write it anew."
        ) from None
    return values


def _read_counts(path: Path, lines: list[str]) -> CountTable:
    is_compressed = lines[0].startswith(_COMPRESSED)
    start = next(k for k, line in enumerate(lines) if not line.startswith("#"))
    samples = [cell.strip() for cell in lines[start].rstrip().split("\t")[2:]]
    if not samples:
        raise TableError(
            f"--table {path} is a .count_table of mothur without groups, so it has no samples. Make it anew with the group of "
            "each read: mothur > count.seqs(name=…, group=…)."
        )
    read = _unpacked if is_compressed else _numbers
    features, rows = [], SparseRows(len(samples))
    for number, line in enumerate(lines[start + 1 :], start=start + 2):
        if not line.strip():
            continue
        name, _, *cells = [cell.strip() for cell in line.rstrip().split("\t")] + ([] if "\t" in line else [""])
        features.append(name)
        rows.add(read(path, number, cells, len(samples)))
    return checked_table(path, samples, features, rows.matrix().T.tocsr())


def _unpacked(path: Path, number: int, cells: list[str], n_samples: int) -> np.ndarray:
    """Return the counts of a row of pairs of the number of a sample, from 1, and its count."""
    values = np.zeros(n_samples)
    for cell in cells:
        pair = _PAIR.fullmatch(cell)
        if pair is None or not 1 <= int(pair[1]) <= n_samples:
            raise TableError(
                f"--table {path}: line {number:,} has {cell[:_SHOWN]!r} instead of the number of a group and its abundance, as the "
                "compressed .count_table of mothur has them. Write it anew: mothur > count.seqs(count=…, compress=f)."
            )
        values[int(pair[1]) - 1] = float(pair[2])
    return values


def describe_mothur(rows: Sequence[Sequence[str]], text: str) -> str | None:
    """Say what a file of mothur is that no option takes, and how to convert it.

    Parameters
    ----------
    rows
        Cells of its first lines, split at tabs.
    text
        Its beginning.

    Returns
    -------
    The end of a sentence that begins with the name of the file, and the advice; None for all other files.
    """
    header = [cell.lower() for cell in rows[0]] if rows else [""]
    if header[0] == "label" and len(header) > 1 and _NUMBERED.fullmatch(header[1]):
        return f"is a .list file of mothur, which has no counts. Make a table of it: {_MAKE_SHARED}"
    if len(header) > 2 and header[1].isdigit() and _is_label(header[0]):
        if all(cell.isdigit() for cell in header[2:]):
            return f"is a .rabund or .sabund file of mothur, which has no names. Make a table of the .list file: {_MAKE_SHARED}"
        if _is_list(rows):
            return f"is a .list file of mothur, which has no counts. Make a table of it: {_MAKE_SHARED}"
    if (
        rows
        and all(len(row) == 2 for row in rows)
        and any("," in row[1] and row[0] in row[1].split(",") for row in rows)
    ):
        return "is a .names file of mothur. Make a table with it: mothur > count.seqs(name=…, group=…) gives a .count_table."
    if _is_column_of_distances(rows, text):
        return (
            "is a list of pairs and their distances, such as the column format of mothur. Write the matrix anew: mothur > "
            "dist.shared(shared=…, output=square) for samples, or in R as.matrix(d)."
        )
    return None


_MAKE_SHARED = "mothur > make.shared(list=…, count=…, label=…)."


def _is_label(cell: str) -> bool:
    return cell == "unique" or re.fullmatch(r"[01]?\.\d+", cell) is not None


def _is_list(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether each row tells its label, a number of OTUs, and the reads of as many OTUs."""
    return all(len(row) > 2 and row[1].isdigit() and _is_label(row[0]) for row in rows)


def _is_column_of_distances(rows: Sequence[Sequence[str]], text: str) -> bool:
    cells = [row if len(row) > 1 else row[0].split() for row in rows] if "\t" not in text else rows
    return len(cells) > 1 and all(len(row) == 3 and row[0] != row[1] and _is_distance(row[2]) for row in cells)


def _is_distance(cell: str) -> bool:
    return re.fullmatch(r"\d*\.\d+(?:e-?\d+)?|0|1", cell, re.IGNORECASE) is not None
