"""Summaries of a feature table and a file of sequences, counted block by block, and the names they share with other files."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

import numpy as np
from scipy.sparse import csr_array

from aam import vocabulary
from aam.data.batching.memory import presence
from aam.data.fingerprints import SampleSketches, Sketcher, concatenate_sketches, place_keys
from aam.data.rarefaction import resolve_depth
from aam.io.count_table import Table, refuse_duplicates
from aam.io.sequences import tokenize
from aam.storage.names import HASH_DTYPE, NameIndex, Names, hash_names

SHARES_KEPT = (1.0, 0.95, 0.9, 0.75, 0.5)
"""Fractions of the samples that are kept by the depths to list, beside the automatic depth."""

SHOWN = 5
"""Number of names that an overlap lists of each file."""

_PER_BLOCK = 1 << 14  # records that are counted at once


@dataclass(frozen=True)
class Quantiles:
    """Least value, quartiles and largest value."""

    least: float
    quarter: float
    median: float
    three_quarters: float
    most: float

    @classmethod
    def of(cls, values: np.ndarray) -> "Quantiles":
        """Compute the quantiles of values, by linear interpolation.

        Examples
        --------
        >>> Quantiles.of(np.array([1, 2, 3, 4, 5])).quarter
        2.0
        """
        return cls(*np.quantile(values, [0, 0.25, 0.5, 0.75, 1]).tolist())


@dataclass(frozen=True)
class DepthCost:
    """Samples and ASVs that are left at one rarefaction depth.

    Attributes
    ----------
    depth
        Number of reads drawn from each sample.
    is_automatic
        Whether ``--rarefy-depth auto`` chooses this depth.
    n_samples
        Number of samples with at least `depth` reads.
    asvs
        Expected number of ASVs in the draw from one of these samples, on average.
    share_of_asvs
        Expected number of ASVs in the draws as a fraction of the ASVs in these samples.
    """

    depth: int
    is_automatic: bool
    n_samples: int
    asvs: float
    share_of_asvs: float


@dataclass(frozen=True)
class TableSummary:
    """Summary of a table.

    Attributes
    ----------
    n_samples, n_features, n_reads
        Number of samples, features and reads.
    sparsity
        Fraction of the pairs of sample and feature that are zero.
    reads, asvs
        Quantiles of the number of reads and of ASVs per sample.
    n_empty_samples
        Number of samples without reads.
    depths
        Samples and ASVs that are left at some rarefaction depths.
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
        Ids in the order of the file.
    reads, asvs
        Number of reads and of ASVs of each sample, int64 [S].
    feature_reads, feature_samples
        Number of reads of each feature, and of samples that have any, int64 [F].
    sketches
        What tells which samples are alike.
    remarks
        Remarks on the table.
    """

    sample_ids: list[str]
    feature_ids: Names
    reads: np.ndarray
    asvs: np.ndarray
    feature_reads: np.ndarray
    feature_samples: np.ndarray
    sketches: SampleSketches
    remarks: Sequence[str] = ()


def count_table(table: Table) -> TableTotals:
    """Count the reads and ASVs of a table, in memory that grows with its names only.

    Returns
    -------
    TableTotals
        Ids, and totals of samples and features.

    Raises
    ------
    TableError
        Ids occur twice, or values are not counts.
    """
    sample_ids = [name for block in table.ids("sample") for name in block]
    feature_ids = Names.from_blocks(table.ids("observation"))
    refuse_duplicates("samples", sample_ids)
    refuse_duplicates("features", feature_ids)
    reads, asvs, sketches = [], [], []
    sketcher = Sketcher(place_keys(len(feature_ids)))
    feature_reads, feature_samples = np.zeros((2, len(feature_ids)), dtype=np.int64)
    for block in table.blocks():
        reads.append(np.asarray(block.sum(axis=1)).ravel())
        asvs.append(np.diff(block.indptr))
        sketches.append(sketcher(block))
        np.add.at(feature_reads, block.indices, block.data)
        feature_samples += np.bincount(block.indices, minlength=len(feature_ids))
    return TableTotals(
        sample_ids,
        feature_ids,
        np.concatenate(reads).astype(np.int64),
        np.concatenate(asvs).astype(np.int64),
        feature_reads,
        feature_samples,
        concatenate_sketches(sketches),
    )


def summarise_table(table: Table, totals: TableTotals) -> TableSummary:
    """Summarise a table; it is read once more, for the number of ASVs expected at each depth.

    Parameters
    ----------
    table
        Table to read.
    totals
        Totals of the table, of `count_table`.

    Returns
    -------
    TableSummary
        Sizes, quantiles per sample, and the costs of rarefaction depths.

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
    """Compute the expected number of ASVs in a draw of ``depth`` reads without replacement from each sample.

    Parameters
    ----------
    counts
        Number of reads of each ASV in each sample, [S, F].
    depth
        Number of reads to draw.

    Returns
    -------
    np.ndarray
        Expected number of ASVs, float64 [S]; NaN for samples with fewer reads than `depth`.

    Examples
    --------
    >>> expected_asvs(csr_array(np.array([[1, 1], [3, 0], [1, 0]])), 2)
    array([ 2.,  1., nan])
    """
    indptr = np.asarray(counts.indptr)
    expected = np.full(len(indptr) - 1, np.nan)
    for row, (start, stop) in enumerate(pairwise(indptr.tolist())):
        reads = counts.data[start:stop]
        if reads.sum() >= depth:
            expected[row] = presence(reads, depth).sum()
    return expected


