"""The estimate of memory and of the ASVs of a rarefied sample; what it costs to be wrong is in benchmarks/."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import hypergeom

from aam.config.model import ModelConfig
from aam.data.batching.memory import ExpectedASVs, MemoryEstimate, presence
from aam.data.rarefaction import generator, rarefy
from helpers.studies import make_study

ESTIMATE = MemoryEstimate(
    ModelConfig(embedding_dim=64, attention_layers=2, asv_chunk_size=64), n_weights=10**6, n_positions=100
)


def change(**fields) -> MemoryEstimate:
    shape = {name: fields.pop(name) for name in list(fields) if hasattr(ModelConfig, name)}
    return dataclasses.replace(ESTIMATE, config=dataclasses.replace(ESTIMATE.config, **shape), **fields)


@pytest.mark.parametrize(
    "larger",
    [
        change(embedding_dim=128), change(attention_layers=4), change(ffn_ratio=8.0), change(n_positions=200),
        change(precision="64-true"), change(sample_passes=2), change(share_read_again=0.5), change(asv_chunk_size=128),
        change(gradient_checkpointing=False),
    ],
)  # fmt: skip
def test_what_needs_more_memory_is_estimated_to(larger):
    assert larger.of_batch(400, 400) > 1.02 * ESTIMATE.of_batch(400, 400)


def test_a_batch_grows_with_its_samples_their_asvs_and_the_distinct_ones():
    plain = change(gradient_checkpointing=False)

    assert plain.of_batch(800, 200) > plain.of_batch(400, 200)
    assert plain.of_batch(40, 400) > 1.8 * plain.of_batch(40, 200)


def test_recomputation_keeps_the_inputs_of_blocks_alone():
    plain = change(gradient_checkpointing=False)

    assert ESTIMATE.of_batch(4000, 6400) < 0.5 * plain.of_batch(4000, 6400)


def test_a_frozen_base_keeps_nothing_for_the_backward_pass():
    assert change(is_base_frozen=True).of_batch(400, 400) < 0.5 * ESTIMATE.of_batch(400, 400)


def test_weights_cost_four_numbers_each():
    more = dataclasses.replace(ESTIMATE, n_weights=2 * 10**6)

    assert more.fixed - ESTIMATE.fixed == 4 * 10**6 * 4


def test_ranks_divide_all_but_a_chunk_and_the_vectors_of_all_asvs():
    plain = change(gradient_checkpointing=False)
    whole, half = plain.of_batch(4000, 2000), plain.of_batch(2000, 1000)

    assert plain.of_share(4000, 2000, 1, shares_asvs=True) == whole
    assert half < plain.of_share(4000, 2000, 2, shares_asvs=True) < 1.05 * half
    assert plain.of_share(4000, 2000, 2, shares_asvs=False) == plain.of_batch(2000, 2000)


COUNTS = np.array([1, 1, 2, 7, 30, 200])


@pytest.mark.parametrize("depth", [1, 17, 200, 240, 241])
def test_presence_is_hypergeometric(depth):
    expected = 1 - hypergeom(COUNTS.sum(), COUNTS, depth).pmf(0)

    np.testing.assert_allclose(presence(COUNTS, depth), expected, atol=1e-12)


@pytest.mark.parametrize("depth", [None, 241, 10_000])
def test_without_rarefaction_every_asv_is_present(depth):
    assert presence(COUNTS, depth).tolist() == [1.0] * 6


def test_expected_lengths_lie_just_above_those_of_draws():
    study = make_study(n_features=200)
    expected = ExpectedASVs(study, 150, 1024)

    for row in range(study.n_samples):
        counts = study.sample(row)[1]
        drawn = [(rarefy(counts, 150, generator(0, "test", row, k)) > 0).sum() for k in range(300)]
        assert np.mean(drawn) == pytest.approx(expected.of(row)[1].sum(), rel=0.02)
        assert np.quantile(drawn, 0.9) <= expected.lengths(np.array([row]))[0] <= np.max(drawn) + 3


def test_the_token_limit_bounds_the_length_and_leaves_the_most_abundant():
    study = make_study(n_features=200)
    features, counts = study.sample(0)

    expected = ExpectedASVs(study, None, 5)

    assert expected.lengths(np.array([0]))[0] == 5
    assert counts[np.isin(features, expected.of(0)[0])].min() >= np.sort(counts)[-5]


def test_a_mixture_is_as_long_as_two_samples_up_to_the_limit():
    study = make_study(n_features=200)
    n = len(study.sample(0)[0])

    assert ExpectedASVs(study, None, 1024, n_mixed=2).lengths(np.array([0]))[0] == 2 * n
    assert ExpectedASVs(study, None, n + 3, n_mixed=2).lengths(np.array([0]))[0] == n + 3


@pytest.mark.parametrize("depth", [None, 20])
def test_the_bound_is_never_below_the_length(depth):
    expected = ExpectedASVs(make_study(n_samples=9, n_features=40), depth, 12, n_mixed=2)

    assert (expected.most() >= expected.lengths(np.arange(9))).all()
