"""Lineages of a study's features as numbers: which taxon each belongs to at each rank."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RANKS = ("domain", "phylum", "class", "order", "family", "genus", "species")

UNKNOWN = -1
"""In the place of a taxon's number where a lineage names none."""

FEWEST_TAXA = 2
"""Taxa of a rank from which on there is something to tell apart."""


@dataclass(frozen=True)
class Lineages:
    """Taxa of each feature, from the widest rank to the narrowest.

    Taxa are known by their whole lineage: two genera of one name in different families are two.

    Attributes
    ----------
    taxa
        Names of the taxa at each rank, sorted: whole lineages, joined by "; ".
    numbers
        Number of each feature's taxon at each rank, `UNKNOWN` where its lineage names none; int32 [F, ranks].
    """

    taxa: tuple[tuple[str, ...], ...]
    numbers: np.ndarray

    @classmethod
    def of_features(
        cls, feature_ids: Sequence[str], named: Sequence[str], lineages: Sequence[tuple[str | None, ...]]
    ) -> "Lineages":
        """Look up the lineage of each feature of a study; one that is not among the ``named`` is unknown at every rank.

        Examples
        --------
        >>> found = Lineages.of_features(["b", "x", "a"], ["a", "b"], [("Bacteria", "P1"), ("Bacteria",)])
        >>> found.numbers[:, :2].tolist()
        [[0, -1], [-1, -1], [0, 0]]
        >>> found.taxa[1]
        ('Bacteria; P1',)
        """
        lineage_of = dict(zip(named, lineages, strict=True))
        own = [lineage_of.get(name, ()) for name in feature_ids]
        taxa, columns = [], []
        for rank in range(len(RANKS)):
            at_rank = [_name(lineage, rank) for lineage in own]
            names = sorted({name for name in at_rank if name is not None})
            number = {name: k for k, name in enumerate(names)}
            columns.append([UNKNOWN if name is None else number[name] for name in at_rank])
            taxa.append(tuple(names))
        return cls(tuple(taxa), np.array(columns, dtype=np.int32).T.reshape(len(own), len(RANKS)))

    def numbered_as(self, taxa: Sequence[Sequence[str]]) -> np.ndarray:
        """Give the numbers by other lists of taxa, `UNKNOWN` for a taxon that is not in them; int64 [F, ranks]."""
        columns = []
        for rank, names in enumerate(taxa):
            number = {name: k for k, name in enumerate(names)}
            translate = np.array([*(number.get(name, UNKNOWN) for name in self.taxa[rank]), UNKNOWN], dtype=np.int64)
            columns.append(translate[self.numbers[:, rank]])  # UNKNOWN, −1, reads the last
        return np.stack(columns, axis=1)

    def seen(self, is_seen: np.ndarray) -> list[list[str]]:
        """Give the taxa of each rank that some features belong to, ``is_seen`` [F]."""
        found = []
        for rank, names in enumerate(self.taxa):
            numbers = np.unique(self.numbers[is_seen, rank])
            found.append([names[number] for number in numbers if number != UNKNOWN])
        return found


def _name(lineage: tuple[str | None, ...], rank: int) -> str | None:
    if len(lineage) <= rank or lineage[rank] is None:
        return None
    return "; ".join(name or "?" for name in lineage[: rank + 1])
