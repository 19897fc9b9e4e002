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


class _Slopes:
    """Sums from which the slope and the correlation of changes of outputs on changes of log shares follow."""

    def __init__(self, n_sets: int, n_outputs: int) -> None:
        self.xx, self.count = np.zeros(n_sets), np.zeros(n_sets, dtype=np.int64)
        self.xy, self.yy = np.zeros((n_sets, n_outputs)), np.zeros((n_sets, n_outputs))

    def add(self, number: int, share_change: np.ndarray, output_change: np.ndarray) -> None:
        self.xx[number] += share_change @ share_change
        self.xy[number] += share_change @ output_change
        self.yy[number] += np.square(output_change).sum(axis=0)
        self.count[number] += len(share_change)

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        """Return slopes and correlations through the origin: an exchange that changes no share changes nothing."""
        xx = self.xx[:, None]
        slope = np.divide(self.xy, xx, out=np.zeros_like(self.xy), where=xx > 0)
        size = np.sqrt(xx * self.yy)
        return slope, np.divide(self.xy, size, out=np.zeros_like(self.xy), where=size > 0)


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
    is_regression = parts[0].truth.is_regression
    n_columns = parts[0].truth.rows.shape[1]
    n_outputs = 1 if n_columns <= 2 else n_columns
    without = np.zeros((n_sets, n_samples), dtype=np.float32)
    factors = np.zeros((n_sets, n_samples, n_columns), dtype=np.float32)
    changed = np.zeros((n_sets, n_samples), dtype=bool)
    slopes = _Slopes(n_sets, n_outputs)
    with tqdm(total=len(parts) * repeats * n_sets, desc="importance", unit="set", disable=None) as bar:
        for number, part in enumerate(parts):
            as_is = part.function.predictions()
            base, base_factors = part.truth.terms(as_is)
            outputs = explained_outputs(as_is, is_regression)
            rng = np.random.default_rng([seed, number])
            for _ in range(repeats):
                donation = Donation.of(part.function.counts, draw_donors(part.groups, rng))
                sums = donation.sums(membership)
                for index, rows, predicted in evaluate(part.function, _changes(part, donation, sums, membership, bar)):
                    new, new_factors = part.truth.terms(predicted)
                    of_study = part.rows[rows]
                    without[index, of_study] += (new - base[rows]) / repeats
                    factors[index, of_study] += (new_factors - base_factors[rows]) / repeats
                    changed[index, of_study] = True
                    output_change = explained_outputs(predicted, is_regression) - outputs[rows]
                    slopes.add(index, sums.log_ratio(index, rows), output_change)
    slope, correlation = slopes.finish()
    return Losses(without, factors, slope, correlation, changed.sum(axis=1))


def _changes(
    part: HeldOutPart, donation: Donation, sums: SetSums, membership: csr_array, bar: tqdm
) -> Iterator[Change]:
    n_features = len(part.function.is_read)
    for index in range(len(membership.indptr) - 1):
        rows = sums.rows(index)
        if len(rows):
            is_member = np.zeros(n_features, dtype=bool)
            is_member[membership.indices[membership.indptr[index] : membership.indptr[index + 1]]] = True
            yield index, rows, donation.exchange(is_member, rows)
        bar.update()
