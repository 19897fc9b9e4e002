"""Rarefaction: random streams, what every draw keeps, what draws are on average, and a study at one depth."""

import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.stats import chisquare, multivariate_hypergeom

from aam.data.batching.batches import Drawing
from aam.data.rarefaction import (
    EVALUATION,
    FixedRarefaction,
    drop_shallow_samples,
    generator,
    rarefy,
    rarefy_once,
    resolve_depth,
)
from aam.errors import TableError
from aam.storage.names import Names
from helpers.studies import make_batch, make_study, store_study

COUNTS = st.lists(st.integers(0, 500), min_size=1, max_size=12).map(np.array).filter(lambda counts: counts.sum() > 0)


@settings(max_examples=100, deadline=None)
@given(counts=COUNTS, share=st.floats(0, 1), seed=st.integers(0, 10**9))
def test_a_draw_has_the_depth_and_never_more_than_there_was(counts, share, seed):
    depth = max(1, round(share * counts.sum()))
    before = counts.copy()

    drawn = rarefy(counts, depth, generator(seed, "test"))

    assert drawn.sum() == depth
    assert (drawn >= 0).all()
    assert (drawn <= counts).all()
    assert drawn.dtype.kind == "i"
    np.testing.assert_array_equal(drawn, rarefy(counts, depth, generator(seed, "test")))
    np.testing.assert_array_equal(counts, before)


@settings(max_examples=50, deadline=None)
@given(counts=COUNTS, seed=st.integers(0, 10**9))
def test_all_reads_are_drawn_when_the_depth_is_all_of_them(counts, seed):
    drawn = rarefy(counts, int(counts.sum()), generator(seed, "test"))
    drawn += 1

    np.testing.assert_array_equal(drawn - 1, counts)


def test_means_and_covariances_are_those_of_the_hypergeometric_distribution():
    counts, depth, n_draws = np.array([50, 0, 30, 8, 1]), 20, 4000

    drawn = np.stack([rarefy(counts, depth, generator(i, "test")) for i in range(n_draws)])

    truth = multivariate_hypergeom(counts, depth)
    standard_error = np.sqrt(np.diag(truth.cov()) / n_draws)
    assert (np.abs(drawn.mean(axis=0) - truth.mean()) <= 4 * standard_error).all()
    np.testing.assert_allclose(np.cov(drawn.T), truth.cov(), atol=0.3)


def test_a_rare_asv_is_lost_as_often_as_chance_says():
    counts, n_draws = np.array([97, 3]), 3000

    lost = np.mean([rarefy(counts, 40, generator(i, "test"))[1] == 0 for i in range(n_draws)])

    expected = multivariate_hypergeom.pmf([40, 0], counts, 40)
    assert abs(lost - expected) < 4 * np.sqrt(expected * (1 - expected) / n_draws)


def test_what_draws_from_deep_samples_draws_each_set_of_reads_as_often(monkeypatch):
    """Where all outcomes can be counted, against their exact probabilities."""
    monkeypatch.setattr("aam.data.rarefaction.MOST_READS_OF_NUMPY", 1)
    counts, depth, n_draws = np.array([3, 0, 2, 4]), 5, 20_000

    drawn = np.stack([rarefy(counts, depth, generator(i, "test")) for i in range(n_draws)])

    outcomes, observed = np.unique(drawn, axis=0, return_counts=True)
    expected = multivariate_hypergeom.pmf(outcomes[:, [0, 2, 3]], counts[[0, 2, 3]], depth)
    assert expected.sum() == pytest.approx(1)
    assert (outcomes[:, 1] == 0).all()
    assert chisquare(observed, n_draws * expected).pvalue > 0.001


@pytest.mark.parametrize("depth", [1, 1000, 10**9, 2_999_999_000, 3_000_000_011])
def test_samples_of_more_than_a_billion_reads_are_drawn_from(depth):
    counts = np.array([2_000_000_000, 0, 999_999_999, 12, 1])

    drawn = np.stack([rarefy(counts, depth, generator(i, "test")) for i in range(200)])

    assert (drawn.sum(axis=1) == depth).all()
    assert ((drawn >= 0) & (drawn <= counts)).all()
    share = depth / counts.sum()
    deviation = np.sqrt(counts / counts.sum() * (1 - counts / counts.sum()) * depth * (1 - share))
    assert (np.abs(drawn.mean(axis=0) - counts * share) <= 4 * deviation / np.sqrt(200) + 1e-6).all()


