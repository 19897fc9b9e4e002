"""Read tables of counts as R, DADA2 and other programs write them: whatever separates columns, and whichever way they lie."""

import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array, vstack

from aam.errors import TableError, name_some
from aam.io.count_table import CountTable, SparseRows, Table, checked_table
from aam.io.foreign.cells import Cells, is_row_numbers
from aam.io.sequences import fasta_records
from aam.io.text_file import plain_name

logger = logging.getLogger(__name__)


TURNED = "is read turned"
"""Words of the remark on a table whose rows are samples."""

FEATURE_NAMES = ("otu", "asv", "zotu", "otus", "asvs", "feature", "features", "sequence", "otuid", "featureid", "asvid")
"""Names of a column of feature ids, in `plain_name`'s spelling."""

SAMPLE_NAMES = ("sample", "samples", "sampleid", "sampleids", "samplename", "samplenames")
"""Names of a column of sample ids, in `plain_name`'s spelling."""

_ID_NAMES = (*FEATURE_NAMES, *SAMPLE_NAMES)

TAXONOMY_NAMES = ("taxonomy", "taxon", "consensuslineage", "lineage", "classification")
"""Names of columns of lineages, in `plain_name`'s spelling."""

_TEXT_NAMES = (
    *TAXONOMY_NAMES,
    *("kingdom", "domain", "superkingdom", "phylum", "class", "order", "family", "genus", "species"),
    *("sequence", "seq", "repseq", "representativesequence", "dnasequence"),
)  # of columns of text in a table, beside its counts

_CONFIDENCE = "confidence"

_SEQUENCE = re.compile(r"[ACGTUN]{30,}", re.IGNORECASE)

_FEATURE = re.compile(
    r"(?:z?otu|asv|denovo|feature|sv|sq|seq|phylo(?:type)?)s?[ _.:-]*\d+(?:;size=\d+;?)?|[0-9a-f]{32}", re.IGNORECASE
)  # how programs name features

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf|infinity)", re.IGNORECASE | re.ASCII)

_LOOKED_AT = 20  # rows by which a column is known for text

_SHOWN = 40


def is_sequences(names: Sequence[str]) -> bool:
    """Return whether all names are nucleotide sequences, as DADA2 names its features."""
    return bool(names) and all(_SEQUENCE.fullmatch(name) for name in names)


def are_features(names: Sequence[str]) -> bool:
    """Return whether all names are sequences, or what programs call features: ASV12, Otu0003, or an MD5 sum.

    Examples
    --------
    >>> are_features(["Otu1", "Otu2"]), are_features(["S1", "Otu2"])
    (True, False)
    """
    return is_sequences(names) or (bool(names) and all(_FEATURE.fullmatch(name) for name in names))


def is_beside_counts(name: str) -> bool:
    """Return whether a column with this name may be of taxa or sequences, beside the counts of a table."""
    return plain_name(name) in _TEXT_NAMES


def text_columns(cells: Cells) -> list[int]:
    """Return the columns after the first whose cells are text, by the first rows."""
    rows = cells.rows[:_LOOKED_AT]
    return [
        index
        for index in range(1, len(cells.header))
        if rows and not any(_NUMBER.fullmatch(row[index]) for row in rows) and any(row[index] for row in rows)
    ]


def kept_out(cells: Cells) -> list[int]:
    """Return the columns of taxonomies and sequences, which are beside the counts of a table."""
    columns = [index for index in text_columns(cells) if is_beside_counts(cells.header[index])]
    named = [index for index, name in enumerate(cells.header) if index and plain_name(name) == _CONFIDENCE]
    return sorted({*columns, *named}) if columns else []


def holds_counts(cells: Cells) -> bool:
    """Return whether at least two columns are left without ids, taxa and sequences, and all their cells are whole numbers."""
    left = _counted(cells)
    return len(left.header) > 2 and all(_is_whole(cell) for row in left.rows for cell in row[1:])


def looks_like_counts(cells: Cells) -> bool:
    """Return whether cells of counts are a table, though its first column is not named ``#OTU ID``.

    Where that is named as of samples, they may be metadata, unless the columns are features by their names.
    """
    left = _counted(cells)
    is_of_samples = plain_name(left.header[0]) in (*SAMPLE_NAMES, "id")
    return holds_counts(cells) and (not is_of_samples or are_features(left.header[1:]))


def _counted(cells: Cells) -> Cells:
    named = with_named_rows(cells)
    return named.without(kept_out(named))


def _is_whole(cell: str) -> bool:
    return _NUMBER.fullmatch(cell) is not None and float(cell).is_integer() and float(cell) >= 0


def with_named_rows(cells: Cells) -> Cells:
    """Return the cells without row numbers of R before a column of ids, and without a second column of the same ids."""
    named = len(cells.header) > 2 and plain_name(cells.header[1]) in _ID_NAMES
    if named and not cells.header[0] and is_row_numbers(cells.column(0)):
        return cells.without([0])
    ids = cells.column(0)
    copies = [index for index in text_columns(cells) if cells.column(index) == ids]
    if not copies or len(copies) == len(cells.header) - 1:
        return cells
    corner = next((cells.header[k] for k in (0, *copies) if plain_name(cells.header[k]) in _ID_NAMES), cells.header[0])
    return replace(cells, header=[corner, *cells.header[1:]]).without(copies)


