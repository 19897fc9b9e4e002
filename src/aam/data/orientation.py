"""Orientation of reads: which ASVs are in the other one than the rest, or than the training sequences of a model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aam.data.kmers import FORWARD, REVERSED, UNKNOWN, Kmers, Sequences, find_families, reverse_complement, strands
from aam.data.primers import conserved_strands
from aam.data.study import Study

MOST_CHECKED = 2000
"""Number of ASVs, the most abundant, that checks of sequences look at."""

_MOST_CONSERVED = 1000  # of these, whose conserved stretches are sought

_MOST_LETTERS = 4_000_000  # nucleotides that a sketch is made of

_MOST_CODES = 1 << 16  # stretches that a sketch holds: 256 kB

_LEAST_REVERSED = 0.2  # share of ASVs that conserved stretches must tell to be reversed

_FEWEST_REVERSED = 5

_NEARLY_ALL = 0.9  # of the ASVs whose strand is known; the others are then as they are

_N_LENGTHS = 101  # quantiles of lengths

_ENTRIES_AT_ONCE = 1 << 22


class KmerSketch:
    """Stretches and lengths of the sequences that a model was trained on, to tell how new reads are oriented and trimmed.

    Parameters
    ----------
    codes
        Codes of the stretches that most sequences have, sorted; uint32.
    lengths
        Lengths of the sequences, or quantiles of them, increasing, int64; None, which becomes empty, if they are not known.
    """

    def __init__(self, codes: np.ndarray, lengths: np.ndarray | None = None) -> None:
        self.codes = codes
        self.lengths = np.empty(0, dtype=np.int64) if lengths is None else lengths

    def __eq__(self, other: object) -> bool:
        """Return whether the other is a sketch of the same stretches and lengths."""
        if not isinstance(other, KmerSketch):
            return False
        return np.array_equal(self.codes, other.codes) and np.array_equal(self.lengths, other.lengths)

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def of_sequences(cls, sequences: Sequences) -> "KmerSketch":
        """Return the stretches that most of the sequences have; of equally frequent ones those with the least codes."""
        kmers = Kmers.of(sequences)
        codes, counts = np.unique(kmers.forward, return_counts=True)
        most_frequent = np.argsort(-counts, kind="stable")[:_MOST_CODES]
        return cls(np.sort(codes[most_frequent]), _quantiles(sequences.lengths))

    @classmethod
    def of(cls, study: Study) -> "KmerSketch":
        """Return the sketch of a study; of a large one, that of its first sequences, whose order is random."""
        offsets = study.tokens.offsets
        n = max(1, int(np.searchsorted(offsets, _MOST_LETTERS, side="right")) - 1)
        n = min(n, len(study.tokens))
        letters = np.array(study.tokens.letters[: offsets[n]])
        sketch = cls.of_sequences(Sequences(letters, np.array(offsets[: n + 1])))
        sketch.lengths = _quantiles(study.tokens.lengths)
        study.release()
        return sketch


def _quantiles(lengths: np.ndarray) -> np.ndarray:
    if not len(lengths):
        return np.empty(0, dtype=np.int64)
    return np.quantile(lengths, np.linspace(0, 1, _N_LENGTHS), method="nearest").astype(np.int64)


@dataclass(frozen=True)
class ReadSample:
    """The most abundant ASVs of a table, in that order; those without reads are left out.

    Attributes
    ----------
    names
        Their names.
    sequences
        Their sequences.
    reads
        Reads of each, in the whole table; int64 [n].
    n_features
        Number of ASVs of the table that have reads.
    """

    names: list[str]
    sequences: Sequences
    reads: np.ndarray
    n_features: int

    def __len__(self) -> int:
        return len(self.names)

    @property
    def scope(self) -> str:
        """The sample in messages: ``80 ASVs``, or ``the 2,000 most abundant ASVs``."""
        is_all = len(self) == self.n_features
        return f"{len(self):,} ASVs" if is_all else f"the {len(self):,} most abundant ASVs"

    def head(self, n: int) -> "ReadSample":
        """Return the first ``n`` ASVs."""
        rows = np.arange(min(n, len(self)))
        return ReadSample(self.names[:n], self.sequences.select(rows), self.reads[:n], self.n_features)

    @classmethod
    def of(cls, study: Study) -> "ReadSample":
        """Return the most abundant ASVs of a study as it is on disk."""
        reads = reads_of_features(study)
        chosen = most_abundant(reads, study.feature_ids)
        letters, offsets = study.tokens.letters, study.tokens.offsets
        parts = [np.array(letters[offsets[k] : offsets[k + 1]]) for k in chosen.tolist()]
        study.release()
        names = [study.feature_ids[k] for k in chosen.tolist()]
        return cls(names, Sequences.of(parts), reads[chosen], int((reads > 0).sum()))


def reads_of_features(study: Study) -> np.ndarray:
    """Count the reads of each feature in all samples of the table, int64 [F]."""
    reads = np.zeros(study.n_features, dtype=np.int64)
    for start in range(0, len(study.indices), _ENTRIES_AT_ONCE):
        entries = slice(start, start + _ENTRIES_AT_ONCE)
        np.add.at(reads, study.indices[entries], study.counts[entries])
        study.release()
    return reads


def most_abundant(reads: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return the features with the most reads, the first `MOST_CHECKED` that have any; ties are in the order of their names."""
    chosen = np.argsort(-reads, kind="stable")[:MOST_CHECKED]
    chosen = chosen[reads[chosen] > 0]
    return np.array(sorted(chosen.tolist(), key=lambda k: (-int(reads[k]), names[k])), dtype=np.int64)


