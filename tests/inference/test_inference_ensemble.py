"""Calibration of an ensemble: intervals hold for new groups as often as promised, and unknown classes stay apart."""

import numpy as np
import pytest

from aam.inference.ensemble import LeftOut, calibrate
from aam.labels.target import Predictions, TargetState
from aam.target_transform import TargetTransform

AGE = TargetState("age", "regression", guess=1.0, transform=TargetTransform(1.0, 2.0))
LOG_AGE = TargetState("age", "regression", guess=1.0, transform=TargetTransform(1.0, 2.0, is_log=True))
SITE = TargetState("site", "classification", guess="gut", classes=("gut", "skin", "tongue"))


def said(target, values, truth, groups=None, columns=None):
    n = len(truth)
    groups = np.arange(n) if groups is None else groups
    return LeftOut(Predictions(values, columns or {}), truth, {}, groups, np.arange(n) % 2, np.arange(1.0, n + 1))


def test_new_groups_are_covered_as_often_as_promised():
    """Two members, each with an error of its own on every group that it has not seen; 300 studies, one new subject each."""
    stream, inside = np.random.default_rng(0), []
    for _ in range(300):
        groups = np.repeat(np.arange(25), stream.integers(1, 5, size=25))
        truth = stream.normal(size=len(groups))
        shared = stream.normal(size=25)[groups]
        each = truth + shared + stream.normal(size=(2, len(groups)))
        old = groups < 24
        calibration = calibrate(AGE, said(AGE, each[0][old], truth[old], groups[old]), (), 0.8)
        new = calibration.report(AGE, Predictions(each[:, ~old].mean(axis=0)), {})
        inside.append(new.columns["lower"][0] <= truth[~old][0] <= new.columns["upper"][0])

    assert 0.78 < np.mean(inside) < 0.95  # the mean of members is better than they are, so somewhat more


def test_under_a_logarithm_errors_are_relative_and_nothing_is_below_zero():
    truth, values = np.full(20, 100.0), np.linspace(20.0, 400.0, 20)
    calibration = calibrate(LOG_AGE, said(LOG_AGE, values, truth), (), 0.9)

    found = calibration.report(LOG_AGE, Predictions(np.array([0.5, 50.0])), {})

    assert (np.asarray(found.columns["lower"]) >= 0).all()
    factor = np.asarray(found.columns["upper"]) + 1
    np.testing.assert_allclose(factor / np.array([1.5, 51.0]), factor[0] / 1.5)


def test_quantiles_that_are_too_wide_are_drawn_in_but_not_beyond_the_prediction():
    truth = np.linspace(-1.0, 1.0, 21)
    wide = {"lower": np.full(21, -9.0), "upper": np.full(21, 9.0)}
    calibration = calibrate(AGE, said(AGE, np.zeros(21), truth, columns=wide), (), 0.9)
    new = {"lower": np.array([-9.0, -1.0]), "upper": np.array([9.0, 1.0])}

    found = calibration.report(AGE, Predictions(np.zeros(2), new), {})

    assert calibration.thresholds[0] < 0
    assert found.columns["upper"][0] == pytest.approx(9.0 + calibration.thresholds[0])
    assert found.columns["lower"][1] == found.columns["upper"][1] == 0.0


def test_too_sure_members_are_cooled_and_a_class_that_one_does_not_know_stays_at_zero():
    stream = np.random.default_rng(1)
    logits = stream.normal(size=(4000, 3))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([stream.choice(3, p=p) for p in true])
    sure = np.exp(2 * logits) / np.exp(2 * logits).sum(axis=1, keepdims=True)

    calibration = calibrate(SITE, said(SITE, sure, truth), (), 0.9)
    found = calibration.calibrated(SITE, Predictions(np.array([[0.9, 0.1, 0.0]])))

    assert calibration.temperature == pytest.approx(2, rel=0.1)
    assert found.values[0, 2] == 0
    assert found.values[0, 0] == pytest.approx(3 / 4, abs=0.03)


def test_class_weights_of_training_weigh_in_the_temperature():
    stream = np.random.default_rng(2)
    probability = stream.dirichlet((1, 1, 1), size=500)
    truth = stream.integers(0, 3, 500)

    plain, weighed = (
        calibrate(SITE, said(SITE, probability, truth), weights, 0.9) for weights in ((), (9.0, 0.1, 0.1))
    )

    assert plain.temperature != weighed.temperature


def test_a_part_that_is_far_from_the_others_does_not_make_everything_seem_near():
    left_out = said(AGE, np.zeros(100), np.ones(100))
    far = LeftOut(**{**vars(left_out), "distances": np.where(left_out.members == 1, 50.0, 1.0)})

    assert calibrate(AGE, far, (), 0.9).distances == (1.0, 50.0)
    assert calibrate(AGE, far, (), 0.9).farthest == pytest.approx(1.0)
