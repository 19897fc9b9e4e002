"""Masked ASVs: who is a candidate, what is hidden, and ranks against SciPy."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.stats import rankdata

from aam.config.model import ModelConfig
from aam.data.batching.batches import Masking
from aam.models.build import build_encoder
from aam.objectives.masked_asvs import CommonestASV, candidates, ranks
from helpers.studies import make_batch, make_study

SHAPE = ModelConfig(embedding_dim=8, attention_heads=2, attention_layers=1, ffn_ratio=1.5, dropout=0.0, max_bp=11)


@pytest.fixture
def batch():
    return make_batch(make_study(n_samples=4), masking=Masking(asv_mask_ratio=0.4))


@pytest.fixture
def model():
    return build_encoder(SHAPE, ["masked-asvs"]).double()


def held(batch, sample):
    part = slice(*batch.sample_offsets[sample : sample + 2].tolist())
    return list(zip(range(part.start, part.stop), batch.asv_index[part].tolist(), strict=True))


def test_candidates_are_what_the_sample_does_not_show(batch):
    found, hidden = candidates(batch), batch.hidden_asvs.tolist()

    for row, pair in enumerate(hidden):
        sample = int(batch.sample_of_pair[pair])
        shown = {asv for place, asv in held(batch, sample) if place not in hidden}
        assert set(torch.nonzero(found[row]).flatten().tolist()) == set(range(len(batch.features))) - shown
        assert found[row, batch.asv_index[pair]]


def test_the_hidden_asv_does_not_reach_its_prediction(batch, model):
    first, second = batch.hidden_asvs[:2].tolist()
    swapped = batch.asv_index.clone()
    swapped[[first, second]] = batch.asv_index[[second, first]]

    before, after = (
        model(dataclasses.replace(batch, asv_index=index)).hidden_asv_context for index in (batch.asv_index, swapped)
    )

    assert batch.sample_of_pair[first] == batch.sample_of_pair[second]
    torch.testing.assert_close(before, after, rtol=0, atol=1e-12)


def test_hiding_asvs_changes_no_sample_vector(batch, model):
    plain = dataclasses.replace(batch, hidden_asvs=None)

    torch.testing.assert_close(model(batch).samples.sample_vectors, model(plain).samples.sample_vectors)


def test_the_loss_is_the_cross_entropy_over_the_candidates_alone(batch, model):
    objective = model.objectives["masked-asvs"]

    prediction = objective(model(batch), batch)

    is_candidate, truth = candidates(batch), batch.asv_index[batch.hidden_asvs]
    expected = [
        torch.logsumexp(row[chosen], 0) - row[right]
        for row, chosen, right in zip(prediction, is_candidate, truth, strict=True)
    ]
    torch.testing.assert_close(objective.loss(prediction, batch), torch.stack(expected).mean())


def test_ranks_are_scipys_with_ties_against_the_right_one():
    logits = torch.randint(0, 4, (20, 7)).double()
    truth = torch.randint(0, 7, (20,))

    expected = [rankdata(-row, method="max")[right] for row, right in zip(logits.numpy(), truth.tolist(), strict=True)]

    np.testing.assert_array_equal(ranks(logits, truth).numpy(), expected)


def test_the_commonest_candidate_is_predicted(batch):
    baseline = CommonestASV()
    baseline.learn(batch)

    baseline.score(batch)

    counts, hidden = np.bincount(batch.asv_index.numpy()), batch.hidden_asvs.tolist()
    expected = []
    for row, pair in enumerate(hidden):
        chosen = candidates(batch)[row].numpy()
        expected.append((counts[chosen] >= counts[int(batch.asv_index[pair])]).sum())
    assert baseline.scores()["reciprocal_rank"] == pytest.approx(np.mean(1 / np.array(expected)))
