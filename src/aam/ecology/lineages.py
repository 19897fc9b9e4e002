"""Lineages of a study's features as numbers: the taxon of each feature at each rank."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aam.errors import TaxonomyError, name_some
from aam.io.ids.advice import mismatch
from aam.io.ids.rules import as_in_table
from aam.io.taxonomy import Taxonomy

logger = logging.getLogger(__name__)


RANKS = ("domain", "phylum", "class", "order", "family", "genus", "species")

UNKNOWN = -1
"""Number that stands for no taxon, where a lineage names none."""

FEWEST_TAXA = 2
"""Least number of taxa of a rank that can be classified."""


@dataclass(frozen=True)
class Lineages:
    """Taxa of each feature, from the widest rank to the narrowest.

    Taxa are identified by their whole lineage: genera of the same name in different families are different taxa.

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
        """Return the lineages of a study's features; a feature that is not among the ``named`` is unknown at every rank.

        Examples
        --------
        >>> study_lineages = Lineages.of_features(["b", "x", "a"], ["a", "b"], [("Bacteria", "P1"), ("Bacteria",)])
        >>> study_lineages.numbers[:, :2].tolist()
        [[0, -1], [-1, -1], [0, 0]]
        >>> study_lineages.taxa[1]
        ('Bacteria; P1',)
        """
        lineage_of = dict(zip(named, lineages, strict=True))
        feature_lineages = [lineage_of.get(name, ()) for name in feature_ids]
        taxa, columns = [], []
        for rank in range(len(RANKS)):
            taxon_names = [_name(lineage, rank) for lineage in feature_lineages]
            names = sorted({name for name in taxon_names if name is not None})
            number = {name: k for k, name in enumerate(names)}
            columns.append([UNKNOWN if name is None else number[name] for name in taxon_names])
            taxa.append(tuple(names))
        return cls(tuple(taxa), np.array(columns, dtype=np.int32).T.reshape(len(feature_lineages), len(RANKS)))

    def numbered_as(self, taxa: Sequence[Sequence[str]]) -> np.ndarray:
        """Return each feature's taxa as numbers in other lists of taxa, `UNKNOWN` for a taxon not in them; int64 [F, ranks]."""
        columns = []
        for rank, names in enumerate(taxa):
            number = {name: k for k, name in enumerate(names)}
            translate = np.array([*(number.get(name, UNKNOWN) for name in self.taxa[rank]), UNKNOWN], dtype=np.int64)
            columns.append(translate[self.numbers[:, rank]])  # UNKNOWN, −1, reads the last
        return np.stack(columns, axis=1)

    def seen(self, is_seen: np.ndarray) -> list[list[str]]:
        """Return the taxa of each rank that the features with ``is_seen``, bool [F], belong to."""
        seen_taxa = []
        for rank, names in enumerate(self.taxa):
            numbers = np.unique(self.numbers[is_seen, rank])
            seen_taxa.append([names[number] for number in numbers if number != UNKNOWN])
        return seen_taxa


def _name(lineage: tuple[str | None, ...], rank: int) -> str | None:
    if len(lineage) <= rank or lineage[rank] is None:
        return None
    return "; ".join(name or "?" for name in lineage[: rank + 1])


def lineages_of_study(feature_ids: Sequence[str], taxonomy: Taxonomy, path: Path) -> Lineages:
    """Return the lineages of a study's features; say of how many features the taxonomy has no row, and what it has instead.

    Raises
    ------
    TaxonomyError
        None of the features has a lineage.
    """
    names = list(feature_ids)
    named = as_in_table(names, taxonomy.feature_ids)
    changed = [pair for pair in zip(taxonomy.feature_ids, named, strict=True) if pair[0] != pair[1]]
    if changed:
        others = name_some([other for other, _ in changed])
        logger.info(
            "--taxonomy %s: %d features are found without the annotation of their ids: %s.", path, len(changed), others
        )
    known = set(named)
    missing = [name for name in names if name not in known]
    lineages = Lineages.of_features(names, named, taxonomy.lineages)
    if not (lineages.numbers >= 0).any():
        raise TaxonomyError(
            f"--taxonomy {path} gives none of the {len(names):,} features of the table a lineage: {name_some(names)}. Pass the "
            f"taxonomy that was made from these features. {_difference(names, named, path)}"
        )
    if missing:
        logger.warning(
            "%d of %d features of the table have no row in --taxonomy %s and are unknown: %s. %s",
            len(missing), len(names), path, name_some(missing), _difference(names, named, path),
        )  # fmt: skip
    return lineages


def _difference(feature_ids: Sequence[str], named: Sequence[str], path: Path) -> str:
    return mismatch(feature_ids, named, "The file", (path, "first column"))
