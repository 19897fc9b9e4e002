"""Which samples form a batch: every one once per epoch, within the budget, and different every time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aam.config.model import tiny
from aam.data.batching.batch_composition import ByMemory, BySamples, split_until
from aam.data.batching.batches import BatchMaker, BatchPlan, Drawing, EpochSampler
from aam.data.batching.memory import ExpectedASVs, MemoryEstimate
from helpers.studies import make_study

ESTIMATE = MemoryEstimate(tiny(), n_weights=1000, n_positions=11)


def by_memory(study, share, most=None, depth=None) -> ByMemory:
    """Give a budget in shares of what the whole study would need."""
    expected = ExpectedASVs(study, depth, 1024)
    lengths = expected.lengths(np.arange(study.n_samples))
    whole = ByMemory(expected, lengths, ESTIMATE, np.inf)
    budget = ESTIMATE.fixed + share * (whole.bytes_of(np.arange(study.n_samples)) - ESTIMATE.fixed)
    return ByMemory(expected, lengths, ESTIMATE, budget, most)


def sampler(batcher, n_samples, seed=0, digest="x") -> EpochSampler:
    return EpochSampler(np.arange(n_samples), batcher, seed, digest, n_epochs=4)


def rows(plans) -> list[tuple]:
    return [plan.samples for plan in plans]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 100), share=st.floats(0.05, 1.5), n_samples=st.integers(2, 40))
def test_every_epoch_holds_every_sample_once_in_as_many_batches(seed, share, n_samples):
    study = make_study(n_samples=n_samples, n_features=60, seed=seed)
    batcher = by_memory(study, share)
    for made in (batcher, BySamples(7)):
        planned = sampler(made, n_samples, seed=seed)

        for epoch in range(4):
            planned.set_epoch(epoch)
            batches = rows(planned)
            assert sorted(sum(batches, ())) == list(range(n_samples))
            assert len(batches) == len(planned)


def test_no_batch_is_estimated_above_the_budget_unless_it_is_a_single_sample():
    study = make_study(n_samples=60, n_features=80)
    batcher = by_memory(study, 0.2)

    for epoch in range(4):
        for batch in rows(sampler(batcher, 60).plans(epoch)):
            assert len(batch) == 1 or batcher.bytes_of(np.array(batch)) <= batcher.budget


def test_a_larger_budget_makes_fewer_batches_and_most_bounds_them():
    study = make_study(n_samples=60, n_features=80)
    order = np.arange(60)

    sizes = [len(by_memory(study, share).cut(order)) for share in (0.05, 0.2, 0.6, 1.0)]

    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[-1] == 1
    assert max(len(batch) for batch in by_memory(study, 1.0, most=9).cut(order)) == 9


def test_distinct_asvs_are_counted_once():
    """Samples that share all their ASVs fit where as many strangers do not."""
    study = make_study(n_samples=6, n_features=40)
    batcher = by_memory(study, 1.0)

    same, others = batcher.bytes_of(np.array([0, 0, 0])), batcher.bytes_of(np.array([0, 1, 2]))

    alone = ESTIMATE.fixed + ESTIMATE.of_batch(3 * batcher.lengths[0], len(study.sample(0)[0]))
    assert same == alone
    assert others > same


def test_expected_distinct_asvs_are_the_mean_of_those_in_real_batches():
    study = make_study(n_samples=5, n_features=150)
    batcher, maker = by_memory(study, 1.0, depth=60), BatchMaker(study, Drawing(60, 1024, 0))

    drawn = [len(maker[BatchPlan(epoch, (0, 1, 2, 3, 4))].features) for epoch in range(200)]

    assert batcher.shape_of(np.arange(5))[1] == pytest.approx(np.mean(drawn), rel=0.01)


def test_a_lone_sample_gets_a_companion_where_two_fit():
    study = make_study(n_samples=31, n_features=60)

    n_checked = 0
    for share in (0.1, 0.12, 0.15, 0.2, 0.3):
        batcher = by_memory(study, share)
        pairs = [batcher.bytes_of(np.array([a, b])) for a in range(31) for b in range(a)]
        if max(pairs) <= batcher.budget:
            batches = batcher.cut(np.arange(31))
            assert sorted(np.concatenate(batches)) == list(range(31))
            assert min(map(len, batches)) > 1 or max(map(len, batches)) == 2
            n_checked += 1
    assert n_checked


def test_a_sample_too_large_for_the_budget_is_alone():
    study = make_study(n_samples=6)
    batcher = by_memory(study, 1e-6)

    assert [batch.tolist() for batch in batcher.cut(np.arange(6))] == [[row] for row in range(6)]


def test_neither_the_order_of_sizes_nor_the_company_repeats():
    lengths = np.random.default_rng(0).lognormal(4, 0.7, size=400)
    planned = sampler(BySamples(16), 400)
    companions = []
    for epoch in range(3):
        batches = rows(planned.plans(epoch))
        means = [lengths[list(batch)].mean() for batch in batches]
        assert abs(np.corrcoef(np.arange(len(means)), means)[0, 1]) < 0.5, "small and large in any order"
        companions.append({frozenset(batch) for batch in batches})

    assert not companions[0] & companions[1]
    assert not companions[1] & companions[2]
    met = {other for batch in rows(planned.plans(0)) + rows(planned.plans(1)) if 7 in batch for other in batch}
    assert len(met) > 24, "a sample meets others in the next epoch"


def test_batches_depend_on_seed_epoch_and_study_alone():
    key = {"seed": 0, "digest": "x"}

    first, again = sampler(BySamples(4), 50, **key), sampler(BySamples(4), 50, **key)
    again.set_epoch(3)

    assert rows(first.plans(0)) == rows(again.plans(0))
    others = [sampler(BySamples(4), 50, **(key | changed)).plans(0) for changed in ({"seed": 1}, {"digest": "y"})]
    assert all(rows(first.plans(0)) != rows(other) for other in others)


def test_batches_are_halved_until_there_are_enough():
    batches = [np.arange(6), np.arange(6, 8)]

    assert [batch.tolist() for batch in split_until(batches, 3)] == [[0, 1, 2], [3, 4, 5], [6, 7]]
    assert split_until(batches, 1) == batches


def test_parts_of_a_pass_hold_every_sample_once_and_the_next_pass_is_in_another_order():
    planned = EpochSampler(np.arange(11), BySamples(2), 0, "x", n_epochs=6, samples_per_epoch=4)

    epochs = [[row for batch in rows(planned.plans(epoch)) for row in batch] for epoch in range(6)]

    first, second = ([row for epoch in part for row in epoch] for part in (epochs[:3], epochs[3:]))
    assert [len(epoch) for epoch in epochs[:3]] == [4, 4, 3]
    assert sorted(first) == sorted(second) == list(range(11))
    assert first != second
    assert all(len(planned.plans(epoch)) == len(planned) for epoch in range(6))
