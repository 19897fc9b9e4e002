"""A whole kernel head: what it learns, that nothing leaks into it, and what it says of strange samples."""

import re

import numpy as np
import pandas as pd
import pytest

from aam.data.rarefaction import FixedRarefaction
from aam.kernels.fitting import fit_kernel_head, member_weights, n_groups_left_out
from aam.kernels.head import KernelInputs
from aam.kernels.storage import head_arrays, head_info, rebuild_head
from aam.labels.target import fit_target
from helpers.kernels import sequences, study_of, table, tree_of

COUNTS, SUBJECT, NUMBER = table(n_subjects=20)
ROWS, OTHERS = np.arange(45), np.arange(45, 60)
KIND = np.where(np.median(NUMBER) < NUMBER, "high", "low")
THREE = np.array(["a", "b", "c"])[np.digitize(NUMBER, [45, 55])]


def fit(study, values=NUMBER, rows=ROWS, subject=SUBJECT, **resources):
    task = "regression" if values.dtype.kind == "f" else "classification"
    target = fit_target(pd.Series(values[rows], name="y"), task)
    truth = target.encode(pd.Series(values, name="y"))
    return fit_kernel_head(study, rows, target, truth, subject, KernelInputs(**resources))


def all_columns(predicted):
    return pd.DataFrame({"values": list(np.atleast_2d(predicted.values.T).T), **predicted.columns})


def vectors_of(study):
    return np.stack([np.sin(np.arange(4) + len(name) * row) for row, name in enumerate(study.sample_ids)])


def test_a_number_that_the_counts_know_is_learned(tmp_path):
    study = study_of(COUNTS)

    predicted = fit(study, tree=tree_of(study, tmp_path)).predict(study, OTHERS)

    assert np.corrcoef(predicted.values, NUMBER[OTHERS])[0, 1] > 0.8
    inside = (predicted.columns["lower"] <= NUMBER[OTHERS]) & (NUMBER[OTHERS] <= predicted.columns["upper"])
    assert inside.mean() > 0.7


@pytest.mark.parametrize("values", [KIND, THREE], ids=["two", "three"])
def test_classes_that_the_counts_know_are_learned(values, tmp_path):
    study = study_of(COUNTS)
    head = fit(study, values, tree=tree_of(study, tmp_path))

    predicted = head.predict(study, OTHERS)

    names = np.array(head.target.classes)[predicted.values.argmax(axis=1)]
    assert (names == values[OTHERS]).mean() > 0.6
    np.testing.assert_allclose(predicted.values.sum(axis=1), 1)
    assert all(name in chosen.split("|") for name, chosen in zip(names, predicted.columns["set"], strict=True))


def test_sets_tell_classes_with_a_bar_in_their_names_from_several_classes():
    study = study_of(COUNTS)
    names = {"a": "a|b", "b": "a", "c": "b\\"}
    head = fit(study, np.array([names[name] for name in THREE]))

    predicted = head.predict(study, OTHERS)

    assert predicted.chosen.sum() > len(OTHERS), "some sets hold several"
    for written, chosen in zip(predicted.columns["set"], predicted.chosen, strict=True):
        read = [re.sub(r"\\(.)", r"\1", name) for name in re.findall(r"(?:[^|\\]|\\.)+", written)]
        assert sorted(read) == [name for name, is_in in zip(head.target.classes, chosen, strict=True) if is_in]


@pytest.mark.parametrize("values", [NUMBER, KIND], ids=["regression", "classification"])
def test_what_is_held_out_changes_nothing_in_the_fit(values, tmp_path):
    counts, subject, other = COUNTS.copy(), SUBJECT.copy(), values.copy()
    counts[OTHERS] = np.random.default_rng(9).integers(0, 999, size=counts[OTHERS].shape) + 1
    subject[OTHERS], other[OTHERS] = "another", other[0]
    study, changed = study_of(COUNTS), study_of(counts)

    one = fit(study, values, tree=tree_of(study, tmp_path))
    two = fit(changed, other, subject=subject, tree=tree_of(changed, tmp_path))

    assert head_info(one) == head_info(two)
    first, second = head_arrays(one), head_arrays(two)
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)


def test_the_order_and_the_names_of_features_change_nothing(tmp_path):
    study = study_of(COUNTS)
    other = study_of(COUNTS, order=np.random.default_rng(2).permutation(COUNTS.shape[1]), prefix="other")

    one = fit(study, tree=tree_of(study, tmp_path)).predict(study, OTHERS)
    two = fit(other, tree=tree_of(other, tmp_path, prefix="other")).predict(other, OTHERS)

    pd.testing.assert_frame_equal(all_columns(one), all_columns(two), rtol=1e-9)


def test_samples_are_predicted_alike_together_and_alone(tmp_path):
    study = study_of(COUNTS)
    head = fit(study, tree=tree_of(study, tmp_path), vectors=None)

    together = head.predict(study, OTHERS).values

    alone = [head.predict(study, np.array([row])).values[0] for row in OTHERS]
    np.testing.assert_allclose(alone, together, rtol=1e-10)


def test_members_follow_what_there_is(tmp_path):
    study = study_of(COUNTS)

    names = [
        [member.name for member in fit(study, **resources).members]
        for resources in (
            {},
            {"tree": tree_of(study, tmp_path)},
            {"vectors": vectors_of},
            {"tree": tree_of(study, tmp_path), "vectors": vectors_of},
        )
    ]

    assert names == [
        ["features", "forest", "boosted"],
        ["features", "clades", "forest", "boosted"],
        ["features", "deep", "forest", "boosted"],
        ["features", "clades", "deep", "forest", "boosted"],
    ]
    assert [member.name for member in fit(study, KIND).members] == ["features", "forest"]  # boosting is of values


