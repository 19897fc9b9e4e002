"""Tables of shares, presence and totals are told from those of reads."""

import numpy as np
from scipy.sparse import csr_array

from aam.data.fingerprints import Sketcher, place_keys
from aam.data.table_checks import counts_remarks, table_remarks
from helpers.studies import make_study, store_study


def remarks_of(counts):
    counts = np.asarray(counts)
    sketches = Sketcher(place_keys(counts.shape[1]))(csr_array(counts.astype(np.int64)))
    return counts_remarks(counts.sum(axis=1), (counts > 0).sum(axis=1), sketches)


def test_reads_rarefied_and_then_filtered_are_reads():
    stream = np.random.default_rng(0)
    counts = stream.multinomial(1000, stream.dirichlet(np.full(60, 0.5)), size=12)
    filtered = counts.copy()
    filtered[:, :1] = 0  # an ASV of about 17 reads

    assert remarks_of(counts) == []
    assert remarks_of(filtered) == []


def test_rounded_shares_of_a_power_of_ten_are_none():
    stream = np.random.default_rng(0)
    counts = stream.poisson(stream.exponential(80, (12, 60)))

    (remark,) = remarks_of(np.rint(counts / counts.sum(axis=1, keepdims=True) * 1000))

    assert "all samples add up to about 1,000:" in remark


def test_few_samples_and_a_plain_study_give_no_remark():
    assert remarks_of(np.ones((3, 10), dtype=int)) == []
    assert table_remarks(make_study(n_samples=12)) == []


def test_a_sample_that_only_has_half_of_all_reads_is_no_total():
    counts = np.array([[5, 5, 0], [0, 10, 0], [10, 0, 0], [10, 10, 10]])
    study = store_study(list("abcd"), ["F1", "F2", "F3"], ["ACGT", "CCGT", "GCGT"], counts)
    summed = store_study(
        list("abcd"), ["F1", "F2", "F3"], ["ACGT", "CCGT", "GCGT"], np.vstack([counts[:3], counts[:3].sum(axis=0)])
    )

    assert table_remarks(study) == []
    assert "The counts of 'd' are the sums" in table_remarks(summed)[0]
