"""Regions and lengths of reads: whether a table mixes reads that start at two places of a gene, or that were cut to two lengths."""

from dataclasses import dataclass

import numpy as np

from aam import vocabulary
from aam.data.kmers import Sequences, find_families

_START = 60  # nucleotides at the start of reads that are compared

_FEWEST = 5  # ASVs of a family that is looked at

_LEAST_ASVS, _LEAST_READS = 0.1, 0.05
"""Share of the ASVs, and of the reads, of a second region to be told."""

_LEAST_OF_TWO = 0.9  # share of the ASVs that two regions hold; many unlike families are no regions

_WORD = 6  # nucleotides of a word, of which there are 4096

_COMMON = 0.05  # share of the sequences of a family that have a word at a place

_SHIFT = 3  # nucleotides by which reads of one region may begin apart

_LEAST_WORDS = 0.7
"""Mean number of words at the same place, of families of one region: 4 to 11 of bacteria and archaea, below 0.4 of two regions."""


def find_second_region(sequences: Sequences, reads: np.ndarray) -> np.ndarray | None:
    """Find ASVs whose starts have nothing in common with those of the rest, but much with each other.

    Reads of one region begin at one place of a gene, where even distant taxa share words at the same positions. A second region is
    told if it has a tenth of the ASVs and a twentieth of the reads, and the two hold nearly all ASVs.

    Parameters
    ----------
    sequences, reads
        Sequences of the ASVs, and reads of each, [n].

    Returns
    -------
    Whether each ASV is of the second region, bool [n]; None if there is one region.
    """
    starts = Sequences.of([sequences[k][:_START] for k in range(len(sequences))])
    family = find_families(starts).family
    sizes = np.bincount(family[family >= 0], minlength=1)
    large = [number for number in np.argsort(-sizes, kind="stable").tolist() if sizes[number] >= _FEWEST]
    regions: list[list[int]] = []
    words = {number: _words(starts.select(np.flatnonzero(family == number))) for number in large}
    for number in large:
        near = [region for region in regions if any(_begin_alike(words[other], words[number]) for other in region)]
        if near:
            near[0].append(number)
        else:
            regions.append([number])
    if len(regions) < 2:
        return None
    members = [np.isin(family, region) for region in regions]
    second = sorted(members, key=lambda part: -int(part.sum()))[1]
    is_common = second.mean() >= _LEAST_ASVS and reads[second].sum() >= _LEAST_READS * reads.sum()
    is_of_two = np.sort([part.mean() for part in members])[-2:].sum() >= _LEAST_OF_TWO
    return second if is_common and is_of_two else None


def _words(starts: Sequences) -> np.ndarray:
    """Return the word at each position of each sequence, −1 where there is none; int64 [n, P]."""
    words = np.full((len(starts), _START - _WORD + 1), -1, dtype=np.int64)
    for row in range(len(starts)):
        letters = starts[row].astype(np.int64) - vocabulary.FIRST_NUCLEOTIDE
        n = len(letters) - _WORD + 1
        if n <= 0:
            continue
        is_nucleotide = (letters >= 0) & (letters < len(vocabulary.NUCLEOTIDES))
        code, is_whole = np.zeros(n, dtype=np.int64), np.ones(n, dtype=bool)
        for step in range(_WORD):
            code = 4 * code + letters[step : step + n]
            is_whole &= is_nucleotide[step : step + n]
        words[row, :n] = np.where(is_whole, code, -1)
    return words


def _begin_alike(words: np.ndarray, others: np.ndarray) -> bool:
    """Return whether the others have common words of a family at the same positions, give or take `_SHIFT`."""
    n_positions = words.shape[1]
    is_common = np.zeros((n_positions, 4**_WORD), dtype=bool)
    for position in range(n_positions):
        column = words[:, position]
        counts = np.bincount(column[column >= 0], minlength=4**_WORD)
        is_common[position] = counts >= max(2, _COMMON * len(words))
    best = 0.0
    for shift in range(-_SHIFT, _SHIFT + 1):
        positions = np.arange(max(0, -shift), min(n_positions, n_positions - shift))
        at_these = others[:, positions]
        hits = is_common[positions + shift, np.maximum(at_these, 0)] & (at_these >= 0)
        best = max(best, float(hits.sum(axis=1).mean()))
    return best >= _LEAST_WORDS


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
