"""The estimate of memory: what it grows with, and what it costs to be wrong is in benchmarks/."""

import dataclasses

import pytest

from aam.config.model import ModelConfig
from aam.data.memory import MemoryEstimate

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