def test_a_depth_beyond_the_sample_is_refused():
    with pytest.raises(ValueError, match="sum"):
        rarefy(np.array([3, 4]), 8, generator(0, "test"))


def test_a_sample_is_drawn_by_seed_epoch_and_name_alone():
    study = make_study()
    renamed = replace(study, sample_ids=Names.from_strings([f"other {name}" for name in study.sample_ids]))

    def draw(seed=0, epoch=EVALUATION, of=study):
        features, counts = Drawing(25, 1024, seed).draw(of, 1, epoch)
        return features.tolist(), counts.tolist()

    assert draw() == draw()
    assert len({str(d) for d in (draw(), draw(seed=1), draw(epoch=0), draw(epoch=1), draw(of=renamed))}) == 5


def test_a_sample_is_drawn_alike_whatever_else_the_study_holds():
    study = make_study()
    part = study.select_samples(np.array([4, 1]))

    alone, among = Drawing(25, 1024, 0).draw(part, 1, 3), Drawing(25, 1024, 0).draw(study, 1, 3)

    np.testing.assert_array_equal(alone, among)


def test_every_sample_of_a_rarefied_batch_has_the_depth():
    batch = make_batch(make_study(), [5, 2, 3], depth=23)

    totals = np.add.reduceat(batch.counts.numpy(), batch.sample_offsets[:-1].numpy())

    assert totals.tolist() == [23, 23, 23]
    assert batch.counts.min() > 0


@settings(max_examples=50, deadline=None)
@given(depths=st.lists(st.integers(1, 10**6), min_size=1, max_size=300))
def test_the_automatic_depth_keeps_at_least_98_percent_and_is_the_largest_that_does(depths):
    depths = np.array(depths)

    depth = resolve_depth("auto", depths)

    assert (depths >= depth).mean() >= 0.98
    assert (depths >= depth + 1).mean() < 0.98


def test_samples_without_reads_are_dropped_even_without_rarefaction(caplog):
    study = store_study(["S1", "S2", "S3"], ["F1", "F2"], ["AC", "GT"], [[1, 2], [0, 0], [0, 5]])

    with caplog.at_level("WARNING", logger="aam"):
        kept = drop_shallow_samples(study, None)

    assert list(kept.sample_ids) == ["S1", "S3"]
    (message,) = caplog.messages
    assert re.search(r"\b1 of 3 samples .*: 'S2'\.", message)


def test_samples_with_too_few_reads_are_dropped_and_the_option_named(caplog):
    study = store_study(["S1", "S2", "S3"], ["F1", "F2"], ["AC", "GT"], [[1000, 2], [0, 0], [0, 5]])

    with caplog.at_level("WARNING", logger="aam"):
        drop_shallow_samples(study, 1001)

    (message,) = caplog.messages
    assert re.search(r"\b2 of 3 samples .*\b1,001 reads: 'S2', 'S3'\. --rarefy-depth\b", message)


def test_a_study_without_reads_is_an_error():
    empty = store_study(["S1"], ["F1"], ["AC"], [[0]])

    with pytest.raises(TableError, match="None of the 1 samples"):
        drop_shallow_samples(empty, None)


def test_samples_that_are_deep_enough_all_stay_in_silence(caplog):
    study = make_study()

    kept = drop_shallow_samples(study, int(study.depths.min()))

    assert list(kept.sample_ids) == list(study.sample_ids)
    assert not caplog.text


KEYS = st.tuples(st.integers(0, 2**40), st.sampled_from(["order", "split"]), st.integers(0, 99), st.sampled_from("ABC"))


def draw(*key):
    return generator(*key).random(4).tolist()


@settings(max_examples=50, deadline=None)
@given(first=KEYS, second=KEYS)
def test_two_streams_are_equal_exactly_if_their_keys_are(first, second):
    assert (draw(*first) == draw(*second)) == (first == second)


