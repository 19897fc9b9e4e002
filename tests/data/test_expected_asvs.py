"""How many ASVs a rarefied sample holds, against draws and scipy."""

import numpy as np
import pytest
from scipy.stats import hypergeom

from aam.data.memory import ExpectedASVs, presence
from aam.data.rarefaction import generator, rarefy
from conftest import make_study

COUNTS = np.array([1, 1, 2, 7, 30, 200])


@pytest.mark.parametrize("depth", [1, 17, 200, 240, 241])
def test_presence_is_hypergeometric(depth):
    expected = 1 - hypergeom(COUNTS.sum(), COUNTS, depth).pmf(0)

    np.testing.assert_allclose(presence(COUNTS, depth), expected, atol=1e-12)


@pytest.mark.parametrize("depth", [None, 241, 10_000])
def test_without_rarefaction_every_asv_is_present(depth):
    assert presence(COUNTS, depth).tolist() == [1.0] * 6


def test_expected_lengths_lie_just_above_those_of_draws():
    study = make_study(n_features=200)
    expected = ExpectedASVs(study, 150, 1024)

    for row in range(study.n_samples):
        counts = study.sample(row)[1]
        drawn = [(rarefy(counts, 150, generator(0, "test", row, k)) > 0).sum() for k in range(300)]
        assert np.mean(drawn) == pytest.approx(expected.of(row)[1].sum(), rel=0.02)
        assert np.quantile(drawn, 0.9) <= expected.lengths(np.array([row]))[0] <= np.max(drawn) + 3


def test_the_token_limit_bounds_the_length_and_leaves_the_most_abundant():
    study = make_study(n_features=200)
    features, counts = study.sample(0)

    expected = ExpectedASVs(study, None, 5)

    assert expected.lengths(np.array([0]))[0] == 5
    assert counts[np.isin(features, expected.of(0)[0])].min() >= np.sort(counts)[-5]


def test_a_mixture_is_as_long_as_two_samples_up_to_the_limit():
    study = make_study(n_features=200)
    n = len(study.sample(0)[0])

    assert ExpectedASVs(study, None, 1024, n_mixed=2).lengths(np.array([0]))[0] == 2 * n
    assert ExpectedASVs(study, None, n + 3, n_mixed=2).lengths(np.array([0]))[0] == n + 3


@pytest.mark.parametrize("depth", [None, 20])
def test_the_bound_is_never_below_the_length(depth):
    expected = ExpectedASVs(make_study(n_samples=9, n_features=40), depth, 12, n_mixed=2)

    assert (expected.most() >= expected.lengths(np.arange(9))).all()
