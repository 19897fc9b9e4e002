"""Detect the format of a file by its content, never by its name."""

import codecs
import csv
import gzip
import math
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from aam.errors import InputError, name_some
from aam.io.archive import GZIP, HDF5, NPY, is_zip, read_head
from aam.io.foreign.cells import SEPARATORS, Cells, split_cells
from aam.io.foreign.loose_table import FEATURE_NAMES, are_features, holds_counts, is_sequences, looks_like_counts
from aam.io.foreign.mothur import describe_mothur, mothur_format
from aam.io.foreign.named import describe_named
from aam.io.foreign.phylip import is_phylip
from aam.io.hdf5_file import open_hdf5
from aam.io.lineages.layout import looks_like_taxonomy
from aam.io.qza import ArtifactInfo, describe_artifact, option_of
from aam.io.text_file import UTF_16, plain_name, refuse_packed_twice

Kind = Literal["table", "sequences", "tree", "taxonomy", "metadata", "distances"]
"""Kind of input; the option that takes it has the same name."""

_SUBJECT = "The file"  # of messages, in the place of an option

_HEAD = 1 << 20  # bytes that are looked at

_LONGEST = 1 << 26  # bytes that are looked at of a file with long lines

_ROWS = 6

_LINES = 200  # in which the first rows are searched, after comments

_SHOWN = 30

_TABLE_IDS = ("otuid", "featureid", "asvid", "observationid")

_LINEAGES = ("taxon", "taxonomy", "lineage", "consensuslineage")

_COMMENTED_TREE = re.compile(r"(\[[^\]]*\]\s*)*\(")

_LINEAGE = re.compile(
    r"[A-Za-z]{1,2}(_\d+)?__|[dk]:[^,]+(,[pcofgs]:|$)|[^;]+;[^;]+|[A-Za-z][^|]*\|[A-Za-z][^|]*|unassigned$|unclassified$",
    re.IGNORECASE,
)

_MOST_TAXONOMY_COLUMNS = 4

_PAIRS = (
    "has two columns and no header, as .groups, .design and .names files of mothur have. As metadata, give it the header "
    "'sample-id', a tab, and a name; of reads, make a table: mothur > count.seqs(name=…, group=…)."
)

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
    cells: Cells | None  # of the same rows, if each has as many

    @property
    def header(self) -> list[str]:
        return self.rows[0] if self.rows else [""]

    @property
    def separated(self) -> str:
        """How columns are separated, to follow the name of a format."""
        separator = "\t" if self.cells is None else self.cells.separator
        return f"separated by {SEPARATORS[separator]}"


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
    foreign = _describe_foreign(text)
    if foreign is not None:
        raise InputError(f"{_SUBJECT} {path} {foreign}")
    found = _classify(text)
    if found is not None:
        kind, name = found
        return DetectedFile(kind, f"{name}, gzip" if head.startswith(GZIP) else name)
    begin = text.start.split("\n")[0][:_SHOWN]
    raise InputError(f"{_SUBJECT} {path} is nothing that aam takes: it begins with {begin!r}. {_ACCEPTED}")


def name_other(text: str, kind: Kind) -> str | None:
    r"""Say what a text is that is not of the kind that an option takes.

    Parameters
    ----------
    text
        Content of a file.
    kind
        What it should be.

    Returns
    -------
    The end of a sentence that begins with the name of the file, and what to do; None if it may be of the kind, or is unknown.

    Examples
    --------
    >>> name_other(">F1\nACGT\n", "table")
    'is FASTA. Pass it as --sequences.'
    """
    if not text.strip():
        return None
    beginning = _split_cells(text[:_HEAD])
    foreign = _describe_foreign(beginning)
    found = None if foreign else _classify(beginning)
    if found is None or found[0] == kind or _MAY_BE.get(kind, lambda *_: False)(beginning, found[0]):
        return foreign
    return f"is {_with_article(found[1])}. Pass it as --{found[0]}."


def _may_be_a_table(text: _Text, kind: Kind) -> bool:
    """Return whether what looks like metadata may be a table: its first column is not named as of samples, or it holds counts."""
    from skbio.metadata.base import is_id_header

    has_counts = text.cells is not None and holds_counts(text.cells)
    is_of_samples = is_id_header(text.header[0]) and not are_features(text.header[1:])
    return kind == "metadata" and (has_counts or not is_of_samples)


def _may_be_metadata(text: _Text, kind: Kind) -> bool:
    """Return whether what looks like a table or taxonomy may be metadata: QIIME 2 takes such, and some have whole numbers alone."""
    if kind != "table" or text.start.startswith("{") or mothur_format(text.start) is not None:
        return kind == "taxonomy"
    has_counts = text.cells is not None and holds_counts(text.cells)
    is_named = plain_name(text.header[0]) in (*_TABLE_IDS, *FEATURE_NAMES)
    names = text.header[1:], [row[0] for row in text.rows[1:]]
    return not has_counts or not (is_named or any(map(are_features, names)))


def _may_be_distances(text: _Text, kind: Kind) -> bool:
    """Return whether what looks like another kind may be a matrix that is no right one: numbers under a name of no feature."""
    is_named = plain_name(text.header[0]) in (*_TABLE_IDS, *FEATURE_NAMES)
    if is_named or kind not in ("table", "metadata") or mothur_format(text.start) is not None:
        return False
    return text.cells is None or all(any(map(_is_number, row[1:])) for row in text.cells.rows)


