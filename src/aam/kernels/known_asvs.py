"""ASVs in enough training samples, identified by their sequences, and their counts in the samples of a study."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from aam.data.study import Study
from aam.errors import TableError

MINIMUM_PREVALENCE = 3
"""Least number of training samples with an ASV: rarer ones are noise, a share of all samples would be too many (lab log)."""


@dataclass(frozen=True)
class KnownASVs:
    """Sequences of the ASVs that a head knows.

    A sequence of another study is the same ASV if its first ``length`` nucleotides are the same. Where reads are longer than those
    of training, it is also the longest of the known ASVs that it begins with.

    Attributes
    ----------
    letters
        All sequences as tokens, one after the other, sorted; uint8.
    offsets
        Start of each sequence, and the end of the last; int64 [F + 1].
    length
        Number of nucleotides that are compared: the length of the longest sequence.
    """

    letters: np.ndarray
    offsets: np.ndarray
    length: int

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def of_training(cls, study: Study, rows: np.ndarray) -> "KnownASVs":
        """Return the ASVs that are seen in at least `MINIMUM_PREVALENCE` of the samples ``rows``.

        Raises
        ------
        TableError
            There is no such ASV.
        """
        names, number = np.unique(_sequences(study), return_inverse=True)
        counts = sample_counts(study.select_samples(rows), number, len(names))
        prevalence = np.bincount(counts.indices[counts.data > 0], minlength=len(names))
        kept_sequences = [bytes(names[k]) for k in np.flatnonzero(prevalence >= MINIMUM_PREVALENCE)]
        if not kept_sequences:
            raise TableError(
                f"No ASV is seen in {MINIMUM_PREVALENCE} or more of the {len(rows):,} training samples, so that --head kernel has "
                "nothing to compare: cluster the ASVs to OTUs first, or pass --head network."
            )
        lengths = [len(sequence) for sequence in kept_sequences]
        letters = np.frombuffer(b"".join(kept_sequences), dtype=np.uint8)
        return cls(letters, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), max(lengths))

    def find(self, study: Study, is_training: bool = False) -> np.ndarray:
        """Return the number of each feature of a study among the known ASVs, −1 for unknown features; int64 [F].

        In the study of training no reads are longer than others of the same ASV, so that only whole sequences count.
        """
        number = {self.letters[a:b].tobytes(): k for k, (a, b) in enumerate(_spans(self.offsets))}
        sequences = _sequences(study.cut(self.length))
        found = np.array([number.get(sequence, -1) for sequence in sequences], dtype=np.int64)
        if is_training:
            return found
        return self._with_longer_reads(found, sequences, number, study.tokens.lengths > self.length)

    def _with_longer_reads(
        self, found: np.ndarray, sequences: np.ndarray, number: dict[bytes, int], is_cut: np.ndarray
    ) -> np.ndarray:
        """Return the numbers of features, with those of reads that were sequenced further than in training.

        Training may have ASVs of several lengths, and the same reads, sequenced further, then begin with these. A feature that is
        no longer than the longest known ASV may be another organism: it counts only if more features are so than are found whole.
        """
        lengths = np.unique(np.diff(self.offsets))[::-1].tolist()
        begun = np.full(len(found), -1, dtype=np.int64)
        if len(lengths) > 1:
            starts = {sequence[: lengths[-1]] for sequence in number}
            for feature in np.flatnonzero(found < 0).tolist():
                sequence = sequences[feature]
                if sequence[: lengths[-1]] not in starts:
                    continue
                shorter = (length for length in lengths if length < len(sequence))
                begun[feature] = next((number[sequence[:n]] for n in shorter if sequence[:n] in number), -1)
        is_further = (begun >= 0) & (is_cut | ((begun >= 0).sum() > (found >= 0).sum()))
        return np.where(is_further, begun, found)


def _spans(offsets: np.ndarray) -> list[tuple[int, int]]:
    return list(zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True))


def _sequences(study: Study) -> np.ndarray:
    """Return the nucleotides that are read of each feature as bytes, object [F]."""
    begin = np.asarray(study.tokens.offsets[:-1])
    ends = begin + np.minimum(study.tokens.lengths, study.tokens.longest)
    letters = study.tokens.letters
    sequences = np.empty(len(begin), dtype=object)
    sequences[:] = [letters[a:b].tobytes() for a, b in zip(begin.tolist(), ends.tolist(), strict=True)]
    study.release()
    return sequences


def sample_counts(study: Study, number: np.ndarray, n: int) -> csr_array:
    """Count the reads of each ASV in each sample.

    Parameters
    ----------
    study
        The samples.
    number
        Number of each feature's ASV, below ``n``; −1 for features to leave out. Features with equal numbers are added up.
    n
        Number of ASVs.

    Returns
    -------
    csr_array
        Reads, float64 [S, n].
    """
    parts = [study.sample(row) for row in range(study.n_samples)]
    features = np.concatenate([part[0] for part in parts])
    counts = np.concatenate([part[1] for part in parts]).astype(np.float64)
    sample = np.repeat(np.arange(study.n_samples), [len(part[0]) for part in parts])
    study.release()
    column = number[features]
    is_known = column >= 0
    coordinates = (sample[is_known], column[is_known])
    return csr_array((counts[is_known], coordinates), shape=(study.n_samples, n))
