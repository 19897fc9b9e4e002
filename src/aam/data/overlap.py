"""Which samples or features a table shares with another file."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aam.io.name_index import NameIndex

SHOWN = 5


@dataclass(frozen=True)
class Overlap:
    """How far two files hold the same names.

    Attributes
    ----------
    axis
        "samples" or "features".
    other
        What the table is compared with.
    n_table, n_other, n_both
        Names in the table, in the other file, and in both.
    share_of_reads
        Share of the table's reads that belongs to names in both.
    only_in_table, only_in_other
        Up to five names.
    """

    axis: str
    other: str
    n_table: int
    n_other: int
    n_both: int
    share_of_reads: float
    only_in_table: list[str]
    only_in_other: list[str]


def compare_names(axis: str, other: str, table: tuple[Sequence[str], np.ndarray], names: Sequence[str]) -> Overlap:
    """Compare names of the table, which come with the reads of each, int64, with names in another file.

    Examples
    --------
    >>> compare_names("samples", "metadata", (["S1", "S2"], np.array([1, 3])), ["S2", "S3"]).share_of_reads
    0.75
    """
    own, reads = table
    is_shared = NameIndex(names).find(own) >= 0
    is_known = NameIndex(own).find(names) >= 0
    return Overlap(
        axis=axis,
        other=other,
        n_table=len(own),
        n_other=len(names),
        n_both=int(is_shared.sum()),
        share_of_reads=float(reads[is_shared].sum() / max(1, reads.sum())),
        only_in_table=[own[int(row)] for row in np.flatnonzero(~is_shared)[:SHOWN]],
        only_in_other=[names[int(row)] for row in np.flatnonzero(~is_known)[:SHOWN]],
    )
