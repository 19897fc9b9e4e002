"""What a model keeps of its training samples, to recognise them: hashes, sketches and numbers of reads, but no counts."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.sparse import csr_array

from aam.data.fingerprints import SKETCH, hash_pairs, name_keys, sample_blocks, sequence_keys, sketch_study
from aam.data.study import Study
from aam.errors import count_of, name_some

NEAR = 0.35
"""Distance of two sketches up to which samples of one name are the same, such as before and after rarefaction."""

NEAREST, TIMES_NEARER = 0.12, 3.0
"""Distance up to which samples of any name are the same, if that to every other sample is so many times as large."""

LEAST_READS = 100
"""Reads below which a sample has too little of a composition to be found under another name."""

LEADING = 12
"""Most abundant ASVs of a sample of which a hash is kept, each with its reads: they stay when others are taken out."""

LEAST_EQUAL, LEAST_BITS = 4, 30.0
"""Leading ASVs, and bits of information, that must be equal in a sample that lacks others; and so must half of its ASVs be."""

_BITS_OF_ONE = 1.8  # two draws of λ reads are equal once in 2 √(π λ) times

_PER_BLOCK = 1024  # samples whose distances are in memory

_STORED_AS = {"contents": "<u8", "names": "<u8", "reads": "<i8", "sketches": "<f2"}

_PAIRS = "pairs"  # models that were saved before have none


@dataclass(frozen=True)
class KnownSamples:
    """Digests of N samples.

    Attributes
    ----------
    contents
        Hash of the ASVs' sequences, as far as they are read, and of their counts, uint64 [N].
    names
        Hash of the sample's name, uint64 [N].
    reads
        Number of reads, int64 [N].
    sketches
        Vector of which distances tell how alike samples are, float32 [N, `SKETCH`].
    pairs
        Hash of each leading ASV and its reads, uint32 [N, `LEADING`], 0 where a sample has fewer ASVs; [N, 0] if none were kept.
    """

    contents: np.ndarray
    names: np.ndarray
    reads: np.ndarray
    sketches: np.ndarray
    pairs: np.ndarray

    def __post_init__(self) -> None:
        """Check the shapes.

        Raises
        ------
        ValueError
            They do not fit together.
        """
        n_samples = len(self.reads)
        shapes = self.contents.shape, self.names.shape, self.reads.shape, self.sketches.shape
        has_pairs = self.pairs.shape in ((n_samples, 0), (n_samples, LEADING))
        if shapes != ((n_samples,), (n_samples,), (n_samples,), (n_samples, SKETCH)) or not has_pairs:
            raise ValueError("digests of training samples do not fit together")

    @classmethod
    def of(cls, study: Study) -> "KnownSamples":
        """Compute the digests of the samples of a study."""
        keys = sequence_keys(study)
        sketches = sketch_study(study, keys)
        return cls(
            sketches.fingerprints,
            name_keys(list(study.sample_ids)),
            study.depths.astype(np.int64),
            sketches.vectors,
            _leading_pairs(study, keys),
        )

    @classmethod
    def from_stored(cls, stored: Mapping[str, str]) -> "KnownSamples":
        """Return the digests that `stored` gave.

        Raises
        ------
        KeyError, ValueError
            Some are missing, damaged or do not fit together.
        """
        arrays = {
            name: np.frombuffer(base64.b64decode(stored[name], validate=True), dtype=dtype)
            for name, dtype in _STORED_AS.items()
        }
        sketches = arrays["sketches"].astype(np.float32).reshape(-1, SKETCH)
        reads = arrays["reads"].astype(np.int64)
        pairs = np.frombuffer(base64.b64decode(stored.get(_PAIRS, ""), validate=True), dtype="<u4").astype(np.uint32)
        columns = LEADING if _PAIRS in stored else 0
        return cls(
            arrays["contents"].astype(np.uint64),
            arrays["names"].astype(np.uint64),
            reads,
            sketches,
            pairs.reshape(-1 if columns else len(reads), columns),
        )

    def stored(self) -> dict[str, str]:
        """Return the digests as text for JSON, about 140 letters a sample."""
        dtypes = _STORED_AS | ({_PAIRS: "<u4"} if self.pairs.shape[1] else {})
        return {
            name: base64.b64encode(np.asarray(getattr(self, name)).astype(dtype).tobytes()).decode()
            for name, dtype in dtypes.items()
        }

    def find(self, study: Study) -> np.ndarray:
        """Return whether each sample of a study is one of these, bool [S].

        It is, if it has the same counts of the same ASVs, whatever its name; or nearly the same composition, as after
        rarefaction or without rare ASVs, and either the same name or no other sample that is nearly as like it; or the same
        reads of most of the ASVs that were the most abundant, though it lacks others.
        """
        others = KnownSamples.of(study)
        is_known = np.isin(others.contents, self.contents) & (others.reads > 0)
        order = np.argsort(self.names, kind="stable")
        place = np.minimum(np.searchsorted(self.names[order], others.names), len(order) - 1)
        same_name = order[place]
        distance = np.sqrt(np.square(others.sketches - self.sketches[same_name]).sum(axis=1))
        is_known |= (self.names[same_name] == others.names) & (distance <= NEAR)
        is_known |= (others.reads >= LEAST_READS) & self._is_near_one(others.sketches)
        return is_known | self._has_leading_ones(study)

    def _has_leading_ones(self, study: Study) -> np.ndarray:
        """Return whether each sample has the same reads of most of the leading ASVs of one of these samples, bool [S]."""
        has_them, start = np.zeros(study.n_samples, dtype=bool), 0
        if not self.pairs.size:
            return has_them
        keys, order = sequence_keys(study), np.argsort(self.pairs, axis=None, kind="stable")
        hashes = self.pairs.ravel()[order]
        first = np.searchsorted(hashes, 1)  # those that are none are 0
        hashes, owner = hashes[first:], order[first:] // self.pairs.shape[1]
        n_kept = (self.pairs > 0).sum(axis=1)
        for block in sample_blocks(study, np.arange(study.n_samples)):
            sample, known, bits = _equal_pairs(block, _short_hashes(keys, block), hashes, owner)
            both, place = np.unique(np.stack([sample, known]), axis=1, return_inverse=True)
            n_equal, n_bits = np.bincount(place.ravel()), np.bincount(place.ravel(), weights=bits)
            is_one = (n_equal >= np.maximum(LEAST_EQUAL, n_kept[both[1]] / 2)) & (n_bits >= LEAST_BITS)
            has_them[start + both[0, is_one]] = True
            start += len(block.indptr) - 1
        return has_them

    def _is_near_one(self, sketches: np.ndarray) -> np.ndarray:
        """Return whether each sketch is near that of one sample, and far from those of all others, bool [S]."""
        if len(self.reads) < 3:
            return np.zeros(len(sketches), dtype=bool)
        norms = np.square(self.sketches).sum(axis=1)
        is_near = []
        for first in range(0, len(sketches), _PER_BLOCK):
            block = sketches[first : first + _PER_BLOCK]
            squares = np.square(block).sum(axis=1)[:, None] + norms - 2 * block @ self.sketches.T
            nearest, second = np.sqrt(np.maximum(np.partition(squares, 1, axis=1)[:, :2], 0)).T
            is_near.append((nearest <= NEAREST) & (second > NEAREST) & (second >= TIMES_NEARER * nearest))
        return np.concatenate(is_near) if is_near else np.zeros(0, dtype=bool)


def _short_hashes(keys: np.ndarray, counts: csr_array) -> np.ndarray:
    """Return a hash of each ASV of each sample and its reads, uint32, never 0."""
    return np.maximum(hash_pairs(keys[counts.indices], counts.data) >> np.uint64(32), 1).astype(np.uint32)


def _leading_pairs(study: Study, keys: np.ndarray) -> np.ndarray:
    """Return hashes of the most abundant ASVs of each sample and their reads, uint32 [S, `LEADING`]."""
    leading, row = np.zeros((study.n_samples, LEADING), dtype=np.uint32), 0
    for block in sample_blocks(study, np.arange(study.n_samples)):
        hashes = _short_hashes(keys, block)
        reads = np.asarray(block.data, dtype=np.int64)
        for start, stop in pairwise(np.asarray(block.indptr).tolist()):
            order = np.lexsort((hashes[start:stop], -reads[start:stop]))[:LEADING]
            leading[row, : len(order)] = hashes[start:stop][order]
            row += 1
    return leading


def _equal_pairs(
    counts: csr_array, hashes: np.ndarray, known: np.ndarray, owner: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each entry of samples that is among the known hashes, sorted: its row, the owner of the hash, and its bits."""
    first, last = np.searchsorted(known, hashes, "left"), np.searchsorted(known, hashes, "right")
    entry = np.repeat(np.arange(len(hashes)), last - first)
    number = np.arange(len(entry)) - np.repeat(np.cumsum(last - first) - (last - first), last - first)
    rows = np.repeat(np.arange(len(counts.indptr) - 1), np.diff(counts.indptr))
    bits = _BITS_OF_ONE + np.log2(counts.data[entry]) / 2
    return rows[entry], owner[first[entry] + number], bits


def known_samples_remarks(study: Study, is_known: np.ndarray, is_scored: bool) -> list[str]:
    """Return a remark if a model has been trained on some samples of a study.

    Parameters
    ----------
    study
        The samples that are predicted.
    is_known
        Whether the model was trained on each sample, bool [S].
    is_scored
        Whether the predictions are compared with the truth.
    """
    if not is_known.any():
        return []
    names = name_some([study.sample_ids[index] for index in np.flatnonzero(is_known).tolist()])
    n_known = int(is_known.sum())
    seen = f"The model was trained on {n_known:,} of {count_of(len(is_known), 'sample')} ({n_known / len(is_known):.0%}): {names}."
    if not is_scored:
        return [f"{seen} Their predictions look better than those of new samples will be."]
    rest = "says nothing of new samples" if n_known > len(is_known) / 2 else "looks better than for new samples"
    return [
        f"{seen} A score on them {rest}: score samples that the model has not seen, or see the metrics of its own run, which are "
        "of validation samples, and 'aam crossval'."
    ]
