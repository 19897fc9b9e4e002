"""Read sample metadata by the rules of QIIME 2, and write tables that QIIME 2 reads as metadata."""

from __future__ import annotations

import csv
import difflib
import io
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from aam.errors import MetadataError, name_some
from aam.io.detect import name_other
from aam.io.foreign.loose_table import SAMPLE_NAMES
from aam.io.foreign.sample_sheet import MisplacedIdsError, advice, as_qiime2, header_cells
from aam.io.quoted_cells import unquoted
from aam.io.qza import METADATA
from aam.io.text_file import plain_name, read_text
from aam.storage.atomic import atomic_path

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)


_COLUMNS_SHOWN = 10

_NAME_SHOWN = 40  # letters; of a file without tabs, the first name is a whole line

_PLACEHOLDER = " (ordinary column)"

_WRONG_HEADER = "Found unrecognized ID column name "

_PREAMBLE = "There was an issue with loading the metadata file:"  # how scikit-bio starts some messages

_ADVICE = "\n\nThere may be more errors"  # how it starts the general advice at the end of all of them


@dataclass(frozen=True)
class Metadata:
    """Metadata of samples.

    Attributes
    ----------
    frame
        One row per sample; the index, "sample-id", holds strings. Numeric columns are float64 with NaN for missing values,
        categorical ones hold strings with None or NaN for missing values.
    """

    frame: pd.DataFrame

    @property
    def sample_ids(self) -> list[str]:
        """Sample ids, in the order of the file."""
        return self.frame.index.tolist()

    def column(self, name: str) -> pd.Series:
        """Return a column by its name.

        Raises
        ------
        MetadataError
            There is no such column; the message lists similar names.
        """
        columns = [str(column) for column in self.frame.columns]
        if name in columns:
            return cast("pd.Series", self.frame[name])
        by_lower_case = {column.lower(): column for column in columns}
        close = [by_lower_case[match] for match in difflib.get_close_matches(name.lower(), by_lower_case, n=3)]
        suggestion = f" Did you mean {' or '.join(repr(match) for match in close)}?" if close else ""
        available = name_some(columns, _COLUMNS_SHOWN) or "none"
        raise MetadataError(f"The metadata has no column {name!r}.{suggestion} Its columns: {available}.")

    def is_numeric(self, name: str) -> bool:
        """Return whether a column holds numbers, by its ``#q2:types`` or because all its values are numbers.

        Raises
        ------
        MetadataError
            There is no such column.
        """
        return self.column(name).dtype.kind == "f"


def read_metadata(path: Path, missing_values: Sequence[str] = ()) -> Metadata:
    """Read sample metadata by QIIME 2's rules, with scikit-bio; plain text, gzip or an artifact that QIIME 2 takes as metadata.

    We differ in three points: a column beyond the first may have a name that QIIME 2 reserves for the ids, such as SampleID, the
    first may have none, as in an exported vector of alpha diversity, and what `as_qiime2` converts, such as CSV of R, is read, too.

    Parameters
    ----------
    path
        The file.
    missing_values
        Cells that equal one of these, as text or as a number, are read as empty, before the types of columns are determined.

    Raises
    ------
    MetadataError
        The file is missing, not text or not valid metadata, or is a table or another file.
    """
    import pandas as pd
    from skbio.metadata import SampleMetadata
    from skbio.metadata.io import MetadataFileError

    original = read_text(path, MetadataError, "--metadata", METADATA)
    text, reserved = _mend_header(unquoted(_in_form(path, original)))
    text = _empty_cells(text, missing_values) if missing_values else text
    try:
        file = cast(str, io.StringIO(text, newline=""))  # a file is accepted, though the annotation says a path
        frame = pd.DataFrame(SampleMetadata.load(file).to_dataframe())
    except (MetadataFileError, csv.Error) as error:
        raise MetadataError(f"--metadata {path}: {_first_part(str(error), original)}") from None
    except ValueError as error:  # of pandas, for what scikit-bio takes for a number, such as digits of other scripts
        raise MetadataError(
            f"--metadata {path}: a number cannot be read ({_first_part(str(error), original)}) Write numbers with the digits 0 "
            "to 9."
        ) from None
    if reserved:
        logger.warning("--metadata %s: these are read as columns, not as sample ids: %s.", path, name_some(reserved))
        frame.columns = [name.removesuffix(_PLACEHOLDER) for name in frame.columns]
    frame.index = pd.Index(frame.index.tolist(), dtype=object, name="sample-id")
    return Metadata(frame)