@dataclass(frozen=True)
class SequenceSummary:
    """Summary of sequences.

    Attributes
    ----------
    n_sequences, n_distinct
        Number of records, and of distinct sequences.
    shortest, median, longest
        Length in nucleotides.
    n_ambiguous
        Number of sequences with a letter that stands for several nucleotides, such as N.
    n_strange
        Number of sequences with letters that are not nucleotides, such as gaps.
    n_longer
        Number of sequences that are longer than `max_bp`.
    max_bp
        Default of ``--max-bp``, the number of nucleotides that the model reads.
    """

    n_sequences: int
    n_distinct: int
    shortest: int
    median: float
    longest: int
    n_ambiguous: int
    n_strange: int
    n_longer: int
    max_bp: int


def summarise_sequences(records: Iterable[tuple[str, str]], max_bp: int) -> tuple[Names, SequenceSummary]:
    """Summarise (id, sequence) pairs.

    Parameters
    ----------
    records
        Pairs of id and sequence.
    max_bp
        Length in nucleotides above which a sequence counts as longer than the model reads.

    Returns
    -------
    tuple of Names and SequenceSummary
        Ids in the order of the records, and the summary.
    """
    lengths, hashes, names = [], [], []
    n_ambiguous = n_strange = 0
    for block in _blocks(records):
        sequences = [sequence for _, sequence in block]
        tokens, block_lengths = tokenize(sequences)
        rows = np.repeat(np.arange(len(block)), block_lengths)
        n_ambiguous += len(np.unique(rows[tokens == vocabulary.AMBIGUOUS]))
        n_strange += len(np.unique(rows[tokens > vocabulary.AMBIGUOUS]))
        lengths.append(block_lengths)
        hashes.append(hash_names(sequence.upper().replace("U", "T") for sequence in sequences))
        names += [name for name, _ in block]
    length = np.concatenate(lengths)
    return Names.from_strings(names), SequenceSummary(
        n_sequences=len(length),
        n_distinct=len(np.unique(np.concatenate(hashes).astype(HASH_DTYPE))),
        shortest=int(length.min()),
        median=float(np.median(length)),
        longest=int(length.max()),
        n_ambiguous=n_ambiguous,
        n_strange=n_strange,
        n_longer=int((length > max_bp).sum()),
        max_bp=max_bp,
    )


def _blocks(records: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    remaining = iter(records)
    while block := list(islice(remaining, _PER_BLOCK)):
        yield block


@dataclass(frozen=True)
class Overlap:
    """Names that the table shares with another file.

    Attributes
    ----------
    axis
        Kind of names, "samples" or "features".
    other
        Kind of the other file.
    n_table, n_other, n_both
        Number of names in the table, in the other file, and in both.
    share_of_reads
        Fraction of the table's reads that belong to names in both.
    only_in_table, only_in_other
        Up to five names that only one of them has.
    """

    axis: str
    other: str
    n_table: int
    n_other: int
    n_both: int
    share_of_reads: float
    only_in_table: list[str]
    only_in_other: list[str]


def compare_names(axis: str, other: str, table: tuple[Sequence[str], np.ndarray], names: Sequence[str]) -> Overlap:
    """Compare names of the table with names in another file.

    Parameters
    ----------
    axis
        Kind of names, "samples" or "features".
    other
        Kind of the other file.
    table
        Names of the table, and the number of reads of each, int64 [N].
    names
        Names in the other file.

    Returns
    -------
    Overlap
        Numbers of shared names, and up to five that only one of them has.

    Examples
    --------
    >>> compare_names("samples", "metadata", (["S1", "S2"], np.array([1, 3])), ["S2", "S3"]).share_of_reads
    0.75
    """
    table_names, reads = table
    is_in_other = NameIndex(names).find(table_names) >= 0
    is_in_table = NameIndex(table_names).find(names) >= 0
    return Overlap(
        axis=axis,
        other=other,
        n_table=len(table_names),
        n_other=len(names),
        n_both=int(is_in_other.sum()),
        share_of_reads=float(reads[is_in_other].sum() / max(1, reads.sum())),
        only_in_table=[table_names[int(row)] for row in np.flatnonzero(~is_in_other)[:SHOWN]],
        only_in_other=[names[int(row)] for row in np.flatnonzero(~is_in_table)[:SHOWN]],
    )
