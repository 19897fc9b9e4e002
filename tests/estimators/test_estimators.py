"""The estimators keep scikit-learn's contract, and are the kernel head."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.metrics import balanced_accuracy_score, r2_score
from sklearn.model_selection import GroupKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from aam.errors import AamError
from aam.estimators import AAMClassifier, AAMRegressor


@pytest.fixture(scope="module")
def cohort():
    """Counts of 20 subjects of three samples, a number and classes that two ASVs decide."""
    stream = np.random.default_rng(3)
    counts = stream.poisson(stream.gamma(1.0, 30.0, size=(60, 12)))
    ratio = np.log(counts[:, 0] + 1.0) - np.log(counts[:, 1] + 1.0)
    names = [f"ASV{k}" for k in range(12)]
    return pd.DataFrame(counts, columns=names), ratio, np.repeat(np.arange(20), 3)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    path = tmp_path_factory.mktemp("tree") / "tree.nwk"
    cherries = [f"(ASV{k}:1,ASV{k + 1}:2):1" for k in range(0, 12, 2)]
    path.write_text(f"(({','.join(cherries[:3])}):1,({','.join(cherries[3:])}):1);")
    return path


@pytest.mark.slow
@parametrize_with_checks([AAMRegressor(), AAMClassifier()])
def test_the_contract_of_scikit_learn_is_kept(estimator, check):
    check(estimator)


def test_numbers_of_new_groups_are_predicted_and_their_intervals_hold_them(cohort):
    counts, ratio, subject = cohort
    train, test = np.arange(45), np.arange(45, 60)

    fitted = AAMRegressor().fit(counts.iloc[train], ratio[train], groups=subject[train])

    assert r2_score(ratio[test], fitted.predict(counts.iloc[test])) > 0.6
    lower, upper = fitted.predict_interval(counts.iloc[test])
    assert ((lower <= ratio[test]) & (ratio[test] <= upper)).mean() > 0.7


def test_too_few_groups_for_the_coverage_are_said(cohort, caplog):
    counts, ratio, subject = cohort

    with caplog.at_level("WARNING", "aam"):
        AAMRegressor(coverage=0.99).fit(counts, ratio, groups=subject)

    assert re.search(r"--coverage 0\.99 .*\b99 groups .*\b20\b", caplog.text)


def test_classes_are_predicted_as_they_came_with_sets_that_hold_the_likeliest(cohort):
    counts, ratio, subject = cohort
    classes = np.where(ratio > np.median(ratio), "x", "a")

    folds = cross_val_predict(
        AAMClassifier(), counts, classes, cv=GroupKFold(3), groups=subject, params={"groups": subject}
    )
    fitted = AAMClassifier().fit(counts, classes, groups=subject)

    assert balanced_accuracy_score(classes, folds) > 0.7
    likeliest = fitted.predict_proba(counts).argmax(axis=1)
    assert fitted.predict_set(counts)[np.arange(60), likeliest].all()


def test_a_tree_adds_members_and_a_pipeline_and_sparse_tables_work(cohort, tree):
    counts, ratio, _ = cohort

    with_tree = AAMRegressor(tree=tree).fit(counts, ratio)
    pipeline = make_pipeline(FunctionTransformer(), AAMRegressor(tree=tree)).fit(counts, ratio)
    sparse = AAMRegressor().fit(csr_array(counts.to_numpy()), ratio)

    assert [m.name for m in with_tree.ensemble_.members] == ["features", "clades", "forest", "boosted"]
    np.testing.assert_array_equal(pipeline.predict(counts), with_tree.predict(counts))
    dense = AAMRegressor().fit(counts.to_numpy(), ratio)
    np.testing.assert_allclose(sparse.predict(counts.to_numpy()), dense.predict(counts.to_numpy()))


def test_groups_decide_how_wide_intervals_are(cohort):
    counts, ratio, subject = cohort
    stream = np.random.default_rng(0)
    shifted = ratio + stream.normal(0, 2, 20)[subject]

    alone, grouped = (AAMRegressor().fit(counts, shifted, groups=groups) for groups in (None, subject))

    widths = [np.diff(fitted.predict_interval(counts.iloc[:1]), axis=0)[0, 0] for fitted in (alone, grouped)]
    assert widths[0] != widths[1]


def test_samples_unlike_the_training_data_are_flagged(cohort):
    counts, ratio, _ = cohort
    fitted = AAMRegressor().fit(counts, ratio)
    strange = counts.iloc[:5].copy()
    strange.iloc[:, :6], strange.iloc[:, 6:] = 0, 100_000

    assert fitted.is_outlier(strange).all()
    assert fitted.is_outlier(counts).mean() < 0.1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"coverage": 1.0}, "coverage=1.0"),
        ({"tree": "absent.nwk"}, "absent.nwk"),
    ],
)
def test_mistakes_are_explained(cohort, change, message):
    counts, ratio, _ = cohort

    with pytest.raises((ValueError, AamError), match=message):
        AAMRegressor(**change).fit(counts, ratio)


def test_a_constant_is_nothing_to_learn(cohort):
    counts, ratio, _ = cohort

    with pytest.raises(ValueError, match="nothing to learn"):
        AAMRegressor().fit(counts, ratio * 0)


def test_scores_come_with_cross_val_score(cohort):
    counts, ratio, subject = cohort

    scores = cross_val_score(
        AAMRegressor(), counts, ratio, cv=GroupKFold(3), groups=subject, params={"groups": subject}, scoring="r2"
    )

    assert scores.mean() > 0.5


SHARES = {
    "shares": lambda counts: counts.div(counts.sum(axis=1), axis=0),
    "rounded": lambda counts: counts.div(counts.sum(axis=1), axis=0).round(3),
    "some of the shares": lambda counts: counts.div(counts.sum(axis=1), axis=0).assign(ASV0=0.0),
    "percentages": lambda counts: counts.div(counts.sum(axis=1), axis=0) * 100,
    "per million": lambda counts: counts.div(counts.sum(axis=1), axis=0) * 1e6,
}


@pytest.mark.parametrize("transformed", SHARES.values(), ids=SHARES)
@pytest.mark.parametrize("estimator", [AAMRegressor(), AAMClassifier()], ids=["regressor", "classifier"])
def test_relative_abundances_are_refused_in_fit_and_predict(cohort, estimator, transformed):
    counts, ratio, _ = cohort
    truth = ratio if isinstance(estimator, AAMRegressor) else ratio > 0

    with pytest.raises(ValueError, match=r"relative abundances .*counts"):
        estimator.fit(transformed(counts), truth)
    fitted = estimator.fit(counts, truth)
    with pytest.raises(ValueError, match="Pass the counts"):
        fitted.predict(transformed(counts).iloc[:20])


def test_counts_are_taken_as_floats_and_at_one_depth(cohort):
    counts, ratio, _ = cohort
    whole = AAMRegressor().fit(counts, ratio)

    as_floats = AAMRegressor().fit(counts.astype(float), ratio)
    equal = counts.assign(ASV0=counts["ASV0"] + 2000 - counts.sum(axis=1))

    np.testing.assert_array_equal(as_floats.predict(counts), whole.predict(counts))
    assert AAMRegressor().fit(equal, ratio).predict(counts.iloc[:1] / 2 + 20).shape == (1,)
