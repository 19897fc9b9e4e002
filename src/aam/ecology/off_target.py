"""ASVs that a taxonomy names as something else than the microbes that were meant: organelles, hosts, another domain."""

from collections.abc import Sequence

import numpy as np

from aam.errors import name_some

PROKARYOTES, FUNGI, EUKARYOTES = ("bacteria", "archaea"), ("fungi",), ("eukaryota", "eukarya", "eukaryotes")

ORGANELLES = {"mitochondria": "mitochondria", "chloroplast": "chloroplast"}
"""Taxa of 16S of organelles, as SILVA and Greengenes call them, and their names in messages."""

HOSTS = ("vertebrata", "mammalia", "chordata", "craniata", "hominidae", "homo sapiens")

_LEAST_SHARE = 0.001  # of the reads

_SHOWN = 3

Lineage = Sequence[str | None]


def off_target_remarks(names: Sequence[str], lineages: Sequence[Lineage], reads: np.ndarray, n_reads: int) -> list[str]:
    """Return the remark on ASVs that are off target, with their share of the reads; none if they have less than 0.1 % of them.

    Organelles always are. If most reads are of bacteria and archaea, eukaryotes are; if most are of fungi, all others with a known
    kingdom; if most are of eukaryotes, bacteria, archaea and vertebrates.

    Parameters
    ----------
    names, lineages
        Names of the ASVs, and their taxa from the highest rank on; empty for unknown ones.
    reads
        Reads of each in the whole table, [n].
    n_reads
        Reads of the table, also of ASVs that the taxonomy lacks.

    Examples
    --------
    >>> lineages = [("Bacteria", "Firmicutes"), ("Bacteria", "Proteobacteria", "Mitochondria")]
    >>> off_target_remarks(["A", "B"], lineages, np.array([3, 1]), 4)[0].partition(", such")[0]
    'The taxonomy names ASVs that are off target: 1 mitochondria (25.0 % of the reads)'
    """
    taxa = [[taxon.strip().lower() for taxon in lineage if taxon] for lineage in lineages]
    domain = _main_domain(taxa, reads)
    kinds = np.array([_kind_of(of_asv, domain) for of_asv in taxa], dtype=object)
    is_off = kinds != ""
    if reads[is_off].sum() < max(1, _LEAST_SHARE * n_reads):
        return []
    parts, excluded = [], []
    for kind in sorted(set(kinds[is_off].tolist()), key=lambda kind: -int(reads[kinds == kind].sum())):
        is_kind = kinds == kind
        parts.append(f"{int(is_kind.sum()):,} {kind} ({100 * reads[is_kind].sum() / n_reads:.1f} % of the reads)")
        excluded.append(kind)
    rows = sorted(np.flatnonzero(is_off).tolist(), key=lambda row: -int(reads[row]))
    return [
        f"The taxonomy names ASVs that are off target: {', '.join(parts)}, such as "
        f"{name_some([names[row] for row in rows], _SHOWN)}. They may say more of hosts and diet than of microbes: consider "
        f"filtering them from the table first (qiime taxa filter-table --p-exclude {','.join(excluded)})."
    ]


def _main_domain(taxa: list[list[str]], reads: np.ndarray) -> tuple[str, ...]:
    """Return the highest taxa that most of the reads with a known one are of."""
    totals = dict.fromkeys((PROKARYOTES, FUNGI, EUKARYOTES), 0)
    for of_asv, n_reads in zip(taxa, reads.tolist(), strict=True):
        for domain in totals:
            if of_asv and of_asv[0] in domain:
                totals[domain] += n_reads
    return max(totals, key=lambda domain: totals[domain])


def _kind_of(taxa: list[str], domain: tuple[str, ...]) -> str:
    """Return what an ASV is if it is off target, as a taxon to exclude; else an empty text."""
    if not taxa:
        return ""
    organelle = next((name for taxon, name in ORGANELLES.items() if taxon in taxa), "")
    if organelle:
        return organelle
    highest = taxa[0]
    if domain == PROKARYOTES:
        return highest if highest in EUKARYOTES else ""
    if domain == EUKARYOTES:
        return highest if highest in PROKARYOTES else next((taxon for taxon in HOSTS if taxon in taxa), "")
    is_fungus = highest in FUNGI or "fungi" in taxa
    return "" if is_fungus or highest in EUKARYOTES else highest