@pytest.mark.parametrize(
    ("first", "second"),
    [((0, "a", "bc"), (0, "ab", "c")), ((1, "1"), (11, "")), ((0, "a", "b"), (0, "a", "b", "")), ((0, "a", 1, 2), (0, "a", 2, 1))],
)  # fmt: skip
def test_keys_that_look_alike_when_joined_are_told_apart(first, second):
    assert draw(*first) != draw(*second)


def test_a_stream_does_not_depend_on_the_global_one_or_on_what_was_drawn_before():
    expected = draw(0, "test")
    generator(0, "test").random(1000)
    np.random.default_rng(0).random(7)

    assert draw(0, "test") == expected


def test_another_process_with_another_hash_seed_draws_the_same():
    code = "from aam.data.rarefaction import generator; print(generator(3, 'rarefaction', 5, 'S1').integers(0, 2**60, 3).tolist())"
    shown = [
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip

    here = generator(3, "rarefaction", 5, "S1").integers(0, 2**60, 3).tolist()
    assert shown == [f"{here}\n"] * 2


def test_first_draws_of_many_streams_are_uniform_and_neighbours_unrelated():
    first = np.array([generator(0, "rarefaction", epoch, "S1").random() for epoch in range(2000)])

    assert stats.kstest(first, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.05


DEPTH = 40


def test_samples_hold_the_reads_that_the_network_would_draw():
    study = make_study()
    rarefied = FixedRarefaction(DEPTH, seed=3).of(study)

    for row in range(study.n_samples):
        for found, drawn in zip(rarefied.sample(row), Drawing(DEPTH, 99, 3).draw(study, row, EVALUATION), strict=True):
            np.testing.assert_array_equal(found, drawn)
    assert rarefied.depths.tolist() == [DEPTH] * study.n_samples


def test_draws_belong_to_the_sample_and_not_to_its_place():
    study = make_study()
    chosen = FixedRarefaction(DEPTH, seed=0).of(study).select_samples(np.array([4, 1]))

    again = FixedRarefaction(DEPTH, seed=0).of(study.select_samples(np.array([1, 4])))

    for one, other in zip(chosen.sample(0), again.sample(1), strict=True):
        np.testing.assert_array_equal(one, other)


def test_shallow_samples_are_read_whole():
    study = make_study()
    deep = FixedRarefaction(10**9, seed=0).of(study)

    assert deep.depths.tolist() == study.depths.tolist()
    assert [deep.sample(row)[1].tolist() for row in range(6)] == [study.sample(row)[1].tolist() for row in range(6)]
    assert rarefy_once(study, None) is study


def test_richness_is_that_of_the_reads_drawn():
    study = make_study()
    rarefied = FixedRarefaction(5, seed=3).of(study)
    chosen = rarefied.select_samples(np.array([4, 1]))

    assert rarefied.richness.tolist() == [len(rarefied.sample(row)[0]) for row in range(study.n_samples)]
    assert chosen.richness.tolist() == rarefied.richness[[4, 1]].tolist()
    assert (rarefied.richness <= study.richness).all()
    assert (rarefied.richness < study.richness).any()
    assert FixedRarefaction(10**9, seed=3).of(study).richness.tolist() == study.richness.tolist()


def test_digest_tells_apart_depths_and_seeds_and_the_whole_study():
    study = make_study()
    rarefied = FixedRarefaction(DEPTH, seed=3).of(study)

    others = [study, FixedRarefaction(DEPTH + 1, seed=3).of(study), FixedRarefaction(DEPTH, seed=4).of(study)]
    others += [rarefied.select_samples(np.array([1, 4])), rarefied.cut(2)]
    assert rarefied.digest() not in {other.digest() for other in others}
    assert FixedRarefaction(DEPTH, seed=3).of(make_study()).digest() == rarefied.digest()
    assert rarefied.content == study.content


def test_a_study_is_rarefied_once():
    rarefied = FixedRarefaction(DEPTH, seed=3).of(make_study())

    with pytest.raises(AssertionError, match="rarefied once"):
        FixedRarefaction(DEPTH, seed=3).of(rarefied)
