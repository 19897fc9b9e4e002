"""Names in common, against sets."""

import numpy as np

from aam.inspection.tables import compare_names


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
