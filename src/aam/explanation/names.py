"""Names of sets of features by their lineages: the narrowest rank at which the members agree."""

from collections import Counter

import numpy as np

from aam.ecology.lineages import UNKNOWN, Lineages
from aam.explanation.clades import Clades
from aam.figures import short_name

__all__ = ["short_name", "taxon_name", "taxon_names"]

LEAST_AGREEMENT = 2 / 3
"""Share of a set's members of one taxon from which the set is called by it."""

PREFIXES = ("d__", "p__", "c__", "o__", "f__", "g__", "s__")


def taxon_names(clades: Clades, lineages: Lineages | None) -> list[str]:
    """Return the name of each set by the lineages of its members.

    Parameters
    ----------
    clades
        The sets.
    lineages
        Lineages of the features of the study; None leaves all names empty.

    Returns
    -------
    list[str]
        Such as ``g__Bacteroides (12 of 14 ASVs)``, by the narrowest rank of which one taxon has at least two thirds of the members;
        without numbers for single features, and empty where no rank has such a taxon.
    """
    if lineages is None:
        return [""] * len(clades)
    return [taxon_name(clades.members(number), lineages) for number in range(len(clades))]


def taxon_name(features: np.ndarray, lineages: Lineages) -> str:
    """Return the name of some features, int64, by their lineages, as `taxon_names`."""
    numbers = lineages.numbers[features]
    for rank in range(numbers.shape[1] - 1, -1, -1):
        counts = Counter(numbers[numbers[:, rank] != UNKNOWN, rank].tolist())
        if not counts:
            continue
        taxon, n_agreeing = counts.most_common(1)[0]
        if n_agreeing >= LEAST_AGREEMENT * len(features):
            name = _last_name(lineages.taxa[rank][taxon], rank)
            return name if len(features) == 1 else f"{name} ({n_agreeing} of {len(features)} ASVs)"
    return ""


def _last_name(lineage: str, rank: int) -> str:
    """Return the narrowest name of a lineage with the prefix of its rank; a species with its genus."""
    names = lineage.split("; ")
    last = names[-1]
    if rank == len(PREFIXES) - 1 and len(names) > 1 and not last.startswith(names[-2]):
        last = f"{names[-2]} {last}"
    return f"{PREFIXES[rank]}{last}"
