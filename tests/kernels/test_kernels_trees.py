"""Trees as arrays against scikit-learn's."""

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier, RandomForestRegressor

from aam.kernels import trees
from aam.kernels.features import Samples
from aam.kernels.trees import _FOREST_OPTIONS, Trees, fit_trees, random_forest, shares
from helpers.kernels import table

COUNTS, SUBJECT, NUMBER = table(n_subjects=20)
TRAINING, OTHERS = Samples(COUNTS[:45].astype(float)), Samples(COUNTS[45:].astype(float))
SUBJECT = SUBJECT.astype(int)


def test_values_are_those_of_scikit_learn():
    machine = RandomForestRegressor(20, random_state=1).fit(shares(TRAINING), NUMBER[:45])

    found = Trees.of(machine.estimators_, 1 / 20).sums(shares(OTHERS))[:, 0]

    np.testing.assert_allclose(found, machine.predict(shares(OTHERS)), rtol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_probabilities_are_those_of_scikit_learn(n_classes):
    label = np.digitize(NUMBER[:45], [48, 55][: n_classes - 1])
    forest, _ = fit_trees(random_forest, TRAINING, label, n_classes, SUBJECT[:45])
    machine = RandomForestClassifier(len(forest.roots), class_weight="balanced", **_FOREST_OPTIONS).fit(
        shares(TRAINING), label
    )

    found = forest.sums(shares(OTHERS))

    np.testing.assert_allclose(found, machine.predict_proba(shares(OTHERS)), atol=1e-12)
    assert forest.outputs(OTHERS).shape == (15, 1 if n_classes == 2 else 3)


def test_boosted_values_are_those_of_scikit_learn():
    target = NUMBER[:45] - NUMBER[:45].mean()
    options = {
        **trees._BOOSTING_OPTIONS,
        "n_estimators": trees.BOOSTED_TREES,
        "learning_rate": trees.RATE,
        "init": "zero",
    }
    machine = GradientBoostingRegressor(**options).fit(shares(TRAINING), target)

    found = trees.boosted_trees(shares(TRAINING), target, None).sums(shares(OTHERS))[:, 0]

    np.testing.assert_allclose(found, machine.predict(shares(OTHERS)), rtol=1e-9)


@pytest.mark.parametrize("fit", [random_forest, trees.boosted_trees])
def test_what_they_say_of_groups_left_out_is_worse_than_of_their_own(fit):
    target = NUMBER[:45] - NUMBER[:45].mean()
    forest, fitted = fit_trees(fit, TRAINING, target, None, SUBJECT[:45])

    own = np.mean((forest.outputs(TRAINING)[:, 0] - target) ** 2) / target.var()

    assert own < fitted.loss
    assert fitted.loss == pytest.approx(np.mean((fitted.held_out[:, 0] - target) ** 2) / target.var())
