"""What a model says of samples, written down as another model would."""

import numpy as np

from aam.labels.target import Predictions


def test_classes_that_training_did_not_see_have_probability_0_and_are_in_no_set():
    seen = Predictions(np.array([[0.9, 0.1]]), {"is_outlier": np.array([True])}, np.array([[True, False]]))

    found = seen.in_all_classes(("skin", "gut"), ("gut", "palm", "skin"))

    assert found.values.tolist() == [[0.1, 0.0, 0.9]]
    assert found.chosen is not None
    assert found.chosen.tolist() == [[False, False, True]]
    assert found.columns == seen.columns


def test_numbers_have_no_classes_and_stay_as_they_are():
    for values in (np.array([1.0, 2.0]), np.array([[1.0, 2.0]])):
        numbers = Predictions(values, {"lower": values - 1})

        assert numbers.in_all_classes((), ()) is numbers
