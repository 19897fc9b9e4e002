"""A simulated study fits together, is a function of its config, and can be learned where it has a signal."""

import hashlib
from collections import defaultdict

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import balanced_accuracy_score, r2_score
from sklearn.model_selection import GroupKFold, cross_val_predict

from aam.config.tools import SimulationConfig
from aam.simulation.study import simulate_study

SMALL = {"samples": 24, "features": 60, "sequence_length": 40}


def held_out_scores(study):
    """R² on age and balanced accuracy on disease of random forests that never saw the subject."""
    table = study.counts.toarray()
    values = np.log1p(1e4 * table / table.sum(axis=1, keepdims=True))
    settings = {"groups": study.metadata["subject"], "cv": GroupKFold(5)}
    regressor = RandomForestRegressor(60, max_features=0.2, random_state=0)
    classifier = RandomForestClassifier(100, random_state=0)
    age, disease = np.array(study.metadata["age"]), np.array(study.metadata["disease"])
    return (
        r2_score(age, cross_val_predict(regressor, values, age, **settings)),
        balanced_accuracy_score(disease, cross_val_predict(classifier, values, disease, **settings)),
    )


def assert_same(one, other):
    np.testing.assert_array_equal(one.counts.toarray(), other.counts.toarray())
    np.testing.assert_array_equal(one.tree.length, other.tree.length)
    for part in ("sequences", "feature_ids", "taxonomy", "sample_ids", "metadata", "truth"):
        assert getattr(one, part) == getattr(other, part)


def test_same_seed_gives_the_same_study():
    assert_same(simulate_study(SimulationConfig(**SMALL)), simulate_study(SimulationConfig(**SMALL)))


def test_another_seed_gives_another_study():
    one, other = (simulate_study(SimulationConfig(**SMALL, seed=seed)) for seed in (0, 1))

    assert not set(one.feature_ids) & set(other.feature_ids)
    assert one.metadata["age"] != other.metadata["age"]
    assert not np.array_equal(one.counts.toarray(), other.counts.toarray())


def test_signal_changes_the_counts_and_nothing_else():
    one, other = (simulate_study(SimulationConfig(**SMALL, signal=signal)) for signal in (0.0, 1.0))

    assert one.sequences == other.sequences
    assert one.metadata == other.metadata
    assert one.truth["feature-id"] == other.truth["feature-id"]
    assert set(one.truth["effect"]) == {0.0}
    assert not np.array_equal(one.counts.toarray(), other.counts.toarray())


@pytest.mark.parametrize(("samples", "features"), [(8, 20), (9, 700), (70, 30)])
def test_parts_fit_together_at_any_size(samples, features):
    study = simulate_study(SimulationConfig(samples=samples, features=features, sequence_length=30))

    assert study.counts.shape == (samples, features)
    assert study.counts.dtype == np.int64
    assert (study.counts.data > 0).all()
    assert (study.counts.sum(axis=0) > 0).all()
    assert (study.counts.sum(axis=1) > 0).all()
    assert len(study.sequences) == len(study.taxonomy) == len(set(study.feature_ids)) == features
    assert [study.tree.names[node] for node in study.tree.tips] == study.feature_ids
    assert study.sample_ids[0] == "S0001"
    assert len(set(study.sample_ids)) == samples


def test_feature_ids_are_md5_sums_of_the_sequences():
    study = simulate_study(SimulationConfig(**SMALL))

    assert study.feature_ids == [hashlib.md5(sequence.encode()).hexdigest() for sequence in study.sequences]


def test_truth_clades_are_monophyletic_and_no_feature_answers_to_two_columns():
    study = simulate_study(SimulationConfig(**SMALL))
    clades = {tuple(study.tree.members(node)) for node in range(len(study.tree.parent))}
    members = defaultdict(list)

    for feature, name in zip(study.truth["feature-id"], study.truth["clade"], strict=True):
        members[name].append(study.feature_ids.index(feature))

    assert len(members) == 6
    assert all(tuple(numbers) in clades for numbers in members.values())
    assert len(set(study.truth["feature-id"])) == len(study.truth["feature-id"])


def test_a_random_forest_finds_the_signal_in_unseen_subjects():
    r_squared, balanced_accuracy = held_out_scores(simulate_study(SimulationConfig(samples=160, features=300)))

    assert 0.3 < r_squared < 0.85
    assert 0.65 < balanced_accuracy < 0.95


def test_a_random_forest_finds_nothing_without_signal():
    study = simulate_study(SimulationConfig(samples=160, features=300, signal=0.0))

    r_squared, balanced_accuracy = held_out_scores(study)

    assert r_squared < 0.1
    assert balanced_accuracy < 0.62
