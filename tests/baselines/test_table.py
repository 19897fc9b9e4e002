"""Every baseline learns, repeats, and gives each class of the study a probability."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from aam.baselines.fold import StudyData, loss
from aam.baselines.table import BASELINES

LEARNING = [name for name in BASELINES if name not in ("guess", "depth")]


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch):
    monkeypatch.setattr("aam.baselines.trees.FOREST_SIZE", 40)
    monkeypatch.setattr("aam.baselines.trees.TUNING_FOREST_SIZE", 10)
    monkeypatch.setattr("aam.baselines.trees.MOST_TREES", 20)


def study_data(task, n_samples=60, seed=0) -> StudyData:
    """Let the ratio of the first two features decide the value, and the distances follow it."""
    stream = np.random.default_rng(seed)
    signal = stream.normal(size=n_samples)
    rates = np.exp(np.column_stack([signal, -signal, stream.normal(size=(n_samples, 6))]) + 3)
    counts = csr_array(stream.poisson(rates))
    groups = np.array([f"g{i // 2}" for i in range(n_samples)])
    near = np.exp(-np.square(signal[:, None] - signal[None, :]))
    truth = 10 * signal + 50 if task == "regression" else np.digitize(signal, [-0.5, 0.5])
    return StudyData(counts, truth, groups, task, 0 if task == "regression" else 3, 1 - near)


def predict(whole: StudyData, name: str, n_train=45) -> tuple[np.ndarray, np.ndarray]:
    rows = np.arange(len(whole.truth))
    return BASELINES[name](whole.fold(rows[:n_train], rows[n_train:], seed=0)), whole.truth[n_train:]


@pytest.mark.parametrize("task", ["regression", "classification"])
@pytest.mark.parametrize("name", LEARNING)
def test_it_loses_less_than_the_guess(name, task):
    prediction, truth = predict(study_data(task), name)
    guess, _ = predict(study_data(task), "guess")

    assert loss(task, prediction, truth) < 0.8 * loss(task, guess, truth)


@pytest.mark.parametrize("task", ["regression", "classification"])
@pytest.mark.parametrize("name", BASELINES)
def test_it_repeats_and_has_the_shape_of_its_task(name, task):
    first, truth = predict(study_data(task), name)
    second, _ = predict(study_data(task), name)

    assert first.shape == ((len(truth),) if task == "regression" else (len(truth), 3))
    np.testing.assert_array_equal(first, second)
    if task == "classification":
        np.testing.assert_allclose(first.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("name", BASELINES)
def test_a_class_that_training_never_saw_has_probability_0(name):
    whole = study_data("classification")
    whole.truth[:45] = np.minimum(whole.truth[:45], 1)

    probability, _ = predict(whole, name)

    assert (probability[:, 2] == 0).all()


def test_the_guess_is_the_median_or_the_shares_of_classes():
    value, _ = predict(study_data("regression"), "guess")
    share, _ = predict(study_data("classification"), "guess")

    assert value.tolist() == [np.median(study_data("regression").truth[:45])] * 15
    assert share[0].tolist() == (np.bincount(study_data("classification").truth[:45]) / 45).tolist()


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_depth_predicts_what_follows_the_number_of_reads_and_nothing_else(task):
    whole = study_data(task)
    by_depth, _ = predict(whole, "depth")
    guess, truth = predict(whole, "guess")
    follows = np.argsort(np.argsort(whole.counts.sum(axis=1)))
    other = StudyData(
        whole.counts, follows // 20 if task == "classification" else follows, whole.groups, task, whole.n_classes
    )
    confounded, its_truth = predict(other, "depth")

    assert loss(task, by_depth, truth) > 0.8 * loss(task, guess, truth)
    assert loss(task, confounded, its_truth) < 0.6 * loss(task, predict(other, "guess")[0], its_truth)


def test_depth_does_not_read_which_features_the_reads_are_of():
    whole = study_data("regression")
    stream = np.random.default_rng(1)
    shuffled = csr_array(stream.permuted(whole.counts.toarray(), axis=1))
    other = StudyData(shuffled, whole.truth, whole.groups, "regression", 0)

    np.testing.assert_allclose(predict(other, "depth")[0], predict(whole, "depth")[0])


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_equal_depths_tell_nothing(task):
    whole = study_data(task)
    counts = csr_array(np.tile(np.arange(1, 9), (60, 1)))

    found, _ = predict(StudyData(counts, whole.truth, whole.groups, task, whole.n_classes), "depth")

    np.testing.assert_allclose(found, whole.truth[:45].mean() if task == "regression" else 1 / 3)


def test_the_order_of_the_features_does_not_matter_to_linear():
    whole = study_data("regression")
    other = StudyData(whole.counts[:, ::-1], whole.truth, whole.groups, "regression", 0)

    np.testing.assert_allclose(predict(whole, "linear")[0], predict(other, "linear")[0], rtol=1e-6)
