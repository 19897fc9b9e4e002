"""Trimming of new reads against that of the reads of training: whether they begin or end at another place of the gene."""

from dataclasses import dataclass

import numpy as np

from aam import vocabulary
from aam.data.kmers import K, Kmers, Sequences, are_in

_LEAST_STARTS, _LEAST_ENDS = 0.5, 0.9
"""Share of the reads from which they begin, or end, elsewhere: among halves of 12 studies, up to 0.24 and 0.77 do by chance."""

_FEWEST = 3  # reads

_STEPS = 8
"""Nucleotides by which stretches of training must go on beyond a read, more than insertions shift cut reads."""

_FIRST, _ALL = np.uint32(2 * (K - 1)), np.uint32((1 << 2 * K) - 1)

_MOST_EARLIER = 60  # nucleotides before the start of the reads of training that are looked at

_SHIFT = 3  # nucleotides by which reads of one trimming may begin apart


@dataclass(frozen=True)
class Trimming:
    """Which new reads lie otherwise than those of training; bool [n] each.

    Attributes
    ----------
    begins_later, begins_earlier, ends_earlier
        Whether each begins within, or before, reads of training; or ends within one.
    """

    begins_later: np.ndarray
    begins_earlier: np.ndarray
    ends_earlier: np.ndarray


def trimming_of(sequences: Sequences, codes: np.ndarray) -> Trimming:
    """Compare where reads begin and end with the stretches of the sequences that a model was trained on.

    A stretch that no other precedes is the start of a read of training, and one that none follows its end.

    Parameters
    ----------
    sequences
        New reads, in the orientation of those of training.
    codes
        Stretches of the sequences of training, sorted; uint32.
    """
    kmers, n = Kmers.of(sequences), len(sequences)
    is_known = are_in(kmers.forward, codes)
    first, last = (np.full(n, -1, dtype=np.int64) for _ in range(2))
    place = np.arange(len(kmers.owner))
    n_before = np.searchsorted(kmers.owner, np.arange(n))
    known = place[is_known]
    last[kmers.owner[known]] = known
    first[kmers.owner[known[::-1]]] = known[::-1]
    has_known = first >= 0
    offset = np.where(has_known, first - n_before, -1)
    is_preceded = _goes_on(kmers.forward[np.maximum(first, 0)], codes, is_before=True) & has_known
    is_followed = _goes_on(kmers.forward[np.maximum(last, 0)], codes, is_before=False) & has_known
    n_kmers = np.bincount(kmers.owner, minlength=n)
    return Trimming(
        (offset == 0) & is_preceded,
        _are_alike(offset, has_known & ~is_preceded & (offset > _SHIFT) & (offset <= _MOST_EARLIER)),
        (last - n_before == n_kmers - 1) & is_followed,
    )


def _goes_on(codes: np.ndarray, profile: np.ndarray, is_before: bool) -> np.ndarray:
    """Return whether stretches of a profile lead on from each of some stretches, before or after it, by `_STEPS` nucleotides."""
    nucleotides = np.arange(vocabulary.AMBIGUOUS - vocabulary.FIRST_NUCLEOTIDE, dtype=np.uint32)[:, None]
    owner, reached = np.arange(len(codes)), codes
    for _ in range(_STEPS):
        shifted = (reached >> 2) | (nucleotides << _FIRST) if is_before else ((reached << 2) & _ALL) | nucleotides
        pairs = np.stack([np.broadcast_to(owner, shifted.shape).ravel(), shifted.ravel()])
        owner, reached = np.unique(pairs[:, are_in(shifted.ravel(), profile)], axis=1)
        reached = reached.astype(np.uint32)
    return np.isin(np.arange(len(codes)), owner)


def _are_alike(offsets: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Return the members that have the most frequent offset, or nearly."""
    if not members.any():
        return members
    most_frequent = int(np.bincount(offsets[members]).argmax())
    return members & (np.abs(offsets - most_frequent) <= _SHIFT)


def place_of(trimming: Trimming) -> tuple[str, np.ndarray] | None:
    """Return what most reads do otherwise than those of training, as a verb, and which; None if they do not."""
    for verb, members, least in (
        ("begin further in than", trimming.begins_later, _LEAST_STARTS),
        ("begin before", trimming.begins_earlier, _LEAST_STARTS),
        ("end before", trimming.ends_earlier, _LEAST_ENDS),
    ):
        if members.sum() >= _FEWEST and members.mean() >= least:
            return verb, members
    return None