@dataclass(frozen=True)
class Orienter:
    """What turns ASVs.

    Attributes
    ----------
    codes
        Stretches of ASVs in the orientation that is wanted, sorted; uint32.
    turns_unknown
        Whether ASVs are turned that have them on neither strand.
    """

    codes: np.ndarray
    turns_unknown: bool

    def is_turned(self, sequences: Sequences) -> np.ndarray:
        """Return which sequences are to be turned, bool [n]."""
        strand = strands(Kmers.of(sequences), len(sequences), self.codes)
        return (strand == REVERSED) | ((strand == UNKNOWN) & self.turns_unknown)


@dataclass(frozen=True)
class Orientation:
    """Orientation of the ASVs of a sample.

    Attributes
    ----------
    kind
        What it is told from: ``model``, the training sequences of a model; ``conserved``, stretches of ribosomal genes, which
        nearly all ASVs have on the reverse strand; or ``table``, the other ASVs.
    strand
        `FORWARD`, `REVERSED` or `UNKNOWN`, for each ASV; int8 [n].
    orienter
        What turns those that are reversed.
    """

    kind: str
    strand: np.ndarray
    orienter: Orienter

    @property
    def is_reversed(self) -> np.ndarray:
        """Whether each ASV is reversed, bool [n]."""
        return self.strand == REVERSED


def orientation_of(sample: ReadSample, sketch: KmerSketch | None = None) -> Orientation:
    """Compare the ASVs of a sample with the training sequences of a model, or else with each other.

    Parameters
    ----------
    sample
        The ASVs.
    sketch
        Stretches of the training sequences; None without a model.
    """
    n = len(sample)
    if sketch is not None:
        strand = strands(Kmers.of(sample.sequences), n, sketch.codes)
        if strand.any() or not n:
            return Orientation("model", strand, Orienter(sketch.codes, _is_nearly_all_reversed(strand)))
    first = sample.sequences.select(np.arange(min(n, _MOST_CONSERVED)))
    conserved = np.zeros(n, dtype=np.int8)
    conserved[: len(first)] = conserved_strands(first)
    strand = _strands_within(sample, conserved)
    n_reversed = int((conserved == REVERSED).sum())
    is_whole = n_reversed >= max(_FEWEST_REVERSED, _LEAST_REVERSED * len(first)) and _is_nearly_all_reversed(conserved)
    turned = sample.sequences.turned(strand == REVERSED)
    codes = np.unique(Kmers.of(turned.select(np.flatnonzero(strand != UNKNOWN))).forward)
    return Orientation("conserved" if is_whole else "table", strand, Orienter(codes, is_whole))


def _is_nearly_all_reversed(strand: np.ndarray) -> bool:
    n_reversed, n_forward = int((strand == REVERSED).sum()), int((strand == FORWARD).sum())
    return n_reversed > 0 and n_reversed >= _NEARLY_ALL * (n_reversed + n_forward)


def _strands_within(sample: ReadSample, conserved: np.ndarray) -> np.ndarray:
    """Return the strand of each ASV against its family: that of conserved stretches, or else of most reads of the family.

    An ASV that is like no other has no strand.
    """
    families = find_families(sample.sequences)
    family, strand = families.family.copy(), families.strand.copy()
    _join_complements(sample.sequences, family, strand)
    order = np.argsort(family, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(family[order])) + 1):
        if family[members[0]] < 0:
            continue
        told = int((strand[members] * conserved[members]).sum())
        by_reads = int((strand[members] * sample.reads[members]).sum())
        if told < 0 or (told == 0 and by_reads < 0):
            strand[members] *= -1
        if len(members) == 1 and not told:
            strand[members] = UNKNOWN
    return strand


def _join_complements(sequences: Sequences, family: np.ndarray, strand: np.ndarray) -> None:
    """Make families, in place, of exact reverse complements among the sequences that `find_families` did not look at."""
    rows = np.flatnonzero(family < 0).tolist()
    number_of = {sequences[row].tobytes(): row for row in rows}
    number = int(family.max(initial=-1)) + 1
    for row in rows:
        other = number_of.get(reverse_complement(sequences[row]).tobytes(), row)
        if row < other:
            family[[row, other]], strand[[row, other]] = number, (FORWARD, REVERSED)
            number += 1
