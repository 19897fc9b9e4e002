"""Compositions of samples: shares of taxa, and divergences against SciPy."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import braycurtis
from scipy.stats import entropy

from aam.batch import PackedCounts
from aam.config.objectives import PretrainingObjectivesConfig
from aam.ecology.lineages import Lineages
from aam.ecology.resources import StudyResources
from aam.objectives.taxon_abundance import TaxonAbundance, dissimilarity, divergence

LINEAGES = Lineages.of_features(
    ["f0", "f1", "f2", "f3"], ["f0", "f1", "f2", "f3"], [("A", "b"), ("A", "c"), ("A", "b"), ("A",)]
)
RESOURCES = StudyResources(4, np.array([True, True, False, True]), lineages=LINEAGES, taxonomy_rank=1)
PACKED = PackedCounts(np.arange(3), np.array([0, 1, 2, 1, 3, 3]), np.array([3, 5, 2, 7, 4, 9]), np.array([0, 3, 5, 6]))


def test_reads_are_added_up_by_taxon_and_those_without_a_name_left_out():
    shares = TaxonAbundance("composition", 8, 1, ["A; b", "A; c"]).target(RESOURCES)(PACKED)

    np.testing.assert_allclose(shares, [[0.5, 0.5], [0, 1], [0, 0]])


def test_settings_are_the_taxa_of_training_at_the_rank():
    assert TaxonAbundance.choose_settings(PretrainingObjectivesConfig(), RESOURCES) == {
        "rank": 1,
        "taxa": ["A; b", "A; c"],
    }


def test_scores_equal_scipys():
    logits, truth = torch.randn(4, 6, dtype=torch.float64), torch.rand(4, 6, dtype=torch.float64)
    truth = truth / truth.sum(dim=1, keepdim=True)
    predicted = torch.softmax(logits, dim=1).numpy()

    np.testing.assert_allclose(divergence(logits, truth), entropy(truth.numpy(), predicted, axis=1))
    expected = [braycurtis(a, b) for a, b in zip(predicted, truth.numpy(), strict=True)]
    np.testing.assert_allclose(dissimilarity(logits, truth), expected)


def test_a_sample_without_any_name_diverges_from_nothing():
    assert divergence(torch.randn(1, 3), torch.zeros(1, 3)).item() == pytest.approx(0)
