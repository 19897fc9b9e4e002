"""Samples in which some features have another sample's shares: what remains of a prediction without what they tell."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_array, csr_array

from aam.inference.count_function import CountFunction

ROWS_AT_A_TIME = 512
"""Changed samples that a model reads at a time."""


PSEUDO_READS = 0.5
"""Added to reads before the logarithm of a share is taken."""


@dataclass(frozen=True)
class SetSums:
    """Reads of each set of features in samples and in their donors, which are scaled to the same totals.

    Attributes
    ----------
    own, donated
        Reads, float64 [S, N].
    n_samples
        Number of samples, S.
    """

    own: csc_array
    donated: csc_array
    n_samples: int

    def rows(self, index: int) -> np.ndarray:
        """Return the samples that hold any of a set, or whose donors do; int64."""
        return np.union1d(*(_column(sums, index)[0] for sums in (self.own, self.donated)))

    def log_ratio(self, index: int, rows: np.ndarray) -> np.ndarray:
        """Compute the decadic logarithm of the donor's reads of a set over the sample's own, for some samples; [m]."""
        reads = np.zeros((2, self.n_samples))
        for values, sums in zip(reads, (self.own, self.donated), strict=True):
            holders, of_set = _column(sums, index)
            values[holders] = of_set
        own, donated = np.log10(reads[:, rows] + PSEUDO_READS)
        return donated - own  # type: ignore[no-any-return]


def _column(table: csc_array, index: int) -> tuple[np.ndarray, np.ndarray]:
    entries = slice(table.indptr[index], table.indptr[index + 1])
    return table.indices[entries], table.data[entries]


@dataclass(frozen=True)
class Donation:
    """Samples, and as many donors whose shares they are given.

    Attributes
    ----------
    own, donated
        Reads of the samples, and those of their donors scaled to the same totals; float64 [S, F].
    """

    own: csr_array
    donated: csr_array

    @classmethod
    def of(cls, counts: csr_array, donors: np.ndarray) -> "Donation":
        """Return the donation of the samples ``donors``, int64 [S], to all samples, whose depths are kept."""
        depths = np.asarray(counts.sum(axis=1))
        factor = depths / np.maximum(depths[donors], 1e-12)
        donated = counts[donors]
        donated.data = donated.data * np.repeat(factor, np.diff(donated.indptr))
        return cls(counts, donated)

    def sums(self, membership: csr_array) -> SetSums:
        """Return the reads of each set, whose features are rows of ``membership``, [N, F]."""
        own, donated = (csc_array(reads @ membership.T) for reads in (self.own, self.donated))
        return SetSums(own, donated, len(self.own.indptr) - 1)

    def exchange(self, is_member: np.ndarray, rows: np.ndarray) -> csr_array:
        """Return samples with the donors' shares of a set of features.

        Reads are exchanged before shares are taken: the other reads of the sample are multiplied by one factor, so that its
        depth stays, and ratios among them as well. Where the set takes the whole sample, the others are left without reads.

        Parameters
        ----------
        is_member
            Whether each feature is of the set, bool [F].
        rows
            The samples to change, int64 [m].

        Returns
        -------
        csr_array
            Changed reads, float64 [m, F].
        """
        own, donated = self.own[rows], self.donated[rows]
        depth = np.asarray(own.sum(axis=1))
        others = depth - _sums(own, is_member)
        room = np.maximum(depth - _sums(donated, is_member), 0.0)
        factor = np.divide(room, others, out=np.zeros(len(rows)), where=others > 1e-9 * depth)
        return _only(own, ~is_member, factor) + _only(donated, is_member, np.ones(len(rows)))


def _sums(counts: csr_array, is_member: np.ndarray) -> np.ndarray:
    return np.asarray(counts @ is_member.astype(np.float64))


def _only(counts: csr_array, is_kept: np.ndarray, factor: np.ndarray) -> csr_array:
    scaled = counts.data * is_kept[counts.indices] * np.repeat(factor, np.diff(counts.indptr))
    kept = csr_array(
        (scaled, counts.indices, counts.indptr), shape=counts.shape, copy=True
    )  # zeros are removed in place
    kept.eliminate_zeros()
    return kept


def draw_donors(groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a donor for each sample: whole groups are exchanged, and the donor is any sample of the group that is given.

    Parameters
    ----------
    groups
        Group (subject) of each sample, [S].
    rng
        Source of the draws.

    Returns
    -------
    np.ndarray
        Donor of each sample, of another group if there are two; int64 [S].

    Examples
    --------
    >>> draw_donors(np.array(["a", "b"]), np.random.default_rng(0)).tolist()
    [1, 0]
    """
    names, number = np.unique(groups, return_inverse=True)
    if len(names) == 1:
        names, number = np.arange(len(groups)), np.arange(len(groups))
    cycle = rng.permutation(len(names))
    giver = np.empty(len(names), dtype=np.int64)
    giver[cycle] = np.roll(cycle, 1)
    members = [np.flatnonzero(number == group) for group in range(len(names))]
    return np.array([rng.choice(members[giver[group]]) for group in number], dtype=np.int64)


Change = tuple[int, np.ndarray, csr_array]
"""Number of a set, the samples that are changed, int64 [m], and their changed reads, [m, F]."""


def evaluate(function: CountFunction, changes: Iterable[Change]) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield, for each change, the number of its set, its samples, and the predictions of the changed samples, [m, K].

    Changes are read together, `ROWS_AT_A_TIME` rows or more at a time.
    """
    waiting: list[Change] = []
    n_rows = 0
    for change in changes:
        waiting.append(change)
        n_rows += len(change[1])
        if n_rows >= ROWS_AT_A_TIME:
            yield from _evaluate_together(function, waiting)
            waiting, n_rows = [], 0
    yield from _evaluate_together(function, waiting)


def _evaluate_together(function: CountFunction, changes: list[Change]) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    if not changes:
        return
    counts = stack([counts for _, _, counts in changes], len(function.is_read))
    predicted = function(counts, np.concatenate([rows for _, rows, _ in changes]))
    ends = np.cumsum([len(rows) for _, rows, _ in changes])
    for (number, rows, _), part in zip(changes, np.split(predicted, ends[:-1]), strict=True):
        yield number, rows, part


def stack(blocks: list[csr_array], n_features: int) -> csr_array:
    """Return the rows of several blocks, one block after the other, float64 [m, F]."""
    offsets = np.cumsum([0, *(block.nnz for block in blocks)])
    starts = [block.indptr[:-1] + offset for block, offset in zip(blocks, offsets, strict=False)]
    indptr = np.concatenate([*starts, offsets[-1:]])
    data, indices = (np.concatenate([getattr(block, name) for block in blocks]) for name in ("data", "indices"))
    return csr_array((data, indices, indptr), shape=(len(indptr) - 1, n_features))
