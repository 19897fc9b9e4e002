"""Which samples have few reads, and the automatic depth."""

import numpy as np
import pytest

from aam.data.few_reads import (
    automatic_depth,
    automatic_depth_remarks,
    few_reads_remarks,
    has_few_reads,
    new_few_reads_remarks,
)


@pytest.mark.parametrize(
    ("depths", "is_few"),
    [
        ([2, 1000, 1200, 1400], [True, False, False, False]),
        ([49, 51, 1000, 1000, 1000, 1000], [True, False, False, False, False, False]),
        ([499, 501, 10**6, 10**6, 10**6], [True, False, False, False, False]),
        ([1, 1, 2, 3], [False] * 4),
        ([0, 0, 900], [True, True, False]),
    ],
)
def test_few_reads_are_far_below_the_median_and_below_500(depths, is_few):
    assert has_few_reads(np.array(depths)).tolist() == is_few


def test_few_reads_are_told_by_those_of_training():
    assert has_few_reads(np.array([3, 40, 90]), np.array([1000, 1100, 1200])).tolist() == [True, True, False]
    assert not has_few_reads(np.array([3]), np.array([])).any()


def test_a_remark_names_the_samples_and_the_depth_without_them():
    depths = np.array([3, 2000, 2500, 3000, 5])

    (remark,) = automatic_depth_remarks(["a", "b", "c", "d", "e"], depths)

    assert automatic_depth(depths) == 3
    assert "2 of 5 samples have far fewer reads than the others (3 to 5 reads; the median sample has 2,000)" in remark
    assert "'a', 'e'" in remark
    assert "--rarefy-depth 2000, the automatic depth without them" in remark


def test_nothing_is_said_of_even_depths_and_of_empty_samples():
    assert automatic_depth_remarks(["a", "b"], np.array([2000, 2500])) == []
    assert few_reads_remarks(["a", "b"], np.array([0, 2500])) == []
    assert new_few_reads_remarks(["a"], np.array([2500]), np.array([2000])) == []
