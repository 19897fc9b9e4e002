"""Columns beside samples that hold a statistic of them, such as the mean of each ASV, found by their values whatever their name."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_array, csr_array, vstack

from aam.errors import name_some
from aam.io.foreign.statistics_names import statistic_of

LEAST_SAMPLES = 4
"""Samples beside a column below which nothing is said."""

_LEAST_TELLING, _LEAST_VALUE = 5, 3.0
"""ASVs in which the samples differ and the statistic is not near 0, of which all must agree; by chance they do not."""

_MOST_ROUNDED = 0.5 + 1e-6

_SLACK_OF_DEPTH, _SLACK_OF_RICHNESS = 0.05, 0.1  # as shares, of what a column of a statistic must add up to

_MOST_CELLS = 50_000_000  # of which medians are computed

_MOST_CANDIDATES = 20

Blocks = Callable[[], Iterable[csr_array]]
"""Function that reads the samples of a table from its beginning, block by block."""


@dataclass(frozen=True)
class FeatureTotals:
    """Totals of the features of a table, [F] each: its reads, and the number of samples that have any."""

    reads: np.ndarray
    samples: np.ndarray

    @classmethod
    def of(cls, blocks: Iterable[csr_array], n_features: int) -> "FeatureTotals":
        """Count them."""
        reads, samples = np.zeros((2, n_features), dtype=np.int64)
        for block in blocks:
            reads += np.bincount(block.indices, weights=block.data, minlength=n_features).astype(np.int64)
            samples += np.bincount(block.indices, minlength=n_features)
        return cls(reads, samples)


def statistic_remarks(
    sample_ids: Sequence[str], depths: np.ndarray, richness: np.ndarray, totals: FeatureTotals, blocks: Blocks
) -> dict[int, str]:
    """Return a remark for each column that holds the mean, median, maximum or another statistic of the samples, by its index.

    The samples are those columns that are not named like a statistic. A column is compared only if its reads and ASVs are
    about those that the statistic must have, or if it is named so.

    Parameters
    ----------
    sample_ids, depths, richness
        Names of the columns, and reads and number of ASVs of each, [S].
    totals
        Totals of the features.
    blocks
        What reads the columns.
    """
    kinds = [statistic_of(name) for name in sample_ids]
    named = np.array([kind is not None for kind in kinds], dtype=bool)
    is_sample = ~named
    found: dict[int, str] = {}
    while is_sample.sum() > LEAST_SAMPLES:
        rest = _without(totals, _read(np.flatnonzero(~is_sample), blocks, len(totals.reads)).values())
        read = _read(_likely(depths, richness, rest, is_sample), blocks, len(totals.reads))
        possible = [index for index, column in read.items() if _is_possible(column, rest, int(is_sample.sum()))]
        candidates = np.union1d(np.array(possible, dtype=np.int64), np.flatnonzero(named))[:_MOST_CANDIDATES]
        more = _compare(candidates, is_sample, blocks) if len(candidates) else {}
        named[:] = False  # once
        found |= more
        if not any(is_sample[index] for index in more):
            break
        is_sample[list(more)] = False
    return {index: statistic_remark(sample_ids[index], kind) for index, kind in sorted(found.items())}


def statistic_remark(name: str, kind: str) -> str:
    """Return what there is to say of a column that holds a statistic of all others, in the plural."""
    return (
        f"The counts of {name_some([name])} are the {kind} of all other samples: it looks like a column of {kind}, not like a "
        "sample. Take it out of the table."
    )


def _likely(depths: np.ndarray, richness: np.ndarray, totals: FeatureTotals, is_sample: np.ndarray) -> np.ndarray:
    """Return the samples whose reads and ASVs are about those of means or maxima, or whose ASVs are those of medians."""
    n = int(is_sample.sum())
    mean = totals.reads / n
    is_likely = (depths == depths[is_sample].max()) & (richness == (totals.samples > 0).sum())
    for expected in (np.rint(mean), np.floor(mean), np.ceil(mean)):
        is_likely |= _is_about(depths, expected.sum(), expected.sum(), _SLACK_OF_DEPTH) & _is_about(
            richness, (expected > 0).sum(), (expected > 0).sum(), _SLACK_OF_RICHNESS
        )
    fewest, most = (totals.samples > n / 2 + 1).sum(), (totals.samples >= n / 2).sum()
    is_median = (depths < np.median(depths[is_sample])) & _is_about(richness, fewest, most, _SLACK_OF_RICHNESS)
    return np.flatnonzero(is_sample & (is_likely | is_median) & (richness >= _LEAST_TELLING))


def _is_about(numbers: np.ndarray, low: float, high: float, slack: float) -> np.ndarray:
    return (numbers >= (1 - slack) * low - 2) & (numbers <= (1 + slack) * high + 2)


def _read(columns: np.ndarray, blocks: Blocks, n_features: int) -> dict[int, np.ndarray]:
    """Return the counts of some columns, float64 [F], by their index."""
    read: dict[int, np.ndarray] = {}
    start = 0
    for block in blocks() if len(columns) else ():
        stop = start + len(block.indptr) - 1
        for index in columns[(columns >= start) & (columns < stop)].tolist():
            entries = slice(block.indptr[index - start], block.indptr[index - start + 1])
            read[index] = np.bincount(block.indices[entries], weights=block.data[entries], minlength=n_features)
        start = stop
    return read


def _without(totals: FeatureTotals, columns: Iterable[np.ndarray]) -> FeatureTotals:
    """Return the totals of all columns but some."""
    reads, samples = totals.reads.copy(), totals.samples.copy()
    for column in columns:
        reads -= column.astype(np.int64)
        samples -= column > 0
    return FeatureTotals(reads, samples)


def _is_possible(column: np.ndarray, totals: FeatureTotals, n_samples: int) -> bool:
    """Return whether a sample may hold means, medians or maxima of the rest, by the totals of all."""
    n = n_samples - 1
    mean = (totals.reads - column) / n
    is_mean = (np.abs(column - mean) < 1).all()
    is_median = (totals.samples[column > 0] >= n / 2).all()
    return bool(is_mean or is_median or (column >= mean).all())


def _compare(candidates: np.ndarray, is_sample: np.ndarray, blocks: Blocks) -> dict[int, str]:
    """Return the candidates that hold a statistic of the samples beside each, in the plural."""
    counts, is_kept = [], []
    start = 0
    for block in blocks():
        rows = np.arange(start, start + len(block.indptr) - 1)
        kept = np.flatnonzero(is_sample[rows] | np.isin(rows, candidates))
        counts.append(csr_array(block)[kept].astype(np.float64))
        is_kept.append(rows[kept])
        start += len(rows)
    table, indices = csr_array(vstack(counts, format="csr")), np.concatenate(is_kept)
    found = {}
    for candidate in candidates.tolist():
        others = np.flatnonzero(is_sample[indices] & (indices != candidate))
        column = table[np.flatnonzero(indices == candidate)].toarray()[0]
        kind = _statistic(column, csr_array(table[others]))
        if kind is not None:
            found[candidate] = kind
    return found


def _statistic(column: np.ndarray, samples: csr_array) -> str | None:
    """Return which statistic of samples, [S, F], a column holds, in the plural; None if it is none."""
    n, sums = len(samples.indptr) - 1, np.asarray(samples.sum(axis=0)).ravel()
    squares = np.asarray(samples.multiply(samples).sum(axis=0)).ravel()
    mean = sums / n
    deviations = np.maximum(squares - sums * mean, 0)
    largest = samples.max(axis=0).toarray().ravel()
    do_differ = largest > mean + 1
    for kind, values in {"sums": sums, "means": mean, "maxima": largest}.items():
        if _is_rounded(column, values, do_differ):
            return kind
    for n_free in (n - 1, n):
        if _is_rounded(column, np.sqrt(deviations / n_free), do_differ):
            return "standard deviations"
    chosen = np.flatnonzero(np.diff(csc_array(samples).indptr) >= n / 2)
    if len(chosen) * n > _MOST_CELLS or not set(np.flatnonzero(column).tolist()) <= set(chosen.tolist()):
        return None
    median = np.zeros(len(column))
    median[chosen] = np.median(samples[:, chosen].toarray(), axis=0)
    return "medians" if _is_rounded(column, median, do_differ) else None


def _is_rounded(column: np.ndarray, values: np.ndarray, do_differ: np.ndarray) -> bool:
    """Return whether a column holds a statistic, rounded, in each ASV, and this tells in enough of them."""
    if (do_differ & (values >= _LEAST_VALUE)).sum() < _LEAST_TELLING:
        return False
    gap = np.abs(column - values)
    return bool((gap <= _MOST_ROUNDED).all() or (column == np.floor(values)).all() or (column == np.ceil(values)).all())
