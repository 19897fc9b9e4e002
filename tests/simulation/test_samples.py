"""Simulated counts are as sparse, uneven and personal as real ones, and metadata can be explained as far as asked."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from aam.config.tools import SimulationConfig
from aam.errors import ConfigError
from aam.simulation.samples import EXPLAINABLE_AGE, brownian_traits, simulate_metadata
from aam.simulation.study import simulate_study
from aam.simulation.tree import EFFECTS, simulate_tree

# Ranges that hold the public gut studies this was compared with.
REAL_STUDIES = {
    "density": (0.015, 0.13),
    "median_richness": (30, 260),
    "log_richness_spread": (0.2, 0.9),
    "log_depth_spread": (0.25, 1.1),
    "median_prevalence": (0.001, 0.06),
    "largest_prevalence": (0.5, 1.0),
    "median_dominance": (0.12, 0.45),
    "share_of_counts_below_ten": (0.15, 0.5),
}


def describe(counts):
    richness, depth = np.diff(counts.indptr), counts.sum(axis=1)
    prevalence = (counts > 0).sum(axis=0) / counts.shape[0]
    return {
        "density": counts.nnz / np.prod(counts.shape),
        "median_richness": np.median(richness),
        "log_richness_spread": np.log(richness).std(),
        "log_depth_spread": np.log(depth).std(),
        "median_prevalence": np.median(prevalence),
        "largest_prevalence": prevalence.max(),
        "median_dominance": np.median(counts.max(axis=1).toarray().ravel() / depth),
        "share_of_counts_below_ten": (counts.data < 10).mean(),
    }


@pytest.fixture(scope="module")
def study():
    return simulate_study(SimulationConfig())


@pytest.mark.parametrize("shape", [(200, 500), (400, 2000)])
def test_counts_resemble_those_of_real_studies(shape):
    samples, features = shape

    found = describe(simulate_study(SimulationConfig(samples=samples, features=features)).counts)

    outside = {name: found[name] for name, (low, high) in REAL_STUDIES.items() if not low <= found[name] <= high}
    assert outside == {}


def test_mean_depth_is_the_one_asked_for():
    counts = simulate_study(SimulationConfig(samples=500, features=50, mean_depth=3000)).counts

    assert counts.sum(axis=1).mean() == pytest.approx(3000, rel=0.1)


@pytest.mark.parametrize("metric", ["jaccard", "braycurtis"])
def test_samples_of_one_subject_resemble_each_other(study, metric):
    table = study.counts.toarray()
    values = table > 0 if metric == "jaccard" else table / table.sum(axis=1, keepdims=True)
    subject = np.array(study.metadata["subject"])
    is_same = (subject[:, None] == subject)[np.triu_indices(len(subject), 1)]

    distance = pdist(values, metric)

    assert distance[is_same].mean() < distance[~is_same].mean() - 0.1


def test_relatives_live_in_the_same_samples_more_often_than_others(study):
    occurrence = (study.counts > 0).toarray().astype(float)
    common = occurrence.mean(axis=0) > 0.05
    genus = np.array([name.split("; ")[4] for name in study.taxonomy])[common]
    is_related = (genus[:, None] == genus)[np.triu_indices(common.sum(), 1)]

    correlation = np.corrcoef(occurrence[:, common].T)[np.triu_indices(common.sum(), 1)]

    assert correlation[is_related].mean() > correlation[~is_related].mean() + 0.03


def test_relatives_have_similar_traits():
    rng = np.random.default_rng(0)
    tree = simulate_tree(400, rng)

    traits = brownian_traits(tree, 3, rng)

    np.testing.assert_allclose(traits.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(traits.std(axis=0), 1)
    neighbours = (np.diff(traits, axis=0) ** 2).mean()
    assert neighbours < 1  # two tips at random: 2


def test_clades_move_with_their_column(study):
    table = study.counts.toarray()
    share = table / table.sum(axis=1, keepdims=True)
    columns = {
        "age": np.array(study.metadata["age"]),
        "disease": np.array(study.metadata["disease"]) == "disease",
    }
    index_of = {feature: number for number, feature in enumerate(study.feature_ids)}

    for column, effects in EFFECTS.items():
        for number, effect in enumerate(effects, 1):
            rows = [row for row, name in enumerate(study.truth["clade"]) if name == f"{column}-clade-{number}"]
            members = [index_of[study.truth["feature-id"][row]] for row in rows]
            log_share = np.log(share[:, members].sum(axis=1) + 1e-4)
            correlation = np.corrcoef(log_share, columns[column])[0, 1]
            assert correlation * np.sign(effect) > 0.1


def test_batches_differ_only_where_there_is_a_batch_effect():
    plain, shifted = (
        simulate_study(SimulationConfig(samples=300, features=100, batch_effect=effect)) for effect in (0.0, 3.0)
    )

    def difference(study):
        batch = np.array(study.metadata["batch"])
        occurrence = (study.counts > 0).toarray()
        return np.abs(occurrence[batch == "run1"].mean(axis=0) - occurrence[batch == "run2"].mean(axis=0)).mean()

    assert difference(shifted) > 2 * difference(plain)


def metadata_of(**options):
    return simulate_metadata(SimulationConfig(**options), np.random.default_rng(0))


def test_every_column_has_a_value_per_sample():
    columns = metadata_of(samples=50).columns

    assert list(columns) == ["subject", "batch", "age", "disease", "sex", "birth_weight"]
    assert {len(values) for values in columns.values()} == {50}
    assert all(type(age) is int and 0 <= age <= 730 for age in columns["age"])
    assert set(columns["disease"]) == {"healthy", "disease"}
    assert set(columns["sex"]) == {"female", "male"}
    assert set(columns["batch"]) == {"run1", "run2", "run3"}


@pytest.mark.parametrize("column", ["disease", "sex", "birth_weight"])
def test_a_subject_keeps_its_disease_sex_and_birth_weight(column):
    columns = metadata_of(samples=90).columns

    pairs = set(zip(columns["subject"], columns[column], strict=True))

    assert len(pairs) == len(set(columns["subject"]))


@pytest.mark.parametrize(("subjects", "expected"), [(None, 10), (7, 7), (40, 40)])
def test_every_subject_has_a_sample(subjects, expected):
    columns = metadata_of(samples=40, subjects=subjects).columns

    assert len(set(columns["subject"])) == expected


def test_half_of_the_subjects_are_diseased():
    columns = metadata_of(samples=100, subjects=30).columns

    states = dict(zip(columns["subject"], columns["disease"], strict=True))

    assert sorted(states.values()) == ["disease"] * 15 + ["healthy"] * 15


def test_age_explains_the_stated_share_of_what_its_clades_follow():
    metadata = metadata_of(samples=20_000)

    correlation = np.corrcoef(metadata.columns["age"], metadata.drivers["age"])[0, 1]

    assert correlation**2 == pytest.approx(EXPLAINABLE_AGE, abs=0.01)
    assert metadata.drivers["age"].std() == pytest.approx(1, abs=0.02)


def test_what_the_disease_clades_follow_is_constant_within_a_subject_and_higher_in_disease():
    metadata = metadata_of(samples=2000)
    driver = metadata.drivers["disease"]
    is_diseased = np.array(metadata.columns["disease"]) == "disease"

    assert len(np.unique(driver)) == 500
    assert driver[is_diseased].mean() - driver[~is_diseased].mean() == pytest.approx(1, abs=0.1)


def test_more_subjects_than_samples_are_refused():
    with pytest.raises(ConfigError, match=r"--subjects 9 .*--samples 8\b"):
        SimulationConfig(samples=8, subjects=9)
