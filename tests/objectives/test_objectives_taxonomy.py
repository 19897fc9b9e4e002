"""Lineages of ASVs: a softmax per rank, and ranks without a name."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss

from aam.batch import Encoding, SampleEncoding
from aam.objectives.taxonomy import Taxonomy
from helpers.studies import make_batch, make_study

TAXA = [["A"], ["A; b", "A; c", "A; d"], ["A; b; x", "A; c; y"], [], [], [], []]
TRUTH = np.array([[0, 0], [1, -1], [-1, -1], [2, 1], [0, 0]])


@pytest.fixture
def objective():
    return Taxonomy("taxonomy", 8, TAXA).double()


@pytest.fixture
def batch():
    batch = make_batch(make_study(n_samples=2, n_features=5))
    return batch.__class__(**{**vars(batch), "targets": {"taxonomy": torch.tensor(TRUTH)}})


def test_only_ranks_with_something_to_tell_apart_are_learned(objective):
    assert objective.ranks == [1, 2]
    assert objective.widths == [3, 2]


def test_the_loss_is_the_mean_over_ranks_of_scikit_learns_log_loss_over_the_names(objective, batch):
    logits = torch.randn(5, 5, dtype=torch.float64)

    loss = objective.loss(logits, batch)

    upper, lower = (torch.softmax(part, dim=1).numpy() for part in logits.split([3, 2], dim=1))
    first = log_loss([0, 1, 2, 0], upper[[0, 1, 3, 4]], labels=[0, 1, 2])
    second = log_loss([0, 1, 0], lower[[0, 3, 4]], labels=[0, 1])
    assert loss.item() == pytest.approx((first + second) / 2)


def test_an_asv_without_a_name_gets_no_gradient(objective, batch):
    logits = torch.randn(5, 5, dtype=torch.float64, requires_grad=True)

    objective.loss(logits, batch).backward()

    assert (logits.grad[2] == 0).all()
    assert (logits.grad[1, :3] != 0).all()
    assert (logits.grad[1, 3:] == 0).all()


def test_a_batch_without_any_name_costs_nothing(objective, batch):
    batch.targets["taxonomy"].fill_(-1)
    logits = torch.randn(5, 5, dtype=torch.float64, requires_grad=True)

    loss = objective.loss(logits, batch)
    loss.backward()

    assert loss.item() == 0


def test_accuracies_are_scikit_learns(objective, batch):
    logits = torch.randn(5, 5, dtype=torch.float64)
    metrics = objective.metrics()

    for metric in metrics.values():
        metric.update(*(part[:2] for part in objective.scored(logits, batch)))
        metric.update(*(part[2:] for part in objective.scored(logits, batch)))

    assert set(metrics) == {"phylum_accuracy", "class_accuracy"}
    expected = accuracy_score([0, 1, 2, 0], logits[[0, 1, 3, 4], :3].argmax(dim=1))
    assert metrics["phylum_accuracy"].compute().item() == pytest.approx(expected)


def test_the_head_reads_the_vector_of_each_asv_alone(objective, batch):
    vectors = torch.randn(5, 8, dtype=torch.float64)
    samples = SampleEncoding(torch.zeros(4, 8), torch.tensor([0, 2, 4]), torch.zeros(2, 8))

    together = objective(Encoding(samples, asv_vectors=vectors), batch)

    alone = torch.cat([objective(Encoding(samples, asv_vectors=vectors[[k]]), batch) for k in range(5)])
    torch.testing.assert_close(together, alone)


def test_the_baseline_is_the_share_of_the_commonest_taxon(objective, batch):
    baseline = objective.baseline()

    baseline.learn(batch)
    baseline.score(batch)

    assert baseline.scores() == pytest.approx({"phylum_accuracy": 2 / 4, "class_accuracy": 2 / 3})
