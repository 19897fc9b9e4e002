"""The padded reference gives the model's numbers in evaluation mode, in float64."""

import dataclasses

import numpy as np
import pytest
import torch

from aam.batch import IGNORED
from aam.config.model import tiny
from aam.data.batching.batches import Masking
from aam.models.build import build_encoder, build_predictor
from aam.objectives.target import RegressionTarget
from aam.target_transform import TargetTransform
from helpers.studies import make_batch, make_study
from padded_reference import PaddedReference, mask_everywhere, pair_tokens
from pretraining_step import OBJECTIVES

TOKEN_LIMIT = 17


def make_reference(patch_size=3, dtype=torch.float64):
    torch.manual_seed(1)
    config = dataclasses.replace(tiny(), max_bp=11, patch_size=patch_size, attention_layers=2)
    model = build_encoder(config, OBJECTIVES).to(dtype).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return PaddedReference(model, TOKEN_LIMIT).eval()


def distances(packed):
    square = np.random.default_rng(0).random((len(packed.samples), len(packed.samples)))
    return (square + square.T) / 2


@pytest.fixture
def batch():
    study = make_study(is_ragged=True)
    batch = make_batch(study, masking=Masking(nuc_mask_ratio=0.3), targets={OBJECTIVES[0]: distances})
    assert len(set(batch.sample_offsets.diff().tolist())) > 1
    return batch


@pytest.mark.parametrize("patch_size", [1, 3])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_sample_vectors_equal_those_of_the_model(batch, patch_size, dtype, tolerance):
    reference = make_reference(patch_size, dtype)

    vectors = reference(pair_tokens(batch), batch).sample_vectors

    torch.testing.assert_close(vectors, reference.model(batch).samples.sample_vectors, rtol=0, atol=tolerance)


@pytest.mark.parametrize("patch_size", [1, 3])
def test_nucleotide_logits_at_masked_positions_equal_those_of_the_model(batch, patch_size):
    reference, masked = make_reference(patch_size), batch.masked

    everywhere = reference.nucleotide_logits(reference.read_asvs(masked.tokens)[1])

    ours = reference.model.active_objectives()["nucleotides"](reference.model(batch), batch)
    rows = torch.arange(len(masked.tokens))[:, None]
    torch.testing.assert_close(everywhere[rows, masked.columns][masked.labels != IGNORED], ours, rtol=0, atol=1e-10)


def test_the_loss_of_distances_and_its_gradients_equal_those_of_the_model(batch):
    reference = make_reference()
    head = reference.model.active_objectives()[OBJECTIVES[0]]
    weight = reference.model.asv_encoder.stem.in_patch
    ours = head.loss(head(reference.model(batch), batch), batch)
    (gradient,) = torch.autograd.grad(ours, weight)

    loss = reference.distance_loss(reference(pair_tokens(batch), batch).sample_vectors, batch.targets[OBJECTIVES[0]])

    torch.testing.assert_close(loss, ours, rtol=0, atol=1e-10)
    torch.testing.assert_close(torch.autograd.grad(loss, weight)[0], gradient, rtol=0, atol=1e-10)


def test_predictions_equal_those_of_the_model(batch):
    reference = make_reference()
    target = RegressionTarget(reference.model.config, "age", TargetTransform(3.0, 2.0))
    predictor = build_predictor(reference.model, target, ()).double().eval()

    prediction = reference.predict(predictor, batch)

    torch.testing.assert_close(
        prediction, target.in_own_units(target(predictor(batch), batch), batch), rtol=0, atol=1e-10
    )


def test_attention_drops_weights_in_training_only(batch):
    reference = make_reference()
    tokens = pair_tokens(batch)

    first, second = (reference.train()(tokens, batch).sample_vectors for _ in range(2))

    assert not torch.equal(first, second)
    assert torch.equal(*(reference.eval()(tokens, batch).sample_vectors for _ in range(2)))


def test_masks_hide_nucleotides_of_every_pair_and_label_them(batch):
    tokens = pair_tokens(batch)

    masked, labels = mask_everywhere(tokens, 0.5, torch.Generator().manual_seed(0))

    hidden = labels != IGNORED
    assert torch.equal(labels[hidden] + 1, tokens[hidden])
    assert torch.equal(masked[~hidden], tokens[~hidden])
    assert 0.4 < hidden.sum() / (tokens > 0).sum() < 0.6