def _in_form(path: Path, text: str) -> str:
    """Return metadata in the form of QIIME 2; raise if they are a table or another file."""
    name = header_cells(text)[0][:_NAME_SHOWN]
    other = None if plain_name(name) in SAMPLE_NAMES else name_other(text, "metadata")
    if other is not None:
        raise MetadataError(f"--metadata {path} {other} Its first column is named {name!r}, not 'sample-id'.")
    try:
        text, *clauses = as_qiime2(text)
    except MisplacedIdsError as reason:
        raise MetadataError(f"--metadata {path}: {reason}") from None
    for level, some in zip((logging.INFO, logging.WARNING), clauses, strict=True):
        if some:
            logger.log(level, "--metadata %s: %s.", path, "; ".join(some))
    return text


def _mend_header(text: str) -> tuple[str, list[str]]:
    """Name an id column without a name beside a single column, and rename columns that scikit-bio takes for a second id column.

    Return the text, and the original names of the renamed columns.
    """
    from skbio.metadata.base import is_id_header

    lines = text.split("\n")
    for number, line in enumerate(lines):
        first, *others = (cell.strip() for cell in line.split("\t"))
        if any((first, *others)) and (is_id_header(first) or not first.startswith("#")):
            reserved = [cell for cell in others if is_id_header(cell)]
            if reserved or (not first and len(others) == 1):
                cells = [cell + _PLACEHOLDER if cell in reserved else cell for cell in others]
                lines[number] = "\t".join([first or "id", *cells])
            return "\n".join(lines), reserved
    return text, []


def _empty_cells(text: str, missing_values: Sequence[str]) -> str:
    """Empty the cells with missing values; the header, directives, comments and the ids stay."""
    from skbio.metadata.base import is_id_header

    words = set(missing_values)
    numbers = {number for number in map(_as_number, missing_values) if number is not None}
    lines, has_header = text.split("\n"), False
    for number, line in enumerate(lines):
        name, *cells = line.split("\t")
        if not has_header:
            has_header = bool(line.strip()) and (is_id_header(name.strip()) or not name.startswith("#"))
        elif not name.startswith("#"):
            lines[number] = "\t".join(
                [name, *(cell if _is_value(cell.strip(), words, numbers) else "" for cell in cells)]
            )
    return "\n".join(lines)


def _is_value(cell: str, words: set[str], numbers: set[float]) -> bool:
    return cell not in words and _as_number(cell) not in numbers


def _as_number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _first_part(message: str, text: str) -> str:
    """Return the part of scikit-bio's message on a text that states the problem, on one line, without its general advice."""
    if message.startswith(_WRONG_HEADER):
        name, _, _ = message.removeprefix(_WRONG_HEADER).partition(" while searching for header")
        shown = name if len(name) <= _NAME_SHOWN else f"{name[:_NAME_SHOWN]}…'"
        return f"the first column is named {shown}, which is not a name for sample ids. {advice(text)}"
    specific, _, _ = message.partition(_ADVICE)
    sentence = " ".join(specific.removeprefix(_PREAMBLE).split())
    return f"{sentence.rstrip('.')}. Correct the file."


def write_tsv(path: Path, columns: Mapping[str, Sequence | np.ndarray]) -> None:
    """Write columns of equal length as tab-separated text; with ``sample-id`` as the first, QIIME 2 reads it as metadata.

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
