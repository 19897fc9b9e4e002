"""Read lineages as the RDP classifier writes them: in each row a name, its rank and a confidence, one after the other."""

import re
from collections.abc import Sequence
from itertools import islice

from aam.io.lineages.text import RANK_OF_NAME, known_taxa, without_prefix

_OTHER_RANKS = (
    "", "rootrank", "norank", "no rank", "subkingdom", "subphylum", "subclass", "suborder", "subfamily", "subgenus", "superclass",
    "superorder", "superfamily", "infraclass", "tribe", "strain", "subspecies", "species group", "clade", "cohort", "section",
)  # fmt: skip

_CONFIDENCE = re.compile(r"[01]?(?:\.\d+)?|1(?:\.0+)?|\d(?:\.\d+)?[eE]-\d+")

_STARTS = (2, 1)
"""Column of the first name: after the id and the orientation, or after the id alone."""

_ROWS = 20


def first_name(rows: Sequence[Sequence[str]]) -> int | None:
    """Return the column of the first name of a taxon if rows are of the RDP classifier, fixrank or allrank; else None.

    Examples
    --------
    >>> first_name([["A1", "", "Bacteria", "domain", "1.0", "Firmicutes", "phylum", "0.9"]])
    2
    >>> first_name([["A1", "Bacteria;Firmicutes"]]) is None
    True
    """
    some = list(islice(rows, _ROWS))
    return next((start for start in _STARTS if some and all(_fits(row, start) for row in some)), None)


def _fits(row: Sequence[str], start: int) -> bool:
    ranks, confidences = row[start + 1 :: 3], row[start + 2 :: 3]
    if len(row) < start + 3 or (len(row) - start) % 3 or (start == 2 and row[1] not in ("", "-", "+")):
        return False
    are_ranks = all(rank.lower() in RANK_OF_NAME or rank.lower() in _OTHER_RANKS for rank in ranks)
    return are_ranks and any(ranks) and all(cell and _CONFIDENCE.fullmatch(cell) for cell in confidences)


def lineage_of(cells: Sequence[str], start: int) -> tuple[str | None, ...]:
    """Return the lineage of a row; ranks between ours, such as a subclass, and the root are left out.

    Examples
    --------
    >>> lineage_of(["A1", "", "Root", "rootrank", "1", "Bacteria", "domain", "1", "Bacilli", "class", "0.8"], 2)
    ('Bacteria', None, 'Bacilli')
    """
    ranks = [rank.lower() for rank in cells[start + 1 :: 3]]
    has_domain = any(RANK_OF_NAME.get(rank) == 0 and rank != "kingdom" for rank in ranks)
    by_rank: dict[int, str] = {}
    for name, rank in zip(cells[start::3], ranks, strict=False):
        if rank in RANK_OF_NAME and not (has_domain and rank == "kingdom"):
            by_rank.setdefault(RANK_OF_NAME[rank], without_prefix(name))
    return known_taxa([by_rank.get(rank, "") for rank in range(max(by_rank, default=-1) + 1)])
