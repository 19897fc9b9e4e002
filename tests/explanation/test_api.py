"""Explanations from Python, of estimators and of opened models."""

import numpy as np
import pandas as pd
import pytest

from aam.config.explain import ExplanationConfig
from aam.estimators import AAMClassifier, AAMRegressor
from aam.explanation import explain_estimator, explain_predictor
from inference.test_predictor import opened, study  # noqa: F401

OPTIONS = ExplanationConfig(exchanges=1, null_draws=99)


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.poisson(30, (80, 6)), columns=list("abcdef"))


def test_a_regressor_is_explained_over_folds_by_names_of_columns(counts):
    table = explain_estimator(AAMRegressor(), counts, np.log(counts["c"] + 1.0), options=OPTIONS)

    single = table[table["kind"] == "ASV"].set_index("name")
    assert single["importance"].idxmax() == "c"
    assert single.loc["c", "direction"] == "raises"
    assert single.loc["c", "p"] == 0.01


def test_a_tree_makes_clades(counts, tmp_path):
    (tmp_path / "t.nwk").write_text("((a:1,(b:1,c:1):1):1,((d:1,e:1):1,f:1):1);")

    table = explain_estimator(AAMRegressor(tree=tmp_path / "t.nwk"), counts, np.log(counts["c"] + 1.0), options=OPTIONS)

    assert sorted(table.loc[table["kind"] == "clade", "n_asvs"]) == [2, 2, 3, 3]
    parents = table.set_index("name")["parent"]
    assert parents["b"] == parents["c"]


def test_a_classifier_is_explained_with_subjects(counts):
    labels = np.where(counts["e"] > 30, "many", "few")
    groups = np.repeat(np.arange(40), 2)

    table = explain_estimator(AAMClassifier(), counts.to_numpy(), labels, groups, folds=4, options=OPTIONS)

    single = table[table["kind"] == "ASV"].set_index("name")
    assert single["z"].idxmax() == "4"
    assert single.loc["4", "class"] == "many"


@pytest.mark.slow
def test_an_opened_model_is_explained(study):  # noqa: F811
    found = explain_predictor(opened("kernel"), study, np.arange(study.n_samples) % 2)

    assert found.contributions.shape == (len(found.table), study.n_samples)
    assert {"all", "clade", "ASV"} == set(found.table["kind"])