def read_loose_table(path: Path, cells: Cells) -> CountTable:
    """Build a table of counts from cells whose first column may have no name or another than ``#OTU ID``.

    Rows are features, unless the columns are sequences or the first column is named as of samples. Columns of taxa and sequences
    are left out.

    Parameters
    ----------
    path
        The file, for messages.
    cells
        Its content.

    Raises
    ------
    TableError
        A cell is no number, or ids or values are refused by `checked_table`.
    """
    left = with_named_rows(cells)
    clauses = list(cells.how)
    if left is not cells and left.column(0) == cells.column(0):
        clauses.append("its ids are in two columns, of which one is not read")
    elif left is not cells:
        clauses.append("its first column has the row numbers of R, and is not read")
    elif not cells.header[0] and not cells.is_short:
        clauses.append("its first column has no name, as R and pandas leave it, and is read as ids")
    if clauses:
        logger.info("--table %s: %s.", path, "; ".join(clauses))
    columns = kept_out(left)
    if columns:
        logger.info("--table %s: not counts, and not read: %s.", path, name_some([left.header[k] for k in columns]))
    left = left.without(columns)
    _refuse_text(path, left)
    ids, names = left.column(0), left.header[1:]
    rows = SparseRows(len(names))
    for row in left.rows:
        rows.add(_numbers(path, left.header, row))
    reason = _turned_because(left.header[0], ids, names)
    if reason is None:
        return checked_table(path, names, ids, rows.matrix().T.tocsr())
    table = checked_table(path, ids, names, rows.matrix())
    return _with_remark(table, f"{reason}: it {TURNED}, with its rows as samples")


def _turned_because(corner: str, ids: list[str], names: list[str]) -> str | None:
    """Return why the rows of a table are samples, as a clause; None if they are features."""
    if is_sequences(names) and not is_sequences(ids):
        return "its columns are sequences, as DADA2 makes it"
    if are_features(names) and not are_features(ids):
        return f"its columns are named as features are, such as {names[0]!r}"
    if plain_name(corner) in SAMPLE_NAMES and not are_features(ids):
        return f"its first column is named {corner!r}"
    return None


def _with_remark(table: CountTable, remark: str) -> CountTable:
    return CountTable(table.sample_ids, table.feature_ids, table.counts, (*table.remarks, f"{remark}."))


def _refuse_text(path: Path, cells: Cells) -> None:
    """Raise if a column is text: it is of metadata, or it must go."""
    columns = [cells.header[k] for k in text_columns(cells)]
    if not columns:
        return
    if plain_name(cells.header[0]) in SAMPLE_NAMES:
        raise TableError(
            f"--table {path} is metadata: its first column is named {cells.header[0]!r}, and {name_some(columns)} hold text. Pass "
            "it as --metadata, and a table of counts here."
        )
    raise TableError(
        f"--table {path} is not a feature table: its columns {name_some(columns)} hold text, such as "
        f"{cells.rows[0][cells.header.index(columns[0])][:_SHOWN]!r}. Pass it as --metadata if its rows are samples; of a table, "
        "remove these columns."
    )


def _numbers(path: Path, header: list[str], row: list[str]) -> np.ndarray:
    joined = "".join(row[1:])
    try:
        values = np.array(row[1:], dtype=np.float64)
        is_plain = joined.isascii() and "_" not in joined  # Python reads more as numbers than others do
    except ValueError:
        values, is_plain = np.empty(0), False
    wrong = [] if is_plain else [k for k in range(1, len(row)) if not _NUMBER.fullmatch(row[k])]
    if wrong:
        raise TableError(
            f"--table {path}: the row of {row[0]!r} has {row[wrong[0]][:_SHOWN]!r} instead of a count, in the column "
            f"{header[wrong[0]]!r}. Correct it."
        )
    return values


def turned_if_certain(path: Path, table: Table, fasta: Path | None) -> CountTable | None:
    """Return a table with its samples as features and its features as samples, if that is certainly what they are.

    Parameters
    ----------
    path
        The file of the table, for messages.
    table
        A table whose features have no sequences.
    fasta
        File with the sequences; None if the ids should be the sequences.

    Returns
    -------
    The turned table, where all samples and no features are in the file, or are sequences; else None.

    Raises
    ------
    TableError, SequenceError
        A file is malformed.
    """
    samples = [name for block in table.ids("sample") for name in block]
    features = [name for block in table.ids("observation") for name in block]
    if fasta is None:
        is_turned = is_sequences(samples) and not any(map(_SEQUENCE.fullmatch, features))
    else:
        records = {name for name, _ in fasta_records(fasta)}
        is_turned = records.issuperset(samples) and records.isdisjoint(features)
    if not is_turned:
        return None
    where = "sequences" if fasta is None else "in --sequences"
    turned = checked_table(path, features, samples, csr_array(vstack(list(table.blocks()), format="csr").T.tocsr()))
    remark = (
        f"what it has as samples, such as {samples[0][:_SHOWN]!r}, are {where}, and its features are not: it {TURNED}"
    )
    return _with_remark(turned, remark)
