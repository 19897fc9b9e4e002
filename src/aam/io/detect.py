"""Detect the format of a file by its content, never by its name."""

import codecs
import csv
import gzip
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from aam.errors import InputError, name_some
from aam.io.archive import GZIP, HDF5, NPY, is_zip, read_head
from aam.io.hdf5_file import open_hdf5
from aam.io.lineages.layout import looks_like_taxonomy
from aam.io.qza import ArtifactInfo, describe_artifact, option_of
from aam.io.text_file import plain_name, refuse_packed_twice

Kind = Literal["table", "sequences", "tree", "taxonomy", "metadata", "distances"]
"""Kind of input; the option that takes it has the same name."""

_SUBJECT = "The file"  # of messages, in the place of an option

_HEAD = 1 << 20  # bytes that are looked at

_ROWS = 6

_SHOWN = 30

_TABLE_IDS = ("otuid", "featureid", "asvid", "observationid")

_LINEAGES = ("taxon", "taxonomy", "lineage", "consensuslineage")

_COMMENTED_TREE = re.compile(r"(\[[^\]]*\]\s*)*\(")

_LINEAGE = re.compile(
    r"[A-Za-z]{1,2}(_\d+)?__|[dk]:[^,]+(,[pcofgs]:|$)|[^;]+;[^;]+|unassigned$|unclassified$", re.IGNORECASE
)

_SEQUENCE = re.compile(r"[ACGTUN]{30,}", re.IGNORECASE)

_MOST_TAXONOMY_COLUMNS = 4

_MARKED = ">{[("  # first letters of FASTA, JSON and Newick, and of no table

_ACCEPTED = (
    "aam reads feature tables (BIOM, or text with '#OTU ID'), FASTA, Newick, QIIME 2 metadata, taxonomies, distance matrices "
    "and the QIIME 2 artifacts of these."
)


@dataclass(frozen=True)
class DetectedFile:
    """Kind and format of a file.

    Attributes
    ----------
    kind
        Kind of input.
    format
        Name of the format, for the user.
    artifact
        Description of a QIIME 2 artifact; None for other files.
    """

    kind: Kind
    format: str
    artifact: ArtifactInfo | None = None


@dataclass(frozen=True)
class _Text:
    """The beginning of a text, and the cells of its first rows, without comments."""

    start: str
    rows: list[list[str]]
    has_tabs: bool

    @property
    def header(self) -> list[str]:
        return self.rows[0] if self.rows else [""]


def detect_format(path: Path) -> DetectedFile:
    """Detect the kind and the format of a file; only its beginning is read, but all of an artifact, to verify its checksums.

    Raises
    ------
    InputError
        The file cannot be read, is damaged, or has no format that aam reads.
    """
    head = read_head(path, InputError, _SUBJECT)
    if is_zip(head):
        return _artifact(path)
    if head == HDF5:
        return _hdf5(path)
    if head.startswith(NPY):
        return DetectedFile("distances", "matrix of numpy (.npy)")
    text = _beginning(path, is_gzip=head.startswith(GZIP))
    if text.start[0] not in _MARKED and not _is_taxonomy(text):
        _refuse_tables_of_r(path, text.rows)
    for kind, name, has_format in _TEXTS:
        if has_format(text):
            return DetectedFile(kind, f"{name}, gzip" if head.startswith(GZIP) else name)
    begin = text.start.split("\n")[0][:_SHOWN]
    raise InputError(f"{_SUBJECT} {path} is nothing that aam takes: it begins with {begin!r}. {_ACCEPTED}")


def _artifact(path: Path) -> DetectedFile:
    info = describe_artifact(path, InputError, _SUBJECT)
    option = option_of(info.semantic_type)
    if option is None:
        raise InputError(f"{_SUBJECT} {path} {info.refusal}")
    kind: Kind = option.removeprefix("--")  # type: ignore[assignment]
    return DetectedFile(kind, "QIIME 2 artifact", info)


def _hdf5(path: Path) -> DetectedFile:
    with open_hdf5(path, path, InputError, _SUBJECT) as file:
        names = list(file)
    if {"observation", "sample"} & set(names):
        return DetectedFile("table", "BIOM 2.1 (HDF5)")
    if {"order", "matrix", "matrix:0"} & set(names):
        return DetectedFile("distances", "matrix of unifrac's ssu (HDF5)")
    raise InputError(
        f"{_SUBJECT} {path} is HDF5, but neither a BIOM table nor a distance matrix: it holds {name_some(names) or 'nothing'}. "
        f"{_ACCEPTED}"
    )