@pytest.mark.parametrize("values", [NUMBER, KIND, THREE], ids=["number", "two", "three"])
def test_a_head_that_was_taken_apart_predicts_the_same(values, tmp_path):
    study = study_of(COUNTS)
    head = fit(study, values, tree=tree_of(study, tmp_path))

    again = rebuild_head(head.target, head_arrays(head), head_info(head))

    pd.testing.assert_frame_equal(
        all_columns(head.predict(study, OTHERS)), all_columns(again.predict(study, OTHERS)), check_exact=True
    )


def test_reads_of_unknown_asvs_are_counted_and_told(caplog):
    study = study_of(COUNTS)
    head = fit(study)
    extra = np.hstack([COUNTS[OTHERS], 3 * COUNTS[OTHERS].sum(axis=1, keepdims=True)])
    new = study_of(extra, own_sequences=[*sequences(n=COUNTS.shape[1]), "TTTTTTTTTTTT"])

    with caplog.at_level("WARNING", "aam"):
        predicted = head.predict(new)

    np.testing.assert_allclose(predicted.columns["known_reads"], 0.25)
    assert predicted.columns["is_outlier"].all()
    np.testing.assert_allclose(predicted.values, head.predict(study, OTHERS).values, rtol=1e-10)
    assert "ASVs of 25 % of the reads" in caplog.text


def test_samples_far_from_all_training_samples_are_unlike_them():
    study = study_of(COUNTS)
    head = fit(study)
    strange = COUNTS[OTHERS][:, ::-1] ** 3 + 1

    predicted = head.predict(study_of(strange))

    assert predicted.columns["is_outlier"].mean() > 0.9
    assert head.predict(study, ROWS).columns["is_outlier"].mean() < 0.05
    assert head.predict(study, OTHERS).columns["is_outlier"].mean() < 0.3


def test_a_class_that_training_lacks_has_no_probability():
    study, values = study_of(COUNTS), THREE.copy()
    rows = np.flatnonzero(values != "b")
    target = fit_target(pd.Series(values, name="y"), "classification")
    truth = target.encode(pd.Series(values, name="y"))

    head = fit_kernel_head(study, rows, target, truth, SUBJECT, KernelInputs())

    assert (head.predict(study).values[:, 1] == 0).all()


def test_a_single_group_is_said_and_samples_are_left_out_alone(caplog):
    with caplog.at_level("WARNING", "aam"):
        head = fit(study_of(COUNTS), subject=np.full(len(COUNTS), "one"))

    assert "one group" in caplog.text
    assert head.calibration.threshold > 0


def test_a_single_group_counts_as_its_samples():
    assert n_groups_left_out(np.array(["a", "a", "b"])) == 2
    assert n_groups_left_out(np.array(["a", "a", "a"])) == 3


def test_weights_fall_softly_with_the_loss():
    np.testing.assert_allclose(member_weights([0.5, 0.55]), np.array([1, np.exp(-1)]) / (1 + np.exp(-1)))


def deep_and_shallow():
    """Let classes differ in nothing but the number of reads, so that rare ASVs are found in one of them."""
    stream = np.random.default_rng(4)
    is_deep = np.arange(60) // 3 % 2 == 1
    shares = stream.dirichlet(3 * np.geomspace(1, 0.01, 40), size=60)
    counts = np.stack(
        [stream.multinomial(4000 if deep else 100, share) for deep, share in zip(is_deep, shares, strict=True)]
    )
    return counts, np.where(is_deep, "deep", "shallow")


def test_at_equal_depth_the_number_of_reads_is_not_learned():
    counts, values = deep_and_shallow()
    study = study_of(counts)

    def right(**resources):
        head = fit(study, values, **resources)
        names = np.array(head.target.classes)[head.predict(study, OTHERS).values.argmax(axis=1)]
        return (names == values[OTHERS]).mean()

    assert right() > 0.9
    assert right(fixed_rarefaction=FixedRarefaction(100, seed=0)) < 0.8


def test_a_head_at_equal_depth_equals_one_of_a_rarefied_table():
    study = study_of(COUNTS)
    how = FixedRarefaction(int(COUNTS.sum(axis=1).min()), seed=0)
    rarefied = np.zeros_like(COUNTS)
    for row in range(len(COUNTS)):
        features, reads = how.of(study).sample(row)
        rarefied[row, features] = reads
    place = {name: column for column, name in enumerate(study.feature_ids)}
    table_order = [place[name] for name in study_of(rarefied).feature_ids]
    other = study_of(rarefied)

    found = fit(study, fixed_rarefaction=how).predict(study, OTHERS)

    assert table_order == list(range(len(table_order)))
    pd.testing.assert_frame_equal(all_columns(found), all_columns(fit(other).predict(other, OTHERS)))


def test_the_depth_is_kept_with_the_head():
    study = study_of(COUNTS)
    head = fit(study, fixed_rarefaction=FixedRarefaction(100, seed=5))

    again = rebuild_head(head.target, head_arrays(head), head_info(head))

    assert again.fixed_rarefaction == head.fixed_rarefaction
    pd.testing.assert_frame_equal(all_columns(again.predict(study, OTHERS)), all_columns(head.predict(study, OTHERS)))
