"""What the number of reads tells of a target: equal to the library's measures, and said when it is much."""

import logging

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from aam.labels.groups import CHANCE, NO_ASSOCIATION, depth_association, warn_of_depth

STREAM = np.random.default_rng(0)
DEPTHS = STREAM.integers(1000, 1100, size=80)  # with ties


def test_of_numbers_it_is_the_size_of_spearmans_correlation():
    truth = DEPTHS + STREAM.normal(0, 40, size=80)

    assert depth_association(DEPTHS, truth, "regression").size == pytest.approx(spearmanr(DEPTHS, truth).statistic)
    assert depth_association(-DEPTHS, truth, "regression").size == pytest.approx(spearmanr(DEPTHS, truth).statistic)


def test_of_classes_it_is_the_area_of_the_class_that_is_told_best():
    truth = np.digitize(DEPTHS + STREAM.normal(0, 30, size=80), [1030, 1070])
    areas = [roc_auc_score(truth == number, DEPTHS) for number in range(3)]

    told = depth_association(DEPTHS, truth, "classification")
    assert told.size == pytest.approx(max(abs(2 * area - 1) for area in areas))


@pytest.mark.parametrize(
    ("depths", "truth", "task"),
    [
        (np.full(6, 500), np.arange(6.0), "regression"),
        (np.arange(6), np.full(6, 2.0), "regression"),
        (np.full(6, 500), np.arange(6) % 2, "classification"),
        (np.arange(6), np.zeros(6, dtype=int), "classification"),
    ],
)
def test_equal_depths_or_targets_tell_nothing(depths, truth, task):
    assert depth_association(depths, truth, task) == NO_ASSOCIATION


def test_it_is_said_only_where_it_is_much(caplog):
    caplog.set_level(logging.WARNING, "aam.labels.groups")
    logging.getLogger("aam").propagate = True

    warn_of_depth("disease", DEPTHS, STREAM.permutation(DEPTHS) > 1050, "classification")
    assert not caplog.records
    warn_of_depth("disease", DEPTHS, (DEPTHS > 1050).astype(int), "classification")

    assert "How many reads a sample has tells its disease (|2·AUROC − 1| 1.00, p = " in caplog.text


@pytest.mark.parametrize("task", ["regression", "classification"])
@pytest.mark.parametrize("n", [5, 6, 9, 12, 40])
def test_what_chance_would_tell_of_few_samples_is_not_said(task, n):
    """Of targets that have nothing to do with depth, about one in a hundred or fewer may be warned of."""
    stream = np.random.default_rng(n)
    n_said = 0
    for _ in range(400):
        depths = stream.permutation(n) + 1000
        truth = stream.normal(size=n) if task == "regression" else np.arange(n) % 3
        told = depth_association(depths, truth, task)
        n_said += told.p_value <= CHANCE

    assert n_said <= 400 * CHANCE + 3 * (400 * CHANCE) ** 0.5


def test_five_samples_never_tell_enough(caplog):
    caplog.set_level(logging.WARNING, "aam.labels.groups")
    logging.getLogger("aam").propagate = True
    few, more = np.arange(5), np.arange(12)

    warn_of_depth("age", few + 1000, few * 2.0, "regression")
    assert not caplog.records
    warn_of_depth("age", more + 1000, more * 2.0, "regression")

    assert "(Spearman's correlation 1.00, p = " in caplog.text
