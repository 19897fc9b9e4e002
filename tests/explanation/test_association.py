"""Rank correlations of shares with the truth, against SciPy."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from scipy.stats import spearmanr

from aam.explanation import association
from aam.explanation.association import associations
from helpers.explanation import samples_of

TABLE = np.random.default_rng(0).integers(0, 30, (24, 6)).astype(float)
MEMBERSHIP = csr_array(np.array([[1.0, 0, 0, 0, 0, 0], [0, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1]]))
SHARES = TABLE / TABLE.sum(axis=1, keepdims=True) @ MEMBERSHIP.toarray().T


@pytest.mark.parametrize("at_a_time", [1, 1024])
def test_values_have_the_size_of_spearmans_correlation(at_a_time, monkeypatch):
    monkeypatch.setattr(association, "_SETS_AT_A_TIME", at_a_time)
    truth = np.random.default_rng(1).normal(size=24)

    found = associations(samples_of(TABLE, truth), MEMBERSHIP)

    expected = [abs(spearmanr(SHARES[:, k], truth).statistic) for k in range(2)]
    np.testing.assert_allclose(found[:2], expected)
    assert found[2] == pytest.approx(0, abs=1e-6)  # all reads are always all


def test_of_classes_the_largest_against_the_others_counts():
    truth = np.random.default_rng(2).integers(0, 3, 24)

    found = associations(samples_of(TABLE, truth, classes=("a", "b", "c")), MEMBERSHIP)

    indicators = pd.get_dummies(truth).to_numpy().astype(float)
    expected = max(abs(spearmanr(SHARES[:, 1], indicators[:, k]).statistic) for k in range(3))
    assert found[1] == pytest.approx(expected)
