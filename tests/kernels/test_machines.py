"""Ridge and logistic machines: leaving groups out in closed form against refits, and against scikit-learn."""

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression

from aam.kernels import machines
from aam.kernels.machines import class_weights, fit_logistic, fit_ridge, is_of_class, log_loss

N, N_GROUPS = 30, 10
STREAM = np.random.default_rng(0)
FEATURES = STREAM.normal(size=(N, 7))
KERNEL = FEATURES @ FEATURES.T / 7 + 1.0
GROUP = np.repeat(np.arange(N_GROUPS), 3)
ROWS = [np.flatnonzero(g == GROUP) for g in range(N_GROUPS)]
TARGET = FEATURES[:, 0] + 0.5 * STREAM.normal(size=N)
TARGET -= TARGET.mean()


def test_ridge_leaves_groups_out_exactly_as_refits_do():
    fitted = fit_ridge(KERNEL, TARGET, ROWS)

    for rows in ROWS:
        others = np.setdiff1d(np.arange(N), rows)
        machine = KernelRidge(alpha=fitted.penalty, kernel="precomputed").fit(
            KERNEL[np.ix_(others, others)], TARGET[others]
        )
        np.testing.assert_allclose(
            fitted.held_out[rows, 0], machine.predict(KERNEL[np.ix_(rows, others)]), rtol=1e-8, atol=1e-10
        )


def test_ridge_takes_the_penalty_with_the_least_error_on_groups_left_out(monkeypatch):
    best = fit_ridge(KERNEL, TARGET, ROWS)
    losses = []
    for penalty in machines.RIDGE_PENALTIES:
        monkeypatch.setattr(machines, "RIDGE_PENALTIES", (penalty,))
        losses.append(fit_ridge(KERNEL, TARGET, ROWS).loss)

    assert best.loss == pytest.approx(min(losses))
    assert best.loss == pytest.approx(np.mean((best.held_out[:, 0] - TARGET) ** 2) / TARGET.var())


@pytest.mark.parametrize("n_classes", [2, 3])
def test_logistic_machines_are_those_of_scikit_learn(n_classes, monkeypatch):
    monkeypatch.setattr(machines, "_SMALL_STEP", 1e-10)
    monkeypatch.setattr(machines, "LOGISTIC_PENALTIES", (0.3,))
    label = np.digitize(TARGET, [-0.2, 0.6][: n_classes - 1])
    weight = class_weights(label, n_classes)
    features = np.hstack([FEATURES / np.sqrt(7), np.ones((N, 1))])

    fitted = fit_logistic(KERNEL, label, n_classes, ROWS)

    for column, is_class in enumerate(is_of_class(label, n_classes).T):
        machine = LogisticRegression(C=1 / 0.3, fit_intercept=False, tol=1e-10, max_iter=2000)
        machine.fit(features, is_class, sample_weight=weight)
        np.testing.assert_allclose(KERNEL @ fitted.dual[:, column], machine.decision_function(features), atol=1e-4)


def test_logistic_leaves_groups_out_nearly_as_refits_do():
    """One Newton step from the whole fit; on the real studies the loss differs by 0.001 to 0.01 (lab log)."""
    label = (TARGET > 0.2).astype(int)
    fitted = fit_logistic(KERNEL, label, 2, ROWS)
    weight, true = class_weights(label, 2), np.empty(N)

    for rows in ROWS:
        others = np.setdiff1d(np.arange(N), rows)
        features = np.hstack([FEATURES / np.sqrt(7), np.ones((N, 1))])
        machine = LogisticRegression(C=1 / fitted.penalty, fit_intercept=False, tol=1e-9, max_iter=2000)
        machine.fit(features[others], label[others], sample_weight=weight[others])
        true[rows] = machine.decision_function(features[rows])

    assert log_loss(true[:, None], is_of_class(label, 2), weight) == pytest.approx(fitted.loss, abs=0.05)
    assert np.corrcoef(true, fitted.held_out[:, 0])[0, 1] > 0.98


def test_classes_weigh_the_same():
    label = np.array([0, 0, 0, 1, 2, 2])

    weight = class_weights(label, 3)

    assert [weight[label == k].sum() for k in range(3)] == pytest.approx([2, 2, 2])
