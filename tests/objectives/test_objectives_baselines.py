"""Trivial predictions of masked nucleotides, against counting by hand."""

import dataclasses

import numpy as np
import pytest
import torch

from aam.batch import MaskedNucleotides
from aam.objectives.baselines import NucleotideBaselines, contexts
from helpers.studies import make_batch, make_study

# A C G T A C, and A C G G T A: tokens 1 to 4, 6 is the mask
TRAINING = torch.tensor([[1, 2, 3, 4, 1, 2], [1, 2, 3, 3, 4, 1]])


def batch_of(tokens, masked=None):
    return dataclasses.replace(make_batch(make_study(n_samples=2, n_features=2)), tokens=tokens, masked=masked)


def scores(masked_tokens, columns, labels):
    baseline = NucleotideBaselines()
    baseline.learn(batch_of(TRAINING))
    parts = (masked_tokens, columns, labels, range(len(labels)))
    masked = MaskedNucleotides(*(torch.tensor(part) for part in parts))
    baseline.score(batch_of(TRAINING, masked))
    return baseline.scores()


def test_the_position_predicts_how_often_a_nucleotide_stands_there():
    found = scores([[6, 2, 3, 4, 1, 2]], [[0]], [[0]])

    assert found["position_accuracy"] == 1
    assert found["position_perplexity"] == pytest.approx(1 / (2.5 / 4))  # two A of two, with 1/2 more for each letter


def test_the_chain_predicts_what_follows_the_longest_known_context():
    found = scores([[1, 2, 3, 6, 1, 2]], [[3]], [[3]])  # after A C G: once T, once G

    assert found["markov_perplexity"] == pytest.approx(1 / (1.5 / 4))


def test_a_mask_before_it_shortens_the_context():
    found = scores([[1, 2, 6, 6, 1, 2]], [[2, 3]], [[2, 3]])

    after_ac = 2.5 / 4  # G twice
    alone = (2 + 0.5) / (12 + 2)  # T twice of twelve letters
    assert found["markov_perplexity"] == pytest.approx(np.exp(-np.log([after_ac, alone]).mean()))


def test_a_nucleotide_that_is_read_as_it_is_stays_hidden():
    shown, masked = (scores([[1, 2, token, 6, 1, 2]], [[2, 3]], [[2, 3]]) for token in (3, 6))

    assert shown == masked


def test_nothing_to_score_is_no_score():
    assert scores([[1, 2, 3, 4, 1, 2]], [[0]], [[-100]]) == {}


def test_contexts_are_numbers_in_base_4_where_all_letters_are_known():
    letters = np.array([[0, 1, 2, 5, 3, 1, 0]])

    number, is_known = contexts(letters, letters < 4, 2)

    assert is_known.tolist() == [[False, False, True, True, False, False, True]]
    assert number[0, 2] == 1 + 4 * 0
    assert number[0, 6] == 1 + 4 * 3
