"""The losses of the objectives on batches small enough to check."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from aam.batch import IGNORED
from aam.config.model import tiny
from aam.data.batching.batches import Masking
from aam.models.build import build_encoder
from aam.objectives.sample_distance import SAMPLE_DISTANCE
from helpers.studies import make_batch, make_study

TRUTH = np.array([[0.0, 0.2, 0.9], [0.2, 0.0, 0.4], [0.9, 0.4, 0.0]])


def encode(objectives, masking=None, targets=None):
    torch.manual_seed(3)
    batch = make_batch(make_study(n_samples=3), masking=masking, targets=targets)
    model = build_encoder(dataclasses.replace(tiny(), max_bp=11), objectives).double().eval()
    return batch, model, model(batch)


def test_the_loss_of_distances_is_the_mean_squared_error_over_pairs():
    batch, model, encoding = encode(["distance"], targets={SAMPLE_DISTANCE: lambda packed: TRUTH})
    head = model.objectives["distance"]

    prediction = head(encoding, batch)

    truth = torch.tensor([0.2, 0.9, 0.4], dtype=torch.float64)
    torch.testing.assert_close(head.loss(prediction, batch), (prediction - truth).square().mean())


def test_a_single_sample_has_no_distance_to_learn():
    batch, model, encoding = encode(["distance"], targets={SAMPLE_DISTANCE: lambda packed: TRUTH})
    head = model.objectives["distance"]
    alone = make_batch(make_study(n_samples=3), samples=[1], targets={SAMPLE_DISTANCE: lambda packed: TRUTH[1:2, 1:2]})
    nothing = torch.zeros(0, dtype=torch.float64)

    assert head.loss(nothing, alone) == 0
    assert len(head(encoding, batch)) == 3


def test_nucleotide_logits_exist_at_masked_positions_only():
    batch, model, encoding = encode(["nucleotides"], Masking(nuc_mask_ratio=0.3, nuc_asv_fraction=0.5))
    objective = model.active_objectives()["nucleotides"]

    logits = objective(encoding, batch)

    labels = batch.masked.labels
    scored = labels[labels != IGNORED]
    assert logits.shape == (len(scored), 4)
    assert len(scored) < batch.tokens.numel() // 2
    torch.testing.assert_close(objective.loss(logits, batch), F.cross_entropy(logits, scored))


def test_accuracy_and_perplexity_are_those_of_the_formula():
    batch, model, encoding = encode(["nucleotides"], Masking(nuc_mask_ratio=0.3, nuc_asv_fraction=0.5))
    objective = model.active_objectives()["nucleotides"]
    logits, labels = objective.scored(objective(encoding, batch).detach(), batch)

    computed = {name: metric(logits, labels).item() for name, metric in objective.metrics().items()}

    assert computed["accuracy"] == pytest.approx((logits.argmax(1) == labels).double().mean().item())
    assert computed["perplexity"] == pytest.approx(F.cross_entropy(logits, labels).exp().item(), rel=1e-5)


def test_a_masked_sequence_differs_from_the_original_where_it_is_masked_only():
    batch, _, _ = encode(["nucleotides"], Masking(nuc_mask_ratio=0.3, nuc_asv_fraction=1.0))
    masked = batch.masked

    original = {tuple(row.tolist()) for row in batch.tokens}
    for tokens, columns, labels in zip(masked.tokens, masked.columns, masked.labels, strict=True):
        restored = tokens.clone()
        is_scored = labels != IGNORED
        restored[columns[is_scored]] = labels[is_scored] + 1
        assert tuple(restored.tolist()) in original