def _beginning(path: Path, is_gzip: bool) -> _Text:
    try:
        with gzip.open(path) if is_gzip else path.open("rb") as file:
            content = file.read(_HEAD)
        if is_gzip:
            refuse_packed_twice(content, path, InputError, _SUBJECT)
        start = codecs.getincrementaldecoder("utf-8-sig")().decode(content)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise InputError(f"{_SUBJECT} {path} is a damaged or incomplete gzip file. Copy it again.") from None
    except OSError as reason:
        raise InputError(f"{_SUBJECT} {path} cannot be read: {reason.strerror or reason}.") from None
    except UnicodeDecodeError:
        raise InputError(
            f"{_SUBJECT} {path} is neither text in UTF-8 nor a format that aam knows: it is damaged or something else. {_ACCEPTED}"
        ) from None
    if not start.strip():
        raise InputError(f"{_SUBJECT} {path} is empty. Copy or make it again.")
    return _split_cells(start)


def _split_cells(start: str) -> _Text:
    """Split the first lines into cells at tabs, or at commas where there are no tabs."""
    lines = [line for line in start.splitlines() if line.strip()]
    lines = [
        line for line in lines if not (line.startswith("#") and "\t" not in line and plain_name(line) not in _TABLE_IDS)
    ]
    lines = lines[:_ROWS]
    has_tabs = any("\t" in line for line in lines)
    try:
        cells = list(csv.reader(lines, delimiter="\t" if has_tabs else ","))
    except csv.Error:  # a cell of more than 131,072 letters, which is in no table
        cells = []
    return _Text(start.lstrip(), [[cell.strip() for cell in row] for row in cells], has_tabs)


def _refuse_tables_of_r(path: Path, rows: list[list[str]]) -> None:
    """Raise if a table has one of the faults that are frequent in tables written in R."""
    if len(rows) < 2 or len(rows[0]) < 2:
        return
    if all(_SEQUENCE.fullmatch(cell) for cell in rows[0][1:_ROWS]):
        raise InputError(
            f"{_SUBJECT} {path} has the sequences as columns, as DADA2 makes it; a table has one row per feature. In R, write "
            "t(seqtab.nochim), with '#OTU ID' as the name of the first column."
        )
    if all(len(row) == len(rows[0]) + 1 for row in rows[1:]):
        raise InputError(
            f"{_SUBJECT} {path}: its first row has one cell fewer than the others, as write.table of R leaves it. Name the first "
            "column: '#OTU ID' in a table, 'sample-id' in metadata."
        )


def _is_taxonomy(text: _Text) -> bool:
    rows = text.rows
    if looks_like_taxonomy(rows):
        return True
    if not 2 <= len(text.header) <= _MOST_TAXONOMY_COLUMNS:
        return False
    if plain_name(text.header[1]) in _LINEAGES:
        return plain_name(text.header[0]) in (*_TABLE_IDS, "id")
    return all(len(row) == len(text.header) and _LINEAGE.match(row[1]) for row in rows)


def _is_matrix(text: _Text) -> bool:
    """Return whether rows have the names of the columns, in their order, and zeros on the diagonal."""
    names, rows = text.header[1:], text.rows[1:]
    if not names or not rows:
        return False
    expected = names[: len(rows)]
    return len(rows) >= len(expected) > 0 and all(
        len(row) == len(text.header) and row[0] == name and _is_zero(row[k + 1])
        for k, (row, name) in enumerate(zip(rows, expected, strict=False))
    )


def _is_zero(cell: str) -> bool:
    try:
        return abs(float(cell)) < 1e-3
    except ValueError:
        return False


def _is_metadata(text: _Text) -> bool:
    """Return whether the text has tabs or begins with a name of the column of ids; the reader of metadata reports other faults."""
    from skbio.metadata.base import is_id_header

    return (len(text.header) > 1 and text.has_tabs) or bool(is_id_header(text.header[0]))


_TEXTS: tuple[tuple[Kind, str, Callable[[_Text], bool]], ...] = (
    ("sequences", "FASTA", lambda text: text.start.startswith(">")),
    ("table", "BIOM 1.0 (JSON)", lambda text: text.start.startswith("{")),
    ("tree", "Newick", lambda text: _COMMENTED_TREE.match(text.start) is not None),
    ("taxonomy", "taxonomy (tab-separated)", _is_taxonomy),
    ("table", "classic table (tab-separated)", lambda text: plain_name(text.header[0]) in _TABLE_IDS),
    ("distances", "matrix with names (text)", _is_matrix),
    ("metadata", "QIIME 2 metadata", _is_metadata),
)
"""Kinds of text with the name of the format and a test of it; the first that fits is taken."""
