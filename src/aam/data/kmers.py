"""Stretches of 13 nucleotides (k-mers) of sequences: which strand of a sequence others share, and which sequences start alike."""

from dataclasses import dataclass

import numpy as np

from aam import vocabulary

K = 13
"""Nucleotides of a stretch: 67 million are possible, so that two sequences hardly share one by chance."""

_FEWEST = 4
"""Least number of stretches that a sequence shares with others to count as alike; half of its own, if it is that short."""

_FEWEST_OF_SHORT = 3

_WORK = 1 << 25
"""Stretches that are compared at most, so that the time is bounded where no sequences are alike."""

REVERSED, UNKNOWN, FORWARD = -1, 0, 1


@dataclass(frozen=True)
class Sequences:
    """Sequences as tokens, one after the other.

    Attributes
    ----------
    letters
        Tokens, uint8.
    offsets
        Start of each sequence, and the end of the last; int64 [n + 1].
    """

    letters: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def of(cls, parts: list[np.ndarray]) -> "Sequences":
        """Return the sequences of a list of their tokens."""
        lengths = [len(part) for part in parts]
        letters = np.concatenate(parts) if parts else np.empty(0, dtype=np.uint8)
        return cls(letters, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    @property
    def lengths(self) -> np.ndarray:
        """Nucleotides of each sequence, int64 [n]."""
        return np.diff(self.offsets)

    def __getitem__(self, number: int) -> np.ndarray:
        """Return the tokens of one sequence."""
        return self.letters[self.offsets[number] : self.offsets[number + 1]]

    def select(self, numbers: np.ndarray) -> "Sequences":
        """Return some of the sequences."""
        return Sequences.of([self[int(number)] for number in numbers])

    def turned(self, is_turned: np.ndarray) -> "Sequences":
        """Return the sequences, some of them as their reverse complements."""
        parts = [self[k] for k in range(len(self))]
        return Sequences.of([reverse_complement(p) if t else p for p, t in zip(parts, is_turned, strict=True)])


def reverse_complement(tokens: np.ndarray) -> np.ndarray:
    """Return the tokens of the reverse complement; what is no nucleotide stays.

    Examples
    --------
    >>> reverse_complement(np.array([1, 1, 2, 5], dtype=np.uint8))
    array([5, 3, 4, 4], dtype=uint8)
    """
    return _COMPLEMENT[tokens[::-1]]


_COMPLEMENT = np.arange(256, dtype=np.uint8)

_COMPLEMENT[1:5] = [4, 3, 2, 1]


@dataclass(frozen=True)
class Kmers:
    """The stretches of sequences, on both strands.

    Attributes
    ----------
    forward, reverse
        Code of each stretch, and of its reverse complement; uint32 [N].
    owner
        Number of the sequence that each is of, increasing; int64 [N].
    """

    forward: np.ndarray
    reverse: np.ndarray
    owner: np.ndarray

    @classmethod
    def of(cls, sequences: Sequences) -> "Kmers":
        """Return all stretches without ambiguous letters."""
        letters = sequences.letters
        if len(letters) < K:
            empty = np.empty(0, dtype=np.uint32)
            return cls(empty, empty, np.empty(0, dtype=np.int64))
        owner = np.repeat(np.arange(len(sequences)), sequences.lengths)
        is_strange = (letters < vocabulary.FIRST_NUCLEOTIDE) | (letters >= vocabulary.AMBIGUOUS)
        base = np.where(is_strange, 0, letters - vocabulary.FIRST_NUCLEOTIDE).astype(np.uint32)
        n = len(letters) - K + 1
        forward, reverse = np.zeros(n, dtype=np.uint32), np.zeros(n, dtype=np.uint32)
        for step in range(K):
            forward = (forward << 2) | base[step : step + n]
            reverse |= (3 - base[step : step + n]) << np.uint32(2 * step)
        n_strange = np.concatenate([[0], np.cumsum(is_strange)])
        is_whole = (owner[:n] == owner[K - 1 :]) & (n_strange[K:] == n_strange[:n])
        return cls(forward[is_whole], reverse[is_whole], owner[:n][is_whole])


def strands(kmers: Kmers, n: int, profile: np.ndarray) -> np.ndarray:
    """Return which strand of each of ``n`` sequences has the stretches of a profile.

    Parameters
    ----------
    kmers
        Stretches of the sequences.
    n
        Number of sequences.
    profile
        Codes of stretches, sorted; uint32.

    Returns
    -------
    `FORWARD`, `REVERSED`, or `UNKNOWN` where neither strand or both have them; int8 [n].
    """
    forward, reverse = (
        np.bincount(kmers.owner[are_in(codes, profile)], minlength=n) for codes in (kmers.forward, kmers.reverse)
    )
    return _strands_of(forward, reverse, np.bincount(kmers.owner, minlength=n), len(profile))


def are_in(codes: np.ndarray, profile: np.ndarray) -> np.ndarray:
    """Return which codes a sorted profile holds, bool [N]."""
    if not len(profile):
        return np.zeros(len(codes), dtype=bool)
    return profile[np.minimum(np.searchsorted(profile, codes), len(profile) - 1)] == codes


def _strands_of(forward: np.ndarray, reverse: np.ndarray, total: np.ndarray, n_profile: int) -> np.ndarray:
    by_chance = 3 * total * n_profile / 4**K
    least = np.maximum(np.minimum(_FEWEST, total // 2), _FEWEST_OF_SHORT) + by_chance
    is_forward = (forward >= least) & (forward > 2 * reverse)
    is_reversed = (reverse >= least) & (reverse > 2 * forward)
    return is_forward.astype(np.int8) - is_reversed.astype(np.int8)


@dataclass(frozen=True)
class Families:
    """Families of sequences that share stretches, on either strand.

    Attributes
    ----------
    family
        Number of the family of each sequence, in the order in which they were found; −1 for those that were not looked at;
        int64 [n].
    strand
        `FORWARD` or `REVERSED`, relative to the first sequence of the family; int8 [n].
    """

    family: np.ndarray
    strand: np.ndarray


def find_families(sequences: Sequences) -> Families:
    """Collect sequences into families: each grows from the first sequence left by all that share stretches with it.

    Sequences that are alike though none of their stretches are equal are of different families. The number of families is bounded
    by the work that they cost.
    """
    kmers, n = Kmers.of(sequences), len(sequences)
    codes, compact = np.unique(np.concatenate([kmers.forward, kmers.reverse]), return_inverse=True)
    forward, reverse, owner = compact[: len(kmers.owner)], compact[len(kmers.owner) :], kmers.owner
    family, strand = np.full(n, -1, dtype=np.int64), np.zeros(n, dtype=np.int8)
    total = np.bincount(owner, minlength=n)
    is_new, in_profile, work, number = np.zeros(n, dtype=bool), np.zeros(len(codes), dtype=bool), 0, 0
    for seed in range(n):
        if family[seed] >= 0 or not total[seed]:
            continue
        if work > _WORK:
            break
        is_new[:], in_profile[:] = False, False
        is_new[seed], strand[seed] = True, FORWARD
        is_left = family[owner] < 0
        forward, reverse, owner = forward[is_left], reverse[is_left], owner[is_left]
        while is_new.any():
            family[is_new] = number
            of_new = is_new[owner]
            is_ahead = strand[owner] == FORWARD
            in_profile[forward[of_new & is_ahead]] = True
            in_profile[reverse[of_new & ~is_ahead]] = True
            ahead, behind = (np.bincount(owner[in_profile[part]], minlength=n) for part in (forward, reverse))
            found = _strands_of(ahead, behind, total, int(in_profile.sum()))
            is_new = (family < 0) & (found != UNKNOWN)
            strand[is_new] = found[is_new]
            work += len(owner)
        number += 1
    return Families(family, strand)
