"""Fingerprints and sketches of samples: whether two have the same counts, or nearly so, without comparing all with all."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from aam.data.study import Study
from aam.storage.names import hash_bytes, hash_names

SKETCH = 16
"""Length of a sketch."""

_PER_BLOCK = 256  # samples whose counts are in memory

_FEATURES = 1 << 12  # whose sequences are hashed at once

_STEP = np.uint64(0x9E3779B97F4A7C15)  # splitmix64 (Steele, Lea & Flood 2014), as are the two factors below

_FACTORS = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True)
class SampleSketches:
    """What is kept of the counts of S samples.

    Attributes
    ----------
    fingerprints
        Hash of the ASVs and counts of each sample, uint64 [S]: a sum over them, so that their order does not matter.
    vectors
        Random projection of the square roots of relative abundances, float32 [S, `SKETCH`]. The distance of two estimates the
        Hellinger distance of the samples, from 0 to √2, with an error of about a fifth.
    smallest, largest
        Least and largest count of each sample, int64 [S]; 0 for a sample without reads.
    divisors
        Greatest common divisor of the counts of each sample, int64 [S]; 0 for a sample without reads.
    """

    fingerprints: np.ndarray
    vectors: np.ndarray
    smallest: np.ndarray
    largest: np.ndarray
    divisors: np.ndarray


class Sketcher:
    """Function that sketches blocks of samples over the same features.

    Parameters
    ----------
    keys
        Number that stands for each feature, uint64 [F]: `place_keys` within one table, `sequence_keys` across tables.
    """

    def __init__(self, keys: np.ndarray) -> None:
        self._keys = keys

    def __call__(self, counts: csr_array) -> SampleSketches:
        """Return the sketches of samples, [S, F]."""
        features, indptr = counts.indices, counts.indptr
        reads = np.asarray(counts.data, dtype=np.int64)
        lengths = np.diff(indptr)
        hashes = hash_pairs(self._keys[features], reads)
        sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(hashes, dtype=np.uint64)])  # modulo 2**64
        depths = np.diff(np.append(0, np.cumsum(reads))[indptr])
        shares = np.sqrt(reads / np.repeat(np.maximum(depths, 1), lengths)).astype(np.float32)
        vectors = self._projected(shares, features, indptr)
        smallest, largest, divisors = np.zeros((3, len(lengths)), dtype=np.int64)
        if len(reads):
            is_filled = lengths > 0
            starts = indptr[:-1][is_filled]
            smallest[is_filled] = np.minimum.reduceat(reads, starts)
            largest[is_filled] = np.maximum.reduceat(reads, starts)
            divisors[is_filled] = np.gcd.reduceat(reads, starts)
        return SampleSketches(np.diff(sums[indptr]), vectors, smallest, largest, divisors)

    def _projected(self, shares: np.ndarray, features: np.ndarray, indptr: np.ndarray) -> np.ndarray:
        used, places = np.unique(features, return_inverse=True)
        bits = (_mixed(self._keys[used])[:, None] >> np.arange(SKETCH, dtype=np.uint64)) & np.uint64(1)
        signs = (bits.astype(np.float32) * 2 - 1) / np.float32(np.sqrt(SKETCH))
        return csr_array((shares, places, indptr), shape=(len(indptr) - 1, len(used))) @ signs


def hash_pairs(keys: np.ndarray, reads: np.ndarray) -> np.ndarray:
    """Return a hash of each pair of a feature, by its key, and its reads in a sample, uint64 [n]."""
    return _mixed(keys + _mixed(reads.astype(np.uint64) + _STEP))


def concatenate_sketches(parts: list[SampleSketches]) -> SampleSketches:
    """Join the sketches of blocks of samples."""
    fields = (field.name for field in dataclasses.fields(SampleSketches))
    return SampleSketches(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in fields})


def sketch_study(study: Study, keys: np.ndarray, samples: np.ndarray | None = None) -> SampleSketches:
    """Sketch samples of a study, all by default, in memory that does not grow with their counts."""
    sketcher = Sketcher(keys)
    chosen = np.arange(study.n_samples) if samples is None else samples
    return concatenate_sketches([sketcher(block) for block in sample_blocks(study, chosen)])


def sample_blocks(study: Study, samples: np.ndarray) -> Iterator[csr_array]:
    """Yield the counts of some samples of a study, [S, F], block by block."""
    for start in range(0, max(len(samples), 1), _PER_BLOCK):
        rows = [study.sample(index) for index in samples[start : start + _PER_BLOCK].tolist()]
        features = np.concatenate([np.empty(0, dtype=np.int32), *(of_sample for of_sample, _ in rows)])
        counts = np.concatenate([np.empty(0, dtype=np.int64), *(reads for _, reads in rows)])
        indptr = np.append(0, np.cumsum([len(of_sample) for of_sample, _ in rows], dtype=np.int64))
        yield csr_array((counts, features, indptr), shape=(len(rows), study.n_features))
        study.release()


def place_keys(n_features: int) -> np.ndarray:
    """Return keys of features by their place in a table, uint64 [F]."""
    return _mixed(np.arange(n_features, dtype=np.uint64))


def sequence_keys(study: Study) -> np.ndarray:
    """Return keys of features by their sequence, as far as it is read, uint64 [F]; alike in all tables."""
    tokens, parts = study.tokens, [np.empty(0, dtype=np.uint64)]
    for start in range(0, len(tokens), _FEATURES):
        ends = np.asarray(tokens.offsets[start : start + _FEATURES + 1])
        stops = ends[1:] if tokens.max_bp is None else np.minimum(ends[1:], ends[:-1] + tokens.max_bp)
        pairs = zip(ends[:-1].tolist(), stops.tolist(), strict=True)
        parts.append(_first_half(hash_bytes(tokens.letters[begin:stop].tobytes() for begin, stop in pairs)))
        tokens.release()
    return np.concatenate(parts)


def name_keys(sample_ids: list[str]) -> np.ndarray:
    """Return the hash of each name, uint64 [S]."""
    return _first_half(hash_names(sample_ids))


def _first_half(hashes: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(hashes).view(np.uint64).reshape(len(hashes), -1)[:, 0].copy()


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """Scramble the bits of each number."""
    mixed = (numbers ^ (numbers >> np.uint64(30))) * _FACTORS[0]
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _FACTORS[1]
    return mixed ^ (mixed >> np.uint64(31))
