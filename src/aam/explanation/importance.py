"""Importance by permutation (Breiman 2001; Fisher, Rudin & Dominici 2019): how much worse held-out predictions become."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from tqdm import tqdm

from aam.explanation.losses import Truth, explained_outputs
from aam.explanation.perturbation import Change, Donation, SetSums, draw_donors, evaluate
from aam.inference.count_function import CountFunction


@dataclass(frozen=True)
class HeldOutPart:
    """Samples that one model predicts and has not seen.

    Attributes
    ----------
    function
        The model's predictions as a function of the reads of these samples.
    rows
        Row of each sample among all that are explained, int64 [m].
    truth
        Truth of these samples, standardised or weighted over all that are explained.
    groups
        Group (subject) of each sample, [m].
    """

    function: CountFunction
    rows: np.ndarray
    truth: Truth
    groups: np.ndarray


@dataclass(frozen=True)
class Losses:
    """What exchanging each set of features does to the predictions of each sample.

    Attributes
    ----------
    without
        Change of the part of the loss that does not depend on the truth, float32 [N, S].
    factors
        Change of what the truth is multiplied by, float32 [N, S, K].
    slope, correlation
        Change of the explained output per ten-fold increase of the set's share, and their correlation over samples; [N, O].
    n_changed
        Samples in which the exchange changed anything, int64 [N].
    """

    without: np.ndarray
    factors: np.ndarray
    slope: np.ndarray
    correlation: np.ndarray
    n_changed: np.ndarray

    def increase(self, rows: np.ndarray) -> np.ndarray:
        """Compute the increase of each sample's loss, float64 [N, S], from the rows of the truth, [S, K]."""
        return self.without - np.einsum("nsk,sk->ns", self.factors, rows, optimize=True)


class _Collector:
    """Sums of changes over exchanges, from which `Losses` follow."""

    def __init__(self, n_sets: int, n_samples: int, n_columns: int, repeats: int) -> None:
        n_outputs = 1 if n_columns <= 2 else n_columns
        self.repeats = repeats
        self.without = np.zeros((n_sets, n_samples), dtype=np.float32)
        self.factors = np.zeros((n_sets, n_samples, n_columns), dtype=np.float32)
        self.is_changed = np.zeros((n_sets, n_samples), dtype=bool)
        self.xx, self.xy, self.yy = np.zeros(n_sets), np.zeros((n_sets, n_outputs)), np.zeros((n_sets, n_outputs))

    def add(self, cells: tuple[np.ndarray, ...], without: np.ndarray, factors: np.ndarray) -> None:
        """Add the changes of the terms of the loss of some sets (rows of ``cells``) and samples (columns)."""
        self.without[cells] += without / self.repeats
        self.factors[cells] += factors / self.repeats
        self.is_changed[cells] = True

    def add_slopes(self, sets: np.ndarray, share_change: np.ndarray, output_change: np.ndarray) -> None:
        """Add the changes of log shares and of outputs of some samples."""
        self.xx[sets] += share_change @ share_change
        self.xy[sets] += share_change @ output_change
        self.yy[sets] += np.square(output_change).sum(axis=0)

    def finish(self) -> Losses:
        """Return the changes, with slopes through the origin: an exchange that changes no share changes nothing."""
        xx = self.xx[:, None]
        slope = np.divide(self.xy, xx, out=np.zeros_like(self.xy), where=xx > 0)
        size = np.sqrt(xx * self.yy)
        correlation = np.divide(self.xy, size, out=np.zeros_like(self.xy), where=size > 0)
        return Losses(self.without, self.factors, slope, correlation, self.is_changed.sum(axis=1))


def permuted_losses(
    parts: Sequence[HeldOutPart], membership: csr_array, n_samples: int, repeats: int, seed: int
) -> Losses:
    """Exchange each set of features between whole groups of held-out samples, and compare the predictions.

    Parameters
    ----------
    parts
        Held-out samples by the model that has not seen them.
    membership
        Which features each set holds, float64 [N, F].
    n_samples
        Number of samples that are explained, S.
    repeats
        Number of exchanges, over which changes are averaged.
    seed
        Seed of the exchanges; all sets are exchanged with the same donors.

    Returns
    -------
    Losses
        Changes of the losses, and how outputs follow shares.
    """
    n_sets = len(membership.indptr) - 1
    collector = _Collector(n_sets, n_samples, parts[0].truth.rows.shape[1], repeats)
    with tqdm(total=len(parts) * repeats * n_sets, desc="importance", unit="set", disable=None) as bar:
        for number, part in enumerate(parts):
            rng, first = np.random.default_rng([seed, number]), _first_alike(membership, part.function.counts)
            for _ in range(repeats):
                _exchange(part, membership, first, rng, collector)
                bar.update(n_sets)
    return collector.finish()


def _exchange(
    part: HeldOutPart, membership: csr_array, first: np.ndarray, rng: np.random.Generator, collector: _Collector
) -> None:
    """Exchange each set once, and collect what changes; sets with the same members in these samples are exchanged once."""
    as_is, is_regression = part.function.predictions(), part.truth.is_regression
    without, factors = part.truth.terms(as_is)
    outputs = explained_outputs(as_is, is_regression)
    donation = Donation.of(part.function.counts, draw_donors(part.groups, rng))
    sums = donation.sums(membership)
    for index, rows, predicted in evaluate(part.function, _changes(part, donation, sums, membership, first)):
        changed_without, changed_factors = part.truth.terms(predicted)
        alike = np.flatnonzero(first == index)
        cells = np.ix_(alike, part.rows[rows])
        collector.add(cells, changed_without - without[rows], changed_factors - factors[rows])
        output_change = explained_outputs(predicted, is_regression) - outputs[rows]
        collector.add_slopes(alike, sums.log_ratio(index, rows), output_change)


def _first_alike(membership: csr_array, counts: csr_array) -> np.ndarray:
    """Return, for each set, the first that has the same members among the features that any sample holds; int64 [N]."""
    is_held = np.zeros(max(counts.indices.max(initial=0), membership.indices.max(initial=0)) + 1, dtype=bool)
    is_held[counts.indices] = True
    first: dict[bytes, int] = {}
    alike = np.empty(len(membership.indptr) - 1, dtype=np.int64)
    for index in range(len(alike)):
        members = membership.indices[membership.indptr[index] : membership.indptr[index + 1]]
        alike[index] = first.setdefault(np.sort(members[is_held[members]]).tobytes(), index)
    return alike


def _changes(
    part: HeldOutPart, donation: Donation, sums: SetSums, membership: csr_array, first: np.ndarray
) -> Iterator[Change]:
    n_features = len(part.function.is_read)
    for index in np.unique(first).tolist():
        rows = sums.rows(index)
        if len(rows):
            is_member = np.zeros(n_features, dtype=bool)
            is_member[membership.indices[membership.indptr[index] : membership.indptr[index + 1]]] = True
            yield index, rows, donation.exchange(is_member, rows)
