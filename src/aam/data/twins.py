"""Samples that are in a table twice under two names: with identical counts, or as alike as two sequencings of one sample."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from aam.data.fingerprints import SampleSketches, place_keys, sketch_study
from aam.data.study import Study
from aam.errors import count_of, name_some

LEAST_READS, LEAST_ASVS = 20, 5
"""Reads and ASVs of a sample below which equal counts may be chance."""

MOST_COMPARED = 20_000
"""Number of samples above which only identical counts are looked for."""

NEAR = 0.4
"""Distance of two sketches up to which their samples are compared."""

N_NEIGHBOURS = 3
"""Number of nearest samples that a sample is compared with."""

MOST_EXPECTED = 0.1
"""Largest Bray-Curtis distance that two sequencings of one sample may have by chance; with fewer reads, nothing can be told."""

NEVER_MORE, ALWAYS, TIMES_EXPECTED = 0.12, 0.03, 1.4
"""Bray-Curtis distances above which, and up to which, samples are not and are nearly identical, and times the one of chance."""

LEAST_EFFECTIVE = 4.0
"""Effective number of ASVs (of Simpson) of samples that can be told apart; one that a single ASV fills is like many others."""

SampleRows = Mapping[int, tuple[np.ndarray, np.ndarray]]
"""Features, increasing, and counts of samples, by their index."""


@dataclass(frozen=True)
class Twins:
    """Samples that are the same under several names.

    Attributes
    ----------
    identical, near
        Number of the set of samples that each sample is in, int64 [S]: those with identical counts, and those with identical or
        nearly identical ones. A sample that is like no other is in a set of its own.
    """

    identical: np.ndarray
    near: np.ndarray

    def select(self, indices: np.ndarray) -> "Twins":
        """Return the sets of some samples."""
        return Twins(self.identical[indices], self.near[indices])

    @property
    def sets(self) -> list[np.ndarray]:
        """Indices of the samples of each set of several, in the order of their first sample."""
        return sets_of_several(self.near)

    def remark(self, sample_ids: Sequence[str]) -> str | None:
        """Return what there is to say of them: how many samples and sets, and up to five of these; None if there are none.

        Parameters
        ----------
        sample_ids
            Names of the samples, [S].
        """
        sets = self.sets
        if not sets:
            return None
        n_samples, n_identical = sum(map(len, sets)), sum(map(len, sets_of_several(self.identical)))
        how = "identical counts" if n_identical == n_samples else "identical or nearly identical counts"
        if not n_identical:
            how = "nearly identical counts, as from two sequencings of one sample"
        names = name_some([" = ".join(str(sample_ids[index]) for index in of_set[:3].tolist()) for of_set in sets])
        of_all = f"{n_samples:,} of {len(self.near):,} samples"
        return f"{of_all} have {how} under several names, in {count_of(len(sets), 'set')}: {names}."


def sets_of_several(number: np.ndarray) -> list[np.ndarray]:
    """Return the indices of the samples of each set that holds several, int64.

    Parameters
    ----------
    number
        Number of the set of each sample, [S].

    Examples
    --------
    >>> sets_of_several(np.array([0, 1, 0, 2]))
    [array([0, 2])]
    """
    order = np.argsort(number, kind="stable")
    sets = np.split(order, np.flatnonzero(np.diff(number[order])) + 1)
    return sorted((of_set for of_set in sets if len(of_set) > 1), key=lambda of_set: int(of_set[0]))


def find_twins(study: Study) -> Twins:
    """Find samples of a study with identical or nearly identical counts; the cost grows with their number, not its square."""
    sketches = sketch_study(study, place_keys(study.n_features))
    pairs = candidate_pairs(sketches, study.depths, study.richness)
    rows = {index: study.sample(index) for index in np.unique(pairs).tolist()}
    return twins_of(sketches, pairs, rows, study.depths, study.richness)


def candidate_pairs(sketches: SampleSketches, depths: np.ndarray, richness: np.ndarray) -> np.ndarray:
    """Return the pairs of samples to compare, int64 [P, 2]: some of the nearest by sketches, that have no identical counts.

    Parameters
    ----------
    sketches, depths, richness
        Sketch, reads and number of ASVs of each sample, [S].
    """
    is_first = np.zeros(len(depths), dtype=bool)
    is_first[np.unique(sketches.fingerprints, return_index=True)[1]] = True
    chosen = np.flatnonzero(is_first & (depths >= LEAST_READS) & (richness >= LEAST_ASVS))
    if len(chosen) < 2 or len(chosen) > MOST_COMPARED:
        return np.empty((0, 2), dtype=np.int64)
    n_nearest = min(N_NEIGHBOURS + 1, len(chosen))
    vectors = sketches.vectors[chosen]
    _, nearest = KDTree(vectors).query(vectors, k=n_nearest, distance_upper_bound=NEAR)
    found = np.asarray(nearest)  # as many as there are samples where there is none
    first, column = np.nonzero(found < len(chosen))
    second = found[first, column]
    pairs = np.sort(np.stack([first, second], axis=1), axis=1)
    return chosen[np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0)]


def collect_rows(blocks: Iterable[csr_array], samples: np.ndarray) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Return features, increasing, and counts of some samples of a table that is read block by block, by their index."""
    rows, start = {}, 0
    for block in blocks:
        stop = start + len(block.indptr) - 1
        for index in samples[(samples >= start) & (samples < stop)].tolist():
            entries = slice(block.indptr[index - start], block.indptr[index - start + 1])
            order = np.argsort(block.indices[entries])
            rows[index] = block.indices[entries][order], np.asarray(block.data[entries], dtype=np.int64)[order]
        start = stop
    return rows


