"""A linear kernel gives what scikit-learn's linear models give on the features."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from aam.baselines import linear as dual
from aam.baselines.fold import FoldData
from aam.baselines.table import depth


def fold(task, n=40, n_features=7, seed=0):
    stream = np.random.default_rng(seed)
    x, x_test = stream.normal(size=(n, n_features)), stream.normal(size=(9, n_features))
    score = x[:, 0] - x[:, 1] + 0.3 * stream.normal(size=n)
    truth = score if task == "regression" else (score > 0.4).astype(np.int64)
    groups = np.arange(n).astype(str)
    depths = np.ones(n)
    return FoldData(x, x_test, depths, depths[:9], truth, groups, task, 2, seed=0), x, x_test


def scale_of(x):
    return np.square(x - x.mean(axis=0)).sum(axis=1).mean()


def test_ridge(monkeypatch):
    monkeypatch.setattr(dual, "RIDGE_PENALTIES", (0.5,))
    case, x, x_test = fold("regression")

    ours = dual.kernel_model(case, x @ x.T, x_test @ x.T)

    expected = Ridge(alpha=0.5 * scale_of(x)).fit(x, case.truth).predict(x_test)
    np.testing.assert_allclose(ours, expected, rtol=1e-8)


def test_logistic(monkeypatch):
    monkeypatch.setattr(dual, "LOGISTIC_PENALTIES", (0.05,))
    case, x, x_test = fold("classification")

    ours = dual.kernel_model(case, x @ x.T, x_test @ x.T)

    model = LogisticRegression(C=1 / (0.05 * len(x) * scale_of(x)), class_weight="balanced", tol=1e-8, max_iter=1000)
    np.testing.assert_allclose(
        ours, model.fit(x - x.mean(axis=0), case.truth).predict_proba(x_test - x.mean(axis=0)), atol=2e-4
    )


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_the_penalty_follows_the_noise(task):
    clear, x, x_test = fold(task)
    chosen = []
    stream = np.random.default_rng(1)
    noisy = FoldData(**{**vars(clear), "truth": stream.permutation(clear.truth)})
    name = "_ridge" if task == "regression" else "_logistic"
    original = getattr(dual, name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dual, name, lambda p, penalty, *rest: chosen.append(penalty) or original(p, penalty, *rest))
        for case in (clear, noisy):
            dual.kernel_model(case, x @ x.T, x_test @ x.T)

    last = [chosen[len(chosen) // 2 - 1], chosen[-1]]
    assert last[0] < last[1]


@pytest.mark.parametrize("task", ["regression", "classification"])
@pytest.mark.parametrize("n", range(7, 40))
def test_samples_that_differ_by_rounding_alone_teach_nothing(task, n):
    """Equal depths leave other last digits for each number of samples; what is made of them was once a singular matrix."""
    case, _, _ = fold(task, n)
    equal = replace(case, depths=np.full(n, 1500.0), test_depths=np.full(9, 1500.0))

    predicted = depth(equal)

    without_depth = case.truth.mean() if task == "regression" else 1 / 2
    np.testing.assert_allclose(predicted, without_depth)
