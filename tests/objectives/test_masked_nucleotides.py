"""Masked nucleotides that can be scored, and those that cannot."""

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss

from aam.batch import IGNORED, Encoding, MaskedNucleotides, SampleEncoding
from aam.config.model import ModelConfig
from aam.objectives import masked_nucleotides
from aam.objectives.objective import ValidationSummary
from helpers.studies import make_batch, make_study

CONFIG = ModelConfig(embedding_dim=8, attention_heads=2, patch_size=2)
LABELS = torch.tensor([[0, IGNORED, 3], [2, 2, 1]])  # R K: the second of the first is ambiguous or padding


def batch_of(labels):
    rows, n_masked = labels.shape
    tokens, columns = torch.ones(rows, 5, dtype=torch.int64), torch.arange(n_masked).expand(rows, -1)
    masked = MaskedNucleotides(tokens, columns, labels, torch.arange(rows))
    return dataclasses.replace(make_batch(make_study(n_samples=2)), masked=masked)


@pytest.fixture
def objective():
    return masked_nucleotides.MaskedNucleotides(CONFIG).double()


def encoding_of(vectors):
    samples = SampleEncoding(torch.zeros(8, 8), 4 * torch.arange(3), torch.zeros(2, 8))
    return Encoding(samples, masked_nucleotides=vectors)


def test_logits_are_those_of_the_positions_that_can_be_scored_in_order(objective):
    vectors = torch.randn(2, 3, 8, dtype=torch.float64)

    logits = objective(encoding_of(vectors), batch_of(LABELS))

    place = objective.place_in_patch.weight
    expected = torch.stack(
        [objective.head(vectors[r, k] + place[k % 2]) for r, k in ((0, 0), (0, 2), (1, 0), (1, 1), (1, 2))]
    )
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-12)


def test_the_loss_is_scikit_learns_log_loss(objective):
    logits = torch.randn(5, 4, dtype=torch.float64)

    loss = objective.loss(logits, batch_of(LABELS))

    probability = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(axis=1, keepdims=True)
    assert loss.item() == pytest.approx(log_loss([0, 3, 2, 2, 1], probability, labels=[0, 1, 2, 3]))


def test_a_batch_of_ambiguous_nucleotides_alone_costs_nothing_and_can_be_learned_from(objective):
    vectors = torch.randn(2, 3, 8, dtype=torch.float64, requires_grad=True)
    batch = batch_of(torch.full((2, 3), IGNORED))

    logits = objective(encoding_of(vectors), batch)
    loss = objective.loss(logits, batch)
    loss.backward()

    assert logits.shape == (0, 4)
    assert loss.item() == 0
    assert (vectors.grad == 0).all()


def test_positions_that_cannot_be_scored_get_no_gradient(objective):
    vectors = torch.randn(2, 3, 8, dtype=torch.float64, requires_grad=True)

    objective.loss(objective(encoding_of(vectors), batch_of(LABELS)), batch_of(LABELS)).backward()

    has_gradient = (vectors.grad != 0).any(dim=2)
    assert torch.equal(has_gradient, LABELS != IGNORED)


def test_metrics_over_unequal_batches_weigh_every_nucleotide_alike(objective):
    logits, labels = torch.randn(7, 4, dtype=torch.float64), torch.tensor([0, 3, 2, 2, 1, 0, 1])
    metrics = objective.metrics()

    for metric in metrics.values():
        metric.set_dtype(torch.float64)
        for part in (slice(0, 1), slice(1, None)):
            metric.update(logits[part], labels[part])

    probability = torch.softmax(logits, dim=1)
    assert metrics["accuracy"].compute().item() == pytest.approx(accuracy_score(labels, logits.argmax(dim=1)))
    expected = np.exp(log_loss(labels, probability, labels=[0, 1, 2, 3]))
    assert metrics["perplexity"].compute().item() == pytest.approx(expected)


def test_equal_logits_are_as_perplexing_as_four_letters(objective):
    perplexity = objective.metrics()["perplexity"]

    perplexity.update(torch.zeros(5, 4), torch.tensor([0, 1, 2, 3, 0]))

    assert perplexity.compute().item() == pytest.approx(4)


def test_no_picture_helps(objective):
    assert objective.draw(torch.randn(5, 4), torch.tensor([0, 3, 2, 2, 1]), ValidationSummary(5, {})) is None


def test_a_batch_without_masked_nucleotides_is_our_own_mistake(objective):
    batch = dataclasses.replace(batch_of(LABELS), masked=None)

    with pytest.raises(AssertionError, match="holds no masked nucleotides"):
        objective(encoding_of(None), batch)
    with pytest.raises(AssertionError, match="holds no masked nucleotides"):
        objective.loss(torch.zeros(5, 4), batch)
