"""Primers, adapters and conserved stretches of ribosomal genes, and where sequences hold them.

The primers are those of the literature, by their usual names: 16S by Lane (1991), Klindworth et al. (2013), Parada et al. (2016)
and Apprill et al. (2015); ITS by White et al. (1990), Gardes & Bruns (1993) and Ihrmark et al. (2012); 18S by Stoeck et al. (2010)
and Amaral-Zettler et al. (2009). Positions of 16S are those of Escherichia coli.
"""

from dataclasses import dataclass

import numpy as np

from aam import vocabulary
from aam.data.kmers import FORWARD, REVERSED, UNKNOWN, Sequences

_LETTERS_OF = {
    "A": "A", "C": "C", "G": "G", "T": "T", "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC",
    "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT",
}  # fmt: skip

_COMPLEMENT_OF = str.maketrans("ACGTRYSWKMBDHVN", "TGCAYRSWMKVHDBN")

FORWARD_PRIMERS = {
    "27F": "AGRGTTYGATYMTGGCTCAG",
    "338F": "ACTCCTACGGGAGGCAGCAG",
    "341F": "CCTACGGGNGGCWGCAG",
    "515F": "GTGYCAGCMGCCGCGGTAA",
    "799F": "AACMGGATTAGATACCCKG",
    "785F": "GGATTAGATACCCBRGTAGTC",
    "926F": "AAACTYAAAKGAATTGRCGG",
    "ITS1F": "CTTGGTCATTTAGAGGAAGTAA",
    "ITS5": "GGAAGTAAAAGTCGTAACAAGG",
    "ITS1": "TCCGTAGGTGAACCTGCGG",
    "ITS3": "GCATCGATGAAGAACGCAGC",
    "fITS7": "GTGARTCATCGARTCTTTG",
    "1391F": "GTACACACCGCCCGTC",
    "TAReuk454FWD1": "CCAGCASCYGCGGTAATTCC",
}

REVERSE_PRIMERS = {
    "338R": "TGCTGCCTCCCGTAGGAGT",
    "519R": "GWATTACCGCGGCKGCTG",
    "785R": "GACTACHVGGGTATCTAATCC",
    "806R": "GGACTACNVGGGTWTCTAAT",
    "926R": "CCGYCAATTYMTTTRAGTTT",
    "1193R": "ACGTCATCCCCACCTTCC",
    "1391R": "GACGGGCGGTGWGTRCA",
    "1492R": "RGYTACCTTGTTACGACTT",
    "ITS2": "GCTGCGTTCTTCATCGATGC",
    "ITS4": "TCCTCCGCTTATTGATATGC",
    "EukBr": "TGATCCTTCTGCAGGTTCACCTAC",
    "TAReukREV3": "ACTTTCGTTCTTGATYRA",
}

PRIMERS = FORWARD_PRIMERS | REVERSE_PRIMERS

ADAPTERS = {"TruSeq": "AGATCGGAAGAGC", "Nextera": "CTGTCTCTTATACACATCT"}
"""Adapters of Illumina, as they follow a fragment that is shorter than the read."""

_LARGEST_OFFSET = 8
"""Nucleotides that may stand before a primer, such as spacers that make reads differ."""

_OFFSET_OF = {"ITS1": 1}
"""The site of ITS1 stands a little behind that of ITS5, whose reads would seem to begin with it."""


def reverse_complement_of(primer: str) -> str:
    """Return the reverse complement of IUPAC letters.

    Examples
    --------
    >>> reverse_complement_of("GTGYCAGCM")
    'KGCTGRCAC'
    """
    return primer[::-1].translate(_COMPLEMENT_OF)


_INNER = {
    "104": "GGACGGGTGAGTAA",
    "359": "AATATTGSRCAATGG",
    "562": "AYTGGGYDTAAAGNG",
    "683": "GTGTAGMGGTGAAATKCGTAGA",
    "1099": "GYAACGAGCGCAACCC",
}
"""Stretches of 16S that nearly all bacteria have, between the sites of primers, by their position (Baker et al. 2003)."""

CONSERVED = tuple({**FORWARD_PRIMERS, **_INNER}.values()) + tuple(map(reverse_complement_of, REVERSE_PRIMERS.values()))
"""Stretches that tell the strand of a ribosomal gene, as its sense strand has them."""


