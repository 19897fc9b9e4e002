"""Batches: each distinct ASV once, draws that depend on the seed, the epoch and the sample alone."""

import numpy as np
import pytest

from aam import vocabulary
from aam.batch import IGNORED
from aam.data.batching.batch_composition import BySamples
from aam.data.batching.batches import (
    BatchMaker,
    BatchPlan,
    Drawing,
    EpochSampler,
    Masking,
    keep_most_abundant,
    pack,
    plan_in_order,
)
from aam.data.batching.masking import mask_nucleotides
from aam.data.rarefaction import drop_shallow_samples, generator, rarefy, resolve_depth
from aam.errors import TableError
from helpers.studies import dense, make_batch, make_study


def test_a_batch_holds_each_distinct_asv_once_and_every_pair_of_the_table(study):
    batch = make_batch(study, [3, 1])

    found = np.zeros((2, len(study.feature_ids)), dtype=np.int64)
    found[batch.sample_of_pair.numpy(), batch.features[batch.asv_index].numpy()] = batch.counts.numpy()
    assert len(set(batch.features.tolist())) == len(batch.features)
    np.testing.assert_array_equal(found, dense(study)[[3, 1]])
    np.testing.assert_array_equal(batch.tokens.numpy(), study.tokens[batch.features.numpy()])


def test_a_draw_depends_on_the_sample_and_not_on_its_neighbours(study):
    alone, together = make_batch(study, [2], depth=25), make_batch(study, [5, 2, 0], depth=25)
    begin, end = together.sample_offsets[1:3].tolist()

    assert alone.counts.tolist() == together.counts[begin:end].tolist()


def test_every_epoch_rarefies_afresh_and_evaluation_does_not(study):
    draws = [make_batch(study, depth=25, epoch=epoch).counts.tolist() for epoch in (0, 1, "evaluation", "evaluation")]

    assert draws[0] != draws[1]
    assert draws[2] == draws[3]


def test_rarefaction_keeps_the_depth_and_never_adds_reads():
    counts = np.array([5, 0, 40, 1])

    drawn = rarefy(counts, 20, generator(0, "test"))

    assert drawn.sum() == 20
    assert (drawn <= counts).all()
    assert rarefy(counts, 46, generator(0, "test")).tolist() == counts.tolist()


@pytest.mark.parametrize(("asked", "depth"), [("none", None), ("auto", 3), (7, 7)])
def test_the_automatic_depth_keeps_98_percent_of_the_samples(asked, depth):
    assert resolve_depth(asked, np.array([1, 2, *range(3, 101)])) == depth


def test_shallow_samples_are_dropped_and_named(study, caplog):
    depth = int(np.sort(study.depths)[2])

    with caplog.at_level("WARNING", logger="aam"):
        kept = drop_shallow_samples(study, depth)

    assert kept.n_samples == 4
    dropped = sorted(set(study.sample_ids) - set(kept.sample_ids))
    assert all(f"'{sample}'" in caplog.text for sample in dropped)


def test_no_sample_deep_enough_is_an_error(study):
    with pytest.raises(TableError, match=r"None of the 6 samples .*\b100,000 .*--rarefy-depth\b"):
        drop_shallow_samples(study, 100_000)


def test_the_token_limit_keeps_the_most_abundant_of_each_sample():
    packed = pack([(np.array([1, 4, 7]), np.array([5, 9, 5])), (np.array([2]), np.array([1]))], [0, 1])

    kept = keep_most_abundant(packed, 2)

    assert kept.features.tolist() == [1, 4, 2]
    assert kept.sample_offsets.tolist() == [0, 2, 3]


def test_targets_see_the_reads_before_the_token_limit(study):
    seen = []
    maker = BatchMaker(study, Drawing(None, 1, 0), targets={"n": lambda packed: seen.append(packed) or packed.samples})

    batch = maker[BatchPlan(0, (0, 1))]

    assert len(seen[0].features) > len(batch.counts) == 2


def test_plans_in_order_cover_all_samples():
    plans = plan_in_order(np.array([5, 6, 7]), 2)

    assert [plan.samples for plan in plans] == [(5, 6), (7,)]


def test_masking_hides_the_same_share_of_each_chosen_asv_and_nothing_else():
    tokens = make_study(n_features=10, n_positions=20).tokens[np.arange(10)]

    masked = mask_nucleotides(tokens, 0.5, 0.2, generator(0, "test"))

    assert masked.tokens.shape == (5, 20)
    assert masked.columns.shape == (5, 4)
    changed = (masked.tokens == vocabulary.MASK).sum(dim=1)
    assert changed.tolist() == [4] * 5


def test_padding_and_ambiguous_nucleotides_are_not_scored():
    tokens = np.array([[1, 5, 0, 0]], dtype=np.uint8)

    masked = mask_nucleotides(tokens, 1.0, 0.99, generator(0, "test"))

    truth = dict(zip(masked.columns[0].tolist(), masked.labels[0].tolist(), strict=True))
    assert truth == {0: 0, 1: IGNORED, 2: IGNORED, 3: IGNORED}
    assert masked.tokens[0, 2:].tolist() == [vocabulary.PAD] * 2


def test_hidden_abundances_are_a_share_of_every_sample(study):
    batch = make_batch(study, masking=Masking(count_mask_ratio=0.01))

    assert batch.sample_of_pair[batch.hidden].tolist() == list(range(6))


def test_a_pass_that_is_continued_leaves_out_what_was_done_and_later_passes_are_whole():
    sampler = EpochSampler(np.arange(7), BySamples(2), 0, "digest", n_epochs=3)

    sampler.start_at(1, 3)
    sampler.set_epoch(1)  # as the trainer does
    left = list(sampler)
    sampler.set_epoch(2)

    assert left == sampler.plans(1)[3:]
    assert len(sampler) == 4
    assert list(sampler) == sampler.plans(2)
