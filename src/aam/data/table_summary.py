"""What a feature table holds, counted block by block, and what each rarefaction depth costs."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.special import gammaln

from aam.data.rarefaction import resolve_depth
from aam.io.count_table import Table, refuse_duplicates
from aam.io.names import Names

SHARES_KEPT = (1.0, 0.95, 0.9, 0.75, 0.5)
"""Shares of the samples that the depths of the table keep, beside the automatic one."""


@dataclass(frozen=True)
class Quantiles:
    """How values are spread."""

    least: float
    quarter: float
    median: float
    three_quarters: float
    most: float

    @classmethod
    def of(cls, values: np.ndarray) -> "Quantiles":
        """Compute them, between neighbouring values where a quantile falls between two.

        Examples
        --------
        >>> Quantiles.of(np.array([1, 2, 3, 4, 5])).quarter
        2.0
        """
        return cls(*np.quantile(values, [0, 0.25, 0.5, 0.75, 1]).tolist())


@dataclass(frozen=True)
class DepthCost:
    """What is left at one rarefaction depth.

    Attributes
    ----------
    depth
        Reads drawn from each sample.
    is_automatic
        Whether ``--rarefy-depth auto`` takes it.
    n_samples
        Samples with at least so many reads.
    asvs
        ASVs that a draw is expected to see in one of them, on average.
    share_of_asvs
        The same as a share of the ASVs that they hold.
    """

    depth: int
    is_automatic: bool
    n_samples: int
    asvs: float
    share_of_asvs: float


@dataclass(frozen=True)
class TableSummary:
    """A table in numbers.

    Attributes
    ----------
    n_samples, n_features, n_reads
        Sizes.
    sparsity
        Share of the pairs of sample and feature that are zero.
    reads, asvs
        Of each sample.
    n_empty_samples
        Samples without reads.
    depths
        What rarefaction costs, by depth.
    """

    n_samples: int
    n_features: int
    n_reads: int
    sparsity: float
    reads: Quantiles
    asvs: Quantiles
    n_empty_samples: int
    depths: list[DepthCost]


@dataclass(frozen=True)
class TableTotals:
    """Names and totals of a table.

    Attributes
    ----------
    sample_ids, feature_ids
        In the order of the file.
    reads, asvs
        Reads and ASVs of each sample, int64 [S].
    feature_reads
        Reads of each feature, int64 [F].
    """

    sample_ids: list[str]
    feature_ids: Names
    reads: np.ndarray
    asvs: np.ndarray
    feature_reads: np.ndarray


def count_table(table: Table) -> TableTotals:
    """Add up a table, in memory that grows with its names only.

    Raises
    ------
    TableError
        Ids occur twice, or values are not counts.
    """
    sample_ids = [name for block in table.ids("sample") for name in block]
    feature_ids = Names.from_blocks(table.ids("observation"))
    refuse_duplicates("samples", sample_ids)
    refuse_duplicates("features", feature_ids)
    reads, asvs = [], []
    feature_reads = np.zeros(len(feature_ids), dtype=np.int64)
    for block in table.blocks():
        reads.append(np.asarray(block.sum(axis=1)).ravel())
        asvs.append(np.diff(block.indptr))
        np.add.at(feature_reads, block.indices, block.data)
    return TableTotals(
        sample_ids,
        feature_ids,
        np.concatenate(reads).astype(np.int64),
        np.concatenate(asvs).astype(np.int64),
        feature_reads,
    )


def summarise_table(table: Table, totals: TableTotals) -> TableSummary:
    """Summarise a table that was counted; it is read once more, for the ASVs that each depth is expected to see.

    Raises
    ------
    TableError
        The table cannot be read any more.
    """
    n_samples, n_features = len(totals.sample_ids), len(totals.feature_ids)
    return TableSummary(
        n_samples=n_samples,
        n_features=n_features,
        n_reads=int(totals.reads.sum()),
        sparsity=1 - int(totals.asvs.sum()) / (n_samples * n_features),
        reads=Quantiles.of(totals.reads),
        asvs=Quantiles.of(totals.asvs),
        n_empty_samples=int((totals.reads == 0).sum()),
        depths=_depth_costs(table, totals),
    )


def _depth_costs(table: Table, totals: TableTotals) -> list[DepthCost]:
    ordered = np.sort(totals.reads)
    automatic = resolve_depth("auto", totals.reads)
    by_share = {max(1, int(ordered[int((1 - share) * len(ordered))])) for share in SHARES_KEPT}
    depths = [int(depth) for depth in sorted({*by_share, automatic or 1}) if depth <= ordered[-1]]
    seen = np.zeros(len(depths))
    for block in table.blocks():
        for k, depth in enumerate(depths):
            seen[k] += np.nansum(expected_asvs(block, depth))
    costs = []
    for depth, n_seen in zip(depths, seen.tolist(), strict=True):
        is_kept = totals.reads >= depth
        n_kept, n_held = int(is_kept.sum()), int(totals.asvs[is_kept].sum())
        costs.append(DepthCost(depth, depth == automatic, n_kept, n_seen / n_kept, n_seen / n_held))
    return costs


def expected_asvs(counts: csr_array, depth: int) -> np.ndarray:
    """Compute how many ASVs a draw of ``depth`` reads without replacement sees on average, NaN where there are fewer; float64 [S].

    An ASV with ``n`` of ``N`` reads is missed with probability C(N − n, d) / C(N, d) (Hurlbert 1971).

    Examples
    --------
    >>> expected_asvs(csr_array(np.array([[1, 1], [3, 0], [1, 0]])), 2)
    array([ 2.,  1., nan])
    """
    n_asvs = np.diff(counts.indptr)
    all_reads = np.asarray(counts.sum(axis=1)).ravel().astype(np.float64)
    total = np.repeat(all_reads, n_asvs)
    others = total - counts.data
    is_missable = (others >= depth) & (total >= depth)
    total, others = total[is_missable], others[is_missable]
    log_missed = gammaln(others + 1) - gammaln(others - depth + 1) - gammaln(total + 1) + gammaln(total - depth + 1)
    samples = np.repeat(np.arange(len(n_asvs)), n_asvs)[is_missable]
    missed = np.bincount(samples, weights=np.exp(log_missed), minlength=len(n_asvs))
    return np.where(all_reads >= depth, n_asvs - missed, np.nan)