_MAY_BE: dict[Kind, Callable[[_Text, Kind], bool]] = {
    "table": _may_be_a_table,
    "metadata": _may_be_metadata,
    "distances": _may_be_distances,
}
"""Functions that return whether a text of another kind may still be of a kind."""


def _with_article(name: str) -> str:
    return name if name.startswith(("FASTA", "BIOM", "Newick", "QIIME", "metadata")) else f"a {name}"


def _describe_foreign(text: _Text) -> str | None:
    """Say what a text of another program is that no option takes."""
    if text.start[0] in _MARKED or is_phylip(text.start):
        return None
    named = describe_mothur(text.rows, text.start) or describe_named(text.rows, text.start)
    return named or (_PAIRS if _is_pairs(text) else None)


def _is_pairs(text: _Text) -> bool:
    """Return whether a text has two columns and no header: names that differ, of which each is in one of a few groups."""
    if not text.has_tabs or len(text.rows) < 3 or any(len(row) != 2 for row in text.rows):
        return False
    names, groups = zip(*text.rows, strict=True)
    if groups[0] not in groups[1:] or any(map(_LINEAGE.match, groups)) or _is_number(groups[0]):
        return False
    from skbio.metadata.base import is_id_header  # slow to import

    return len(set(names)) == len(names) and all(names) and not is_id_header(names[0])


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def _classify(text: _Text) -> tuple[Kind, str] | None:
    """Return the kind of a text and the name of its format."""
    mothur = mothur_format(text.start)
    if mothur is not None:
        return "table", mothur
    for kind, name, has_format in _TEXTS:
        if has_format(text):
            return kind, name.format(separated=text.separated)
    return None


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
            while (
                content[:1] not in _MARKED.encode()
                and content.count(b"\n") < _ROWS
                and len(content) < _LONGEST
                and (block := file.read(_HEAD))
            ):
                content += block  # sequences as columns make a long header
        encoding = "utf-16" if content.startswith(UTF_16) else "utf-8-sig"
        start = codecs.getincrementaldecoder(encoding)().decode(content)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise InputError(f"{_SUBJECT} {path} is a damaged or incomplete gzip file. Copy it again.") from None
    except OSError as reason:
        raise InputError(f"{_SUBJECT} {path} cannot be read: {reason.strerror or reason}.") from None
    except UnicodeError:
        raise InputError(
            f"{_SUBJECT} {path} is neither text in UTF-8 nor a format that aam knows: it is damaged or something else. {_ACCEPTED}"
        ) from None
    if not start.strip():
        raise InputError(f"{_SUBJECT} {path} is empty. Copy or make it again.")
    return _split_cells(start)


def _split_cells(start: str) -> _Text:
    """Split the first lines into cells, by what gives each as many, or else at tabs; not those of FASTA, JSON and trees."""
    if start.lstrip()[:1] in set(_MARKED):
        return _Text(start.lstrip(), [], False, None)
    lines = [line for line in start.splitlines() if line.strip()]
    lines = [
        line
        for line in lines[:_LINES]
        if not (line.startswith("#") and not set("\t,;") & set(line) and plain_name(line) not in _TABLE_IDS)
    ]
    cells = split_cells("\n".join(lines[:_ROWS]))
    has_tabs = any("\t" in line for line in lines[:_ROWS])
    if cells is not None and (cells.separator != " " or cells.is_short or lines[0].startswith('"')):
        return _Text(start.lstrip(), [cells.header, *cells.rows], has_tabs, cells)
    try:
        rows = list(csv.reader(lines[:_ROWS], delimiter="\t" if has_tabs else ","))
    except csv.Error:  # a cell of more than 131,072 letters, which is in no table
        rows = []
    return _Text(start.lstrip(), [[cell.strip() for cell in row] for row in rows], has_tabs, None)


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

    has_columns = len(text.header) > 1 and (text.has_tabs or text.cells is not None)
    return has_columns or bool(is_id_header(text.header[0]))


def _is_classic(text: _Text) -> bool:
    return plain_name(text.header[0]) in _TABLE_IDS


def _is_counts(text: _Text) -> bool:
    """Return whether a text without '#OTU ID' holds counts."""
    return text.cells is not None and looks_like_counts(text.cells)


def _has_sequences_as_columns(text: _Text) -> bool:
    return len(text.header) > 1 and is_sequences(text.header[1:])


_TEXTS: tuple[tuple[Kind, str, Callable[[_Text], bool]], ...] = (
    ("sequences", "FASTA", lambda text: text.start.startswith(">")),
    ("table", "BIOM 1.0 (JSON)", lambda text: text.start.startswith("{")),
    ("tree", "Newick", lambda text: _COMMENTED_TREE.match(text.start) is not None),
    ("distances", "matrix of PHYLIP or mothur (text)", lambda text: is_phylip(text.start)),
    ("taxonomy", "taxonomy (tab-separated)", _is_taxonomy),
    ("table", "classic table (tab-separated)", lambda text: _is_classic(text) and text.has_tabs),
    ("table", "classic table ({separated})", _is_classic),
    ("distances", "matrix with names (text)", _is_matrix),
    ("table", "table with sequences as columns ({separated})", _has_sequences_as_columns),
    ("table", "table of counts ({separated})", _is_counts),
    ("metadata", "QIIME 2 metadata", lambda text: _is_metadata(text) and text.has_tabs),
    ("metadata", "metadata ({separated})", _is_metadata),
)
"""Kinds of text with the name of the format and a test of it; the first that fits is taken."""