def twins_of(
    sketches: SampleSketches, pairs: np.ndarray, rows: SampleRows, depths: np.ndarray, richness: np.ndarray
) -> Twins:
    """Return the sets of samples that are the same.

    Parameters
    ----------
    sketches, depths, richness
        Sketch, reads and number of ASVs of each sample, [S].
    pairs
        Pairs to compare, of `candidate_pairs`.
    rows
        Counts of the samples of these pairs.
    """
    n_samples = len(depths)
    is_telling = (depths >= LEAST_READS) & (richness >= LEAST_ASVS)
    identical = np.arange(n_samples)
    first, place = np.unique(sketches.fingerprints, return_index=True, return_inverse=True)[1:]
    identical[is_telling] = first[place][is_telling]
    is_near = np.array([are_nearly_identical(rows[i], rows[j]) for i, j in pairs.tolist()], dtype=bool)
    links = np.concatenate([np.stack([np.arange(n_samples), identical], axis=1), pairs[is_near]])
    graph = coo_array((np.ones(len(links), dtype=bool), (links[:, 0], links[:, 1])), shape=(n_samples, n_samples))
    number = connected_components(graph, directed=False, return_labels=True)[1]
    return Twins(identical, number.astype(np.int64))


def are_nearly_identical(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> bool:
    """Return whether two samples differ hardly more than two draws of reads from one.

    Their Bray-Curtis distance is compared with the one that is expected of two draws: half the sum over ASVs of
    √(2 p (1/n + 1/m) / π), for n and m reads and the joint relative abundances p.

    Parameters
    ----------
    one, other
        Features, increasing, and counts of the samples.

    Examples
    --------
    >>> features = np.arange(6)
    >>> first, second, third = np.full(6, 1000), np.array([980, 1010, 995, 1020, 990, 1005]), np.array([1, 2, 3, 4, 5, 6]) * 300
    >>> are_nearly_identical((features, first), (features, second)), are_nearly_identical((features, first), (features, third))
    (True, False)
    """
    features = np.union1d(one[0], other[0])
    counts = np.zeros((2, len(features)))
    for row, (of_sample, reads) in zip(counts, (one, other), strict=True):
        row[np.searchsorted(features, of_sample)] = reads
    depths = counts.sum(axis=1)
    joint = counts.sum(axis=0) / counts.sum()
    if 1 / np.square(joint).sum() < LEAST_EFFECTIVE:
        return False
    shares = counts / depths[:, None]
    distance = np.abs(shares[0] - shares[1]).sum() / 2
    expected = np.sqrt(2 / np.pi * joint * (1 / depths).sum()).sum() / 2
    return bool(expected <= MOST_EXPECTED and distance <= min(NEVER_MORE, max(ALWAYS, TIMES_EXPECTED * expected)))
