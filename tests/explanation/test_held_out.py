"""Held-out samples of several models, in one order."""

import numpy as np
import pytest

from helpers.explanation import samples_of

TABLE = np.random.default_rng(0).integers(1, 400, (9, 5)).astype(float)
SAMPLES = samples_of(TABLE, np.arange(9.0), models=3)


def test_predictions_and_shares_are_in_the_order_of_the_samples():
    np.testing.assert_array_equal(SAMPLES.predictions()[:, 0], TABLE[:, 0])
    np.testing.assert_allclose(SAMPLES.shares().toarray(), TABLE / TABLE.sum(axis=1, keepdims=True))
    assert SAMPLES.folds.tolist() == [0, 1, 2] * 3


def test_rarefied_samples_have_fewer_reads_and_leave_the_others_alone():
    before = SAMPLES.shares().toarray()

    fewer = SAMPLES.rarefied(0.5, seed=1)

    depths = TABLE.sum(axis=1)
    drawn = np.zeros(9)
    for function, rows in fewer.models:
        drawn[rows] = function.counts.sum(axis=1)
        assert (function.counts.toarray() <= TABLE[rows]).all()
    np.testing.assert_array_equal(drawn, np.minimum(depths, int(np.quantile(depths, 0.5))))
    np.testing.assert_array_equal(SAMPLES.shares().toarray(), before)
    again = SAMPLES.rarefied(0.5, seed=1)
    assert all((a.counts != b.counts).nnz == 0 for (a, _), (b, _) in zip(fewer.models, again.models, strict=True))


def test_rare_features_that_are_drawn_away_leave_the_original_whole():
    table = np.array([[1000.0, 1, 1, 1], [500, 1, 1, 1], [40, 1, 1, 1]])
    samples = samples_of(table, np.arange(3.0))

    samples.rarefied(0.0, seed=0)

    np.testing.assert_array_equal(samples.models[0][0].counts.toarray(), table)


def test_candidates_are_in_enough_samples():
    table = TABLE.copy()
    table[2:, 4] = 0

    assert samples_of(table, np.arange(9.0)).candidates(3).tolist() == [0, 1, 2, 3]
    assert samples_of(table, np.arange(9.0)).candidates(2).tolist() == [0, 1, 2, 3, 4]


def test_without_truth_it_is_what_is_predicted():
    unknown = SAMPLES.without_truth(SAMPLES)

    np.testing.assert_array_equal(unknown.truth, TABLE[:, 0])
    assert not unknown.is_labelled


@pytest.mark.parametrize(("classes", "names"), [(("a", "b"), ("b",)), (("a", "b", "c"), ("a", "b", "c"))])
def test_of_two_classes_the_second_is_explained(classes, names):
    samples = samples_of(TABLE, np.arange(9) % len(classes), classes=classes)

    assert samples.output_names == names
