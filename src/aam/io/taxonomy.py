"""Read the taxonomy of features, as classifiers of QIIME 2, mothur, vsearch and DADA2 write it."""

import csv
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aam.errors import TaxonomyError, name_some
from aam.io.foreign.named import describe_no_taxonomy
from aam.io.lineages.layout import ID_HEADERS, Layout, bare_layout, header_layout, split_rows
from aam.io.lineages.text import split_lineage
from aam.io.qza import TAXONOMY
from aam.io.text_file import plain_name, read_text

logger = logging.getLogger(__name__)

__all__ = ["Taxonomy", "read_taxonomy", "split_lineage"]


_SAMPLE_HEADERS = ("sampleid", "samplename")  # of metadata, whose rows would otherwise pass as lineages

_NUMBER = re.compile(r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?")

_MOST_COLUMNS = 4

_SHOWN = 40

_EXPECTED = "Pass a table with the columns 'Feature ID' and 'Taxon', or one with a column for each rank."


@dataclass(frozen=True)
class Taxonomy:
    """Lineage of each feature.

    Attributes
    ----------
    feature_ids
        Distinct names of the features, in the order of the file.
    lineages
        Taxa of each feature, from the highest rank (domain or kingdom) to the lowest that is known, without prefixes such as
        ``k__``; None for an unknown rank above a known one. Empty where no rank is known.
    """

    feature_ids: list[str]
    lineages: list[tuple[str | None, ...]]


def read_taxonomy(path: Path) -> Taxonomy:
    """Read a taxonomy: ids with their lineages, or with a column for each rank; plain, gzip or an artifact.

    Confidences in brackets are removed, and placeholders such as ``uncultured`` are unknown. Of SINTAX with a cutoff, the part of a
    lineage above it is read.

    Raises
    ------
    TaxonomyError
        The file is missing, not text, has no column of lineages; an id is empty or occurs twice.
    """
    text = read_text(path, TaxonomyError, "The taxonomy", TAXONOMY)
    try:
        rows = [
            (number, cells)
            for number, cells in split_rows(text)
            if any(cells) and (not cells[0].startswith("#") or plain_name(cells[0]) in ID_HEADERS)
        ]
    except csv.Error as error:
        raise TaxonomyError(f"The taxonomy {path} cannot be split into cells ({error}). {_EXPECTED}") from None
    other = describe_no_taxonomy([cells for _, cells in rows], text)
    if other is not None:
        raise TaxonomyError(f"The taxonomy {path} {other}")
    layout = _layout(path, rows)
    feature_ids, lineages = [], []
    for number, cells in rows:
        _check_row(path, number, cells, layout)
        feature_ids.append(cells[layout.id_column])
        lineages.append(layout.lineage(cells))
    if not feature_ids:
        raise TaxonomyError(f"The taxonomy {path} holds no features. Pass a table of feature ids and their lineages.")
    if len(set(feature_ids)) < len(feature_ids):
        seen: set[str] = set()
        duplicates = sorted({name for name in feature_ids if name in seen or seen.add(name)})
        raise TaxonomyError(
            f"{len(duplicates):,} ids occur more than once in the taxonomy {path}: {name_some(duplicates)}. Keep one row for each."
        )
    if layout.cutoff_column is not None:
        logger.info("The taxonomy %s is of SINTAX with a cutoff: ranks below it (column 4) are read as unknown.", path)
    if layout.first_name is not None:
        logger.info("The taxonomy %s is of the RDP classifier: all ranks are read, whatever their confidence.", path)
    return Taxonomy(feature_ids, lineages)


def _layout(path: Path, rows: list[tuple[int, list[str]]]) -> Layout:
    """Return the layout of a file, and remove its header from the rows."""
    if not rows:
        return bare_layout([])
    header = rows[0][1]
    layout = header_layout(header, rows[1][1] if len(rows) > 1 else header)
    if layout is None and plain_name(header[0]) in ID_HEADERS and (len(header) > 1 or header[0].startswith("#")):
        raise TaxonomyError(
            f"The taxonomy {path} is not a taxonomy: its second column is named {(header[1:] or [''])[0][:_SHOWN]!r}. {_EXPECTED}"
        )
    if layout is None:
        return bare_layout([cells for _, cells in rows])
    del rows[0]
    return layout


def _check_row(path: Path, number: int, cells: Sequence[str], layout: Layout) -> None:
    most = len(cells) if layout.has_header or layout.first_name is not None else _MOST_COLUMNS
    if not layout.n_needed <= len(cells) <= most:
        raise TaxonomyError(
            f"The taxonomy {path}: line {number:,}, {cells[0][:_SHOWN]!r}, has {len(cells):,} columns. Pass a tab-separated table "
            "of feature id, lineage and, if you like, confidence; or one with a column for each rank."
        )
    if not cells[layout.id_column]:
        raise TaxonomyError(f"The taxonomy {path}: line {number:,} has no feature id. Give it one or remove it.")
    cell = cells[layout.first_telling]
    if plain_name(cells[0]) in _SAMPLE_HEADERS or _NUMBER.fullmatch(cell):
        raise TaxonomyError(
            f"The taxonomy {path} is not a taxonomy: line {number:,} has {cell[:_SHOWN]!r} in the place of a lineage. {_EXPECTED}"
        )
