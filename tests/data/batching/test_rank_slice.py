"""A rank's share of a batch: all shares together are the batch, and cost about the same."""

import numpy as np
import pytest
import torch

from aam.batch import RankSpec
from aam.data.batching.batches import BatchMaker, BatchPlan, Drawing, Masking
from aam.data.batching.rank_slice import divide_samples
from helpers.studies import make_study

MASKING = Masking(nuc_mask_ratio=0.2, nuc_asv_fraction=0.6, count_mask_ratio=0.3, asv_mask_ratio=0.3)


def values(packed):
    return packed.samples * 10.0


def distances(packed):
    return np.abs(packed.samples[:, None] - packed.samples)


def make(rows, part=None):
    maker = BatchMaker(
        make_study(n_samples=7), Drawing(20, 6, 0), MASKING, {"value": values, "distance": distances}, part=part
    )
    return maker[BatchPlan(3, tuple(rows))]


@pytest.mark.parametrize("is_pooled", [True, False])
@pytest.mark.parametrize("rows", [(4, 0, 6, 2, 1), (5,), (3, 2)])
def test_the_shares_of_all_ranks_are_the_whole_batch(rows, is_pooled):
    whole = make(rows)
    shares = [make(rows, RankSpec(rank, 3, is_pooled)) for rank in range(3)]

    n_asvs = len(whole.features)
    assert sorted(torch.cat([share.share.samples for share in shares]).tolist()) == list(range(len(rows)))
    assert sorted(torch.cat([share.share.counted for share in shares]).tolist()) == list(range(n_asvs))
    assert sum(len(share.masked.asvs) for share in shares) == len(whole.masked.asvs)
    assert sum(len(share.hidden) for share in shares) == len(whole.hidden)
    for share in shares:
        own = share.share.samples
        torch.testing.assert_close(share.features, whole.features)
        torch.testing.assert_close(share.sample_index, whole.sample_index[own])
        torch.testing.assert_close(share.targets["value"], whole.targets["value"][own])
        torch.testing.assert_close(share.targets["distance"], whole.targets["distance"][own])
        for place, sample in enumerate(own.tolist()):
            found, expected = (
                slice(*batch.sample_offsets[at : at + 2].tolist()) for batch, at in ((share, place), (whole, sample))
            )
            torch.testing.assert_close(share.asv_index[found], whole.asv_index[expected])
            torch.testing.assert_close(share.counts[found], whole.counts[expected])
            for name in ("hidden", "hidden_asvs"):
                chosen, all_chosen = (
                    torch.isin(torch.arange(part.start, part.stop), getattr(batch, name))
                    for batch, part in ((share, found), (whole, expected))
                )
                torch.testing.assert_close(chosen, all_chosen)


def test_without_pooling_a_rank_encodes_what_its_samples_hold_and_each_asv_counts_once():
    shares = [make((4, 0, 6, 2, 1), RankSpec(rank, 2, is_pooled=False)) for rank in range(2)]

    for share in shares:
        assert share.share.encoded.tolist() == share.asv_index.unique().tolist()
        assert set(share.share.counted.tolist()) <= set(share.share.encoded.tolist())


def test_samples_are_divided_by_their_distinct_asvs_and_not_by_number():
    samples = [np.arange(60), np.arange(60, 70), np.arange(70, 80), np.arange(80, 90), np.arange(90, 100)]

    rank, holds = divide_samples(samples, 100, 2)

    assert rank.tolist() == [0, 1, 1, 1, 1]
    assert holds.sum(axis=1).tolist() == [60, 40]


def test_a_sample_whose_asvs_a_rank_holds_costs_it_nothing():
    samples = [np.arange(50), np.arange(50, 95), np.arange(40)]

    rank, _ = divide_samples(samples, 95, 2)

    assert rank[2] == 0  # 50 stay 50; on the other rank, 45 would become 85


def test_fewer_samples_than_ranks_leave_some_without():
    rank, _ = divide_samples([np.arange(3)], 3, 4)

    assert rank.tolist() == [0]
