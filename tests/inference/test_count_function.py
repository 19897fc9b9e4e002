"""Models as functions of reads agree with their predictions."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from aam.data.rarefaction import drop_shallow_samples
from inference.test_predictor import WITH_TARGET, metadata, opened, study  # noqa: F401


@pytest.fixture(scope="module", params=WITH_TARGET)
def case(request, study, metadata):  # noqa: F811
    predictor = opened(request.param, depth=None)  # else each member of an ensemble draws reads of its own
    read = drop_shallow_samples(study, predictor.depth)
    return request.param, predictor.as_function(read, metadata), predictor.predict(read, metadata).values


def test_unchanged_reads_give_the_predictions(case):
    name, function, predicted = case
    tolerance = 0.05 if name == "kernel" else 1e-6  # the saved kernel head has vectors, here of all reads

    np.testing.assert_allclose(function.predictions(), predicted.reshape(len(predicted), -1), rtol=tolerance)


def test_rows_do_not_depend_on_each_other(case):
    _, function, _ = case
    some = np.array([5, 1, 5])

    found = function(function.counts[some], some)

    np.testing.assert_allclose(found, function.predictions()[some], rtol=1e-9)


def test_features_that_are_not_read_change_nothing(case):
    _, function, _ = case
    rows = np.arange(4)
    unread = csr_array(np.tile(np.where(function.is_read, 0.0, 7.0), (4, 1)))

    found = function(csr_array(function.counts[rows] + unread), rows)

    np.testing.assert_allclose(found, function.predictions()[rows], rtol=1e-9)


def test_reads_change_predictions(case):
    _, function, _ = case
    donors = function.counts[np.array([3, 2, 1, 0])]

    changed = function(donors, np.arange(4))

    assert np.abs(changed - function.predictions()[:4]).max() > 1e-6
