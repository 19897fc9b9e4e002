"""Regions and lengths of reads: whether a table mixes reads that start at two places of a gene, or that were cut to two lengths."""

from dataclasses import dataclass

import numpy as np

from aam import vocabulary
from aam.data.kmers import Sequences, find_families

_START = 60  # nucleotides at the start of reads that are compared

_FEWEST = 5  # ASVs of a family that is looked at

_LEAST_ASVS, _LEAST_READS = 0.1, 0.05
"""Share of the ASVs, and of the reads, of a second region to be told."""

_LEAST_OF_TWO = 0.8  # share of the ASVs that two regions hold; many unlike families are no regions

_SHIFT = 3  # nucleotides by which reads of one region may begin apart

_FEWEST_COMPARED = 20  # positions

_ALIKE = 0.47
"""Least share of the positions at which starts of one region agree: 0.55 of bacteria and archaea, up to 0.4 of two regions."""


def find_second_region(sequences: Sequences, reads: np.ndarray) -> np.ndarray | None:
    """Find ASVs whose starts have nothing in common with those of the rest, but much with each other.

    Reads of one region begin at one place of a gene, where even distant taxa agree at half of the positions. A second region is
    told if it has a tenth of the ASVs and a twentieth of the reads, and the two hold nearly all ASVs.

    Parameters
    ----------
    sequences, reads
        Sequences of the ASVs, and reads of each, [n].

    Returns
    -------
    Whether each ASV is of the second region, bool [n]; None if there is one region.
    """
    starts = np.zeros((len(sequences), _START), dtype=np.uint8)
    for row in range(len(sequences)):
        letters = sequences[row][:_START]
        starts[row, : len(letters)] = letters
    family = find_families(Sequences.of([sequences[k][:_START] for k in range(len(sequences))])).family
    regions = _regions_of(starts, family)
    if len(regions) < 2:
        return None
    agreements = np.array([np.max([_agreement(start, starts) for start in region], axis=0) for region in regions])
    region = np.where(agreements.max(axis=0) >= _ALIKE, agreements.argmax(axis=0), -1)
    sizes = np.bincount(region[region >= 0], minlength=len(regions))
    first, second = np.argsort(-sizes, kind="stable")[:2].tolist()
    members = region == second
    is_common = members.mean() >= _LEAST_ASVS and reads[members].sum() >= _LEAST_READS * reads.sum()
    is_of_two = sizes[first] + sizes[second] >= _LEAST_OF_TWO * len(sequences)
    return members if is_common and is_of_two else None


def _regions_of(starts: np.ndarray, family: np.ndarray) -> list[list[np.ndarray]]:
    """Return the consensus starts of the larger families, those of each region together."""
    sizes = np.bincount(family[family >= 0], minlength=1)
    regions: list[list[np.ndarray]] = []
    for number in np.argsort(-sizes, kind="stable").tolist():
        if sizes[number] < _FEWEST:
            break
        consensus = _consensus(starts[family == number])
        alike = [
            region for region in regions if max(_agreement(start, consensus[None])[0] for start in region) >= _ALIKE
        ]
        if alike:
            alike[0].append(consensus)
        else:
            regions.append([consensus])
    return regions


def _consensus(starts: np.ndarray) -> np.ndarray:
    """Return the nucleotide that most starts have at each position, 0 where none has one; uint8 [P]."""
    tokens = np.arange(vocabulary.FIRST_NUCLEOTIDE, vocabulary.AMBIGUOUS)
    counts = (starts[:, :, None] == tokens).sum(axis=0)
    return np.where(counts.any(axis=1), tokens[counts.argmax(axis=1)], 0).astype(np.uint8)


def _agreement(start: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return the share of positions at which starts agree with another, shifted against it as fits best; float64 [n]."""
    best = np.zeros(len(starts))
    n = len(start)
    for shift in range(-_SHIFT, _SHIFT + 1):
        one, others = start[max(0, shift) : n + min(0, shift)], starts[:, max(0, -shift) : n + min(0, -shift)]
        are_nucleotides = (one > 0) & (one < vocabulary.AMBIGUOUS) & (others > 0) & (others < vocabulary.AMBIGUOUS)
        n_compared = are_nucleotides.sum(axis=1)
        n_equal = ((one == others) & are_nucleotides).sum(axis=1)
        best = np.maximum(best, np.where(n_compared >= _FEWEST_COMPARED, n_equal / np.maximum(n_compared, 1), 0.0))
    return best


_MOST_LENGTHS = 4

_LEAST_SHARE, _LEAST_COVER = 0.1, 0.95
"""Share of the ASVs that have each of a few lengths, and that have any of them, where reads were cut to these."""

_LEAST_DIFFERENCE = 10  # nucleotides between the shortest and the longest

_LEAST_STARTS = 0.05  # share of the ASVs that are the start of another

_FEWEST_STARTS = 3


@dataclass(frozen=True)
class Lengths:
    """Lengths to which the reads of a table seem to have been cut.

    Attributes
    ----------
    lengths
        The lengths that most ASVs have, increasing.
    n_starts
        Number of ASVs that are the start of a longer one.
    """

    lengths: tuple[int, ...]
    n_starts: int


def find_mixed_lengths(sequences: Sequences) -> Lengths | None:
    """Find out whether reads were cut to several lengths.

    They were if nearly all ASVs have one of a few lengths, of which the natural lengths of an amplicon differ by less; or if many
    are the start of others. Nucleotides at the end that vary do not make an ASV the start of another.
    """
    n = len(sequences)
    values, counts = np.unique(sequences.lengths, return_counts=True)
    most = np.sort(values[np.argsort(-counts, kind="stable")[:_MOST_LENGTHS]])
    common = values[counts >= _LEAST_SHARE * n]
    n_starts = _count_starts(sequences, most)
    is_cut = 2 <= len(common) <= _MOST_LENGTHS and counts[counts >= _LEAST_SHARE * n].sum() >= _LEAST_COVER * n
    is_cut = is_cut and common.max() - common.min() >= _LEAST_DIFFERENCE
    if is_cut:
        return Lengths(tuple(common.tolist()), n_starts)
    if n_starts >= max(_FEWEST_STARTS, _LEAST_STARTS * n) and most.max() - most.min() >= _LEAST_DIFFERENCE:
        return Lengths(tuple(most.tolist()), n_starts)
    return None


def _count_starts(sequences: Sequences, lengths: np.ndarray) -> int:
    """Count the ASVs of some lengths that longer ones begin with."""
    n_starts = 0
    parts = [sequences[k].tobytes() for k in range(len(sequences))]
    for length in lengths.tolist():
        starts = {part[:length] for part in parts if len(part) > length}
        n_starts += sum(part in starts for part in parts if len(part) == length)
    return n_starts
