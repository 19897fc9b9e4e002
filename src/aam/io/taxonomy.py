"""Read the taxonomy of features, as classifiers of QIIME 2 write it."""

import re
from dataclasses import dataclass
from pathlib import Path

from aam.errors import TaxonomyError, name_some
from aam.io.qza import TAXONOMY
from aam.io.text_file import plain_name, read_text

_PREFIX = re.compile(r"[A-Za-z]{1,2}(?:_\d+)?__")  # k__, d__, sk__, or D_0__ of early SILVA releases

_ID_HEADERS = ("featureid", "otuid", "id")

_LINEAGE_HEADERS = ("taxon", "taxonomy", "lineage", "consensuslineage", "classification")

_UNKNOWN = ("", "unassigned", "unclassified", "unknown")

_SAMPLE_HEADERS = ("sampleid", "samplename")  # of metadata, whose rows would otherwise pass as lineages

_NUMBER = re.compile(r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?")

_MOST_COLUMNS = 4

_SHOWN = 40


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
    """Read a taxonomy: columns feature id, lineage and perhaps confidence, with or without a header; plain, gzip or an artifact.

    Raises
    ------
    TaxonomyError
        The file is missing, not text or not of two to four columns; an id is empty or occurs twice.
    """
    text = read_text(path, TaxonomyError, "The taxonomy", TAXONOMY)
    feature_ids: list[str] = []
    lineages: list[tuple[str | None, ...]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        cells = [cell.strip() for cell in line.split("\t")]
        is_header = not feature_ids and plain_name(cells[0]) in _ID_HEADERS
        if not any(cells) or (cells[0].startswith("#") and not is_header):
            continue
        _check_row(path, number, cells)
        if is_header:
            _check_header(path, cells)
            continue
        feature_ids.append(cells[0])
        lineages.append(split_lineage(cells[1]))
    if not feature_ids:
        raise TaxonomyError(f"The taxonomy {path} holds no features. Pass a table of feature ids and their lineages.")
    if len(set(feature_ids)) < len(feature_ids):
        seen: set[str] = set()
        duplicates = sorted({name for name in feature_ids if name in seen or seen.add(name)})
        raise TaxonomyError(
            f"{len(duplicates):,} ids occur more than once in the taxonomy {path}: {name_some(duplicates)}. Keep one row for each."
        )
    return Taxonomy(feature_ids, lineages)


def split_lineage(lineage: str) -> tuple[str | None, ...]:
    """Split a lineage at its semicolons, and remove the prefixes of the ranks.

    Returns
    -------
    Taxa as in `Taxonomy`: None for an unknown rank above a known one, and no unknown ranks at the end.

    Examples
    --------
    >>> split_lineage("k__Bacteria; p__Firmicutes; c__; o__Clostridiales; f__")
    ('Bacteria', 'Firmicutes', None, 'Clostridiales')
    >>> split_lineage("Unassigned")
    ()
    """
    names = [_PREFIX.sub("", part.strip(), count=1).strip() for part in lineage.split(";")]
    taxa = [None if name.lower() in _UNKNOWN else name for name in names]
    while taxa and taxa[-1] is None:
        taxa.pop()
    return tuple(taxa)


def _check_header(path: Path, cells: list[str]) -> None:
    if plain_name(cells[1]) not in _LINEAGE_HEADERS:
        raise TaxonomyError(
            f"The taxonomy {path} is not a taxonomy: its second column is named {cells[1][:_SHOWN]!r}. Pass a table with the "
            "columns 'Feature ID' and 'Taxon'."
        )


def _check_row(path: Path, number: int, cells: list[str]) -> None:
    if not 2 <= len(cells) <= _MOST_COLUMNS:
        raise TaxonomyError(
            f"The taxonomy {path}: line {number:,}, {cells[0][:_SHOWN]!r}, has {len(cells):,} columns. Pass a tab-separated table "
            "of feature id, lineage and, if you like, confidence."
        )
    if not cells[0]:
        raise TaxonomyError(f"The taxonomy {path}: line {number:,} has no feature id. Give it one or remove it.")
    if plain_name(cells[0]) in _SAMPLE_HEADERS or _NUMBER.fullmatch(cells[1]):
        raise TaxonomyError(
            f"The taxonomy {path} is not a taxonomy: line {number:,} has {cells[1][:_SHOWN]!r} in the place of a lineage. Pass a "
            "table with the columns 'Feature ID' and 'Taxon'."
        )
