"""Simulated sequences follow the tree and resemble 16S V4."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from aam.simulation.sequences import FREQUENCIES, rate_matrix, simulate_sequences, site_rates
from aam.simulation.tree import simulate_tree

N_TIPS, LENGTH = 250, 150


@pytest.fixture(scope="module", params=[0, 1, 2])
def tree_and_sequences(request):
    rng = np.random.default_rng(request.param)
    tree = simulate_tree(N_TIPS, rng)
    return tree, simulate_sequences(tree, LENGTH, rng)


def as_array(sequences):
    return np.array([list(sequence.encode()) for sequence in sequences], dtype=np.uint8)


def path_lengths(tree):
    """Distances between tips: the summed length of the branches that have just one of the two below them."""
    below = np.zeros((len(tree.parent), len(tree.tips)), dtype=bool)
    for node in range(len(tree.parent)):
        below[node, tree.members(node)] = True
    return pdist(below.T * np.sqrt(tree.length), "sqeuclidean")


def test_sequences_are_distinct_of_the_length_asked_for_and_over_acgt(tree_and_sequences):
    _, sequences = tree_and_sequences

    assert len(set(sequences)) == len(sequences) == N_TIPS
    assert {len(sequence) for sequence in sequences} == {LENGTH}
    assert set("".join(sequences)) == set("ACGT")


def test_sequences_diverge_as_much_as_in_16s_v4(tree_and_sequences):
    _, sequences = tree_and_sequences
    states = as_array(sequences)
    different = (states[:, None] != states[None]).sum(axis=2)

    identity = 1 - different[np.triu_indices(N_TIPS, 1)] / LENGTH
    np.fill_diagonal(different, LENGTH)
    nearest = different.min(axis=1)

    assert 0.62 < np.median(identity) < 0.8
    assert (nearest <= 3).mean() > 0.2
    assert 2 <= np.median(nearest) <= 10


def test_close_tips_have_similar_sequences(tree_and_sequences):
    tree, sequences = tree_and_sequences

    correlation = spearmanr(path_lengths(tree), pdist(as_array(sequences), "hamming")).statistic

    assert correlation > 0.5


def test_conserved_and_variable_sites_come_in_stretches():
    rates = site_rates(3000, np.random.default_rng(0))

    logs = np.log(rates + 1e-3)
    assert rates.mean() == pytest.approx(1)
    assert (rates < 0.05).mean() > 0.1
    assert np.corrcoef(logs[:-1], logs[1:])[0, 1] > 0.5


def test_rate_matrix_keeps_the_frequencies_and_makes_one_substitution_per_unit_of_time():
    rates = rate_matrix()

    np.testing.assert_allclose(rates.sum(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(FREQUENCIES @ rates, 0, atol=1e-12)
    assert -(FREQUENCIES @ np.diag(rates)) == pytest.approx(1)


def test_nucleotides_are_as_frequent_as_in_16s():
    rng = np.random.default_rng(0)

    states = as_array(simulate_sequences(simulate_tree(100, rng), 2000, rng))

    found = [(states == letter).mean() for letter in b"ACGT"]
    np.testing.assert_allclose(found, FREQUENCIES, atol=0.03)


def test_short_sequences_of_many_tips_are_made_distinct():
    rng = np.random.default_rng(0)

    sequences = simulate_sequences(simulate_tree(900, rng), 6, rng)

    assert len(set(sequences)) == 900