def _mask(letters: str) -> np.ndarray:
    """Return the nucleotides that each IUPAC letter stands for, as bits; uint8 [L]."""
    return np.array(
        [sum(1 << "ACGT".index(nucleotide) for nucleotide in _LETTERS_OF[letter]) for letter in letters], dtype=np.uint8
    )


_BIT = np.zeros(256, dtype=np.uint8)

for _number in range(4):
    _BIT[vocabulary.FIRST_NUCLEOTIDE + _number] = 1 << _number


def _ends(sequences: Sequences, length: int, is_start: bool) -> np.ndarray:
    """Return the first or the last nucleotides as bits, 0 beyond a sequence; the last are aligned at the end; uint8 [n, length]."""
    ends = np.zeros((len(sequences), length), dtype=np.uint8)
    for row in range(len(sequences)):
        letters = sequences[row]
        if is_start:
            part = letters[:length]
            ends[row, : len(part)] = _BIT[part]
        else:
            part = letters[-length:]
            ends[row, length - len(part) :] = _BIT[part]
    return ends


def _count_mismatches(ends: np.ndarray, mask: np.ndarray, starts: list[int]) -> np.ndarray:
    """Return the least number of letters in which rows differ from a primer at some places, int64 [n]."""
    counts = [((ends[:, start : start + len(mask)] & mask) == 0).sum(axis=1) for start in starts]
    return np.min(counts, axis=0)


@dataclass(frozen=True)
class PrimerFinding:
    """A primer that sequences begin or end with.

    Attributes
    ----------
    name, sequence
        Name of the primer, and its letters as they stand in the sequences.
    is_start
        Whether they begin with it, or else end in it.
    holders
        Sequences that do, bool [n].
    """

    name: str
    sequence: str
    is_start: bool
    holders: np.ndarray


def find_primers(sequences: Sequences) -> list[PrimerFinding]:
    """Find the primer that most sequences begin with, and the one that most end in; neither if none do.

    A tenth of the letters of a primer may differ; of several primers that fit, the one that most sequences have exactly is named.
    """
    longest = max(map(len, PRIMERS.values())) + _LARGEST_OFFSET
    findings = []
    for is_start in (True, False):
        ends = _ends(sequences, longest, is_start)
        candidates = []
        for name, primer in PRIMERS.items():
            letters = primer if is_start else reverse_complement_of(primer)
            offsets = range(_OFFSET_OF.get(name, _LARGEST_OFFSET) + 1)
            starts = [offset if is_start else longest - len(letters) - offset for offset in offsets]
            n_mismatches = _count_mismatches(ends, _mask(letters), starts)
            holders = n_mismatches <= len(letters) // 10
            rank = int((n_mismatches == 0).sum()), int(holders.sum())
            candidates.append((rank, PrimerFinding(name, letters, is_start, holders)))
        best = max(candidates, key=lambda candidate: candidate[0])[1]
        if best.holders.any():
            findings.append(best)
    return findings


def hold(sequences: Sequences, letters: str) -> np.ndarray:
    """Return whether each sequence holds IUPAC letters exactly, on its own strand; bool [n]."""
    mask, n = _mask(letters), len(sequences.letters) - len(letters) + 1
    holders = np.zeros(len(sequences), dtype=bool)
    if n <= 0:
        return holders
    bits = _BIT[sequences.letters]
    positions = np.flatnonzero((bits[:n] & mask[0]) != 0)
    for step in range(1, len(mask)):
        positions = positions[(bits[positions + step] & mask[step]) != 0]
    owner = np.searchsorted(sequences.offsets, positions, side="right") - 1
    holders[owner[positions + len(mask) <= sequences.offsets[owner + 1]]] = True
    return holders


def conserved_strands(sequences: Sequences) -> np.ndarray:
    """Return the strand that `CONSERVED` tells of each sequence: `FORWARD`, `REVERSED` or `UNKNOWN`; int8 [n]."""
    n_forward, n_reverse = np.zeros(len(sequences), dtype=np.int64), np.zeros(len(sequences), dtype=np.int64)
    for letters in CONSERVED:
        n_forward += hold(sequences, letters)
        n_reverse += hold(sequences, reverse_complement_of(letters))
    strand = np.full(len(sequences), UNKNOWN, dtype=np.int8)
    strand[n_forward > n_reverse], strand[n_forward < n_reverse] = FORWARD, REVERSED
    return strand
