"""Numbers of tables and sequences, against numpy, scipy, repeated draws and counting by hand."""

import numpy as np
import pytest
from scipy.sparse import csr_array, vstack
from scipy.stats import hypergeom

from aam.data.rarefaction import rarefy, resolve_depth
from aam.errors import TableError
from aam.inspection.tables import (
    SequenceSummary,
    compare_names,
    count_table,
    expected_asvs,
    summarise_sequences,
    summarise_table,
)
from aam.io.count_table import CountTable


def counts_of(n_samples=7, n_features=11, seed=0):
    stream = np.random.default_rng(seed)
    return stream.poisson(0.7, (n_samples, n_features)) * stream.integers(1, 40, (n_samples, n_features))


def table_of(counts):
    n_samples, n_features = counts.shape
    return CountTable([f"S{i}" for i in range(n_samples)], [f"F{i}" for i in range(n_features)], csr_array(counts))


class InBlocks:
    """The same table, one sample at a time."""

    def __init__(self, table):
        self.table, self.shape = table, table.shape

    def ids(self, axis):
        for name in next(iter(self.table.ids(axis))):
            yield [name]

    def blocks(self):
        for row in range(self.shape[0]):
            yield csr_array(self.table.counts[[row]])


def test_totals_are_those_of_numpy():
    counts = counts_of()

    totals = count_table(table_of(counts))

    assert totals.sample_ids == [f"S{i}" for i in range(7)]
    assert list(totals.feature_ids) == [f"F{i}" for i in range(11)]
    np.testing.assert_array_equal(totals.reads, counts.sum(axis=1))
    np.testing.assert_array_equal(totals.asvs, (counts > 0).sum(axis=1))
    np.testing.assert_array_equal(totals.feature_reads, counts.sum(axis=0))


def test_a_table_read_in_blocks_has_the_same_summary():
    table = table_of(counts_of())
    whole, parts = (summarise_table(t, count_table(t)) for t in (table, InBlocks(table)))

    assert (whole.n_reads, whole.sparsity, whole.reads, whole.asvs) == (
        parts.n_reads,
        parts.sparsity,
        parts.reads,
        parts.asvs,
    )
    assert [row.asvs for row in parts.depths] == pytest.approx([row.asvs for row in whole.depths], rel=1e-12)
    assert vstack(list(InBlocks(table).blocks())).shape == table.shape


def test_the_summary_is_that_of_numpy():
    counts = counts_of()
    counts[3] = 0

    summary = summarise_table(table_of(counts), count_table(table_of(counts)))

    assert (summary.n_samples, summary.n_features, summary.n_reads) == (7, 11, counts.sum())
    assert summary.sparsity == pytest.approx((counts == 0).mean())
    assert summary.reads.median == np.median(counts.sum(axis=1))
    assert summary.asvs.three_quarters == np.quantile((counts > 0).sum(axis=1), 0.75)
    assert summary.n_empty_samples == 1


@pytest.mark.parametrize("depth", [1, 2, 17, 40])
def test_expected_asvs_are_those_of_the_hypergeometric_distribution(depth):
    counts = counts_of()

    expected = [
        np.nan if row.sum() < depth else hypergeom.sf(0, row.sum(), row[row > 0], depth).sum() for row in counts
    ]  # fmt: skip

    np.testing.assert_allclose(expected_asvs(csr_array(counts), depth), expected, rtol=1e-10)


def test_expected_asvs_are_the_mean_of_many_draws():
    counts, depth = np.array([50, 20, 3, 1, 1]), 20
    stream = np.random.default_rng(0)

    seen = np.mean([(rarefy(counts, depth, stream) > 0).sum() for _ in range(4000)])

    assert expected_asvs(csr_array(counts[None]), depth)[0] == pytest.approx(seen, abs=0.05)


def test_drawing_all_reads_sees_all_asvs_and_deep_samples_lose_no_precision():
    counts = csr_array(np.array([[3_000_000_000, 1, 2]]))

    assert expected_asvs(counts, 3_000_000_003)[0] == 3
    assert expected_asvs(counts, 1_500_000_001)[0] == pytest.approx(1 + 0.5 + 0.75, abs=1e-4)


def test_depths_hold_the_automatic_one_and_say_what_is_kept():
    counts = np.random.default_rng(1).integers(0, 50, (120, 9))
    reads = counts.sum(axis=1)

    depths = summarise_table(table_of(counts), count_table(table_of(counts))).depths

    automatic = [row for row in depths if row.is_automatic]
    assert [row.depth for row in automatic] == [resolve_depth("auto", reads)]
    assert [row.depth for row in depths] == sorted({row.depth for row in depths})
    for row in depths:
        kept = counts[reads >= row.depth]
        expected = np.mean([hypergeom.sf(0, c.sum(), c[c > 0], row.depth).sum() for c in kept])
        assert row.n_samples == len(kept)
        assert row.asvs == pytest.approx(expected)
        assert row.share_of_asvs == pytest.approx(expected / (kept > 0).sum(axis=1).mean())


def test_a_table_without_reads_has_no_depths():
    table = table_of(np.zeros((3, 2), dtype=int))

    assert summarise_table(table, count_table(table)).depths == []


def test_ids_that_occur_twice_are_refused():
    table = CountTable(["S1", "S1"], ["F1"], csr_array(np.ones((2, 1), dtype=int)))

    with pytest.raises(TableError, match=r"\b1 ids of samples"):
        count_table(table)


def test_lengths_letters_and_copies_are_counted():
    records = [("a", "ACGT"), ("b", "ACGTN"), ("c", "ACGT"), ("d", "AC-GTACG"), ("e", "acgu")]

    names, summary = summarise_sequences(records, max_bp=4)

    assert list(names) == ["a", "b", "c", "d", "e"]
    assert summary == SequenceSummary(
        n_sequences=5, n_distinct=3, shortest=4, median=4.0, longest=8, n_ambiguous=1, n_strange=1, n_longer=2, max_bp=4
    )


def test_blocks_of_records_give_what_one_block_gives(monkeypatch):
    stream = np.random.default_rng(0)
    records = [(f"F{i}", "".join(stream.choice(list("ACGTN"), stream.integers(1, 5)))) for i in range(50)]
    whole = summarise_sequences(records, 3)[1]
    monkeypatch.setattr("aam.inspection.tables._PER_BLOCK", 7)

    assert summarise_sequences(records, 3)[1] == whole
    assert whole.n_distinct == len({sequence for _, sequence in records})


def test_names_in_common_are_those_of_sets():
    stream = np.random.default_rng(0)
    own, other = ([f"F{i}" for i in stream.permutation(60)[:n]] for n in (40, 23))
    reads = stream.integers(1, 9, len(own))

    overlap = compare_names("features", "tree", (own, reads), other)

    assert (overlap.n_table, overlap.n_other, overlap.n_both) == (40, 23, len(set(own) & set(other)))
    assert overlap.share_of_reads == sum(n for name, n in zip(own, reads, strict=True) if name in other) / reads.sum()
    assert overlap.only_in_table == [name for name in own if name not in other][:5]
    assert overlap.only_in_other == [name for name in other if name not in own][:5]


def test_nothing_in_common_is_no_share_of_the_reads():
    overlap = compare_names("samples", "metadata", (["A"], np.array([0])), ["B"])

    assert (overlap.n_both, overlap.share_of_reads, overlap.only_in_table, overlap.only_in_other) == (
        0,
        0,
        ["A"],
        ["B"],
    )
