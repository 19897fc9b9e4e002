"""Stretches of both strands by hand, and the families of sequences that share them."""

import numpy as np
import pytest

from aam.data.kmers import FORWARD, REVERSED, UNKNOWN, Kmers, Sequences, find_families, reverse_complement, strands
from aam.io.sequences import tokenize
from helpers.reads import related, turned, unrelated


def sequences_of(*texts) -> Sequences:
    return Sequences.of([tokenize([text])[0] for text in texts])


def test_codes_are_numbers_of_base_four_on_each_strand():
    kmers = Kmers.of(sequences_of("A" * 12 + "C" + "G"))

    assert kmers.forward.tolist() == [1, 6]
    assert kmers.reverse.tolist() == [int("2" + "3" * 12, 4), int("12" + "3" * 11, 4)]
    assert kmers.owner.tolist() == [0, 0]


def test_the_reverse_strand_is_that_of_the_reverse_complement():
    (text,) = unrelated(1, 40)

    forward, backward = Kmers.of(sequences_of(text)), Kmers.of(sequences_of(turned(text)))

    assert forward.reverse.tolist() == backward.forward[::-1].tolist()


@pytest.mark.parametrize(
    ("texts", "owners"), [(("ACGTACGTACGTA", "ACGT" * 3), [0]), (("ACGTACNTACGTAA" * 2,), [0]), (("",), [])]
)
def test_stretches_with_ambiguous_letters_or_of_two_sequences_are_left_out(texts, owners):
    kmers = Kmers.of(sequences_of(*texts))

    assert sorted(set(kmers.owner.tolist())) == owners
    assert len(kmers.owner) == len(owners)


def test_the_strand_is_that_which_has_the_profile():
    text, other = unrelated(2, 60)
    profile = np.unique(Kmers.of(sequences_of(text)).forward)
    asked = sequences_of(text, turned(text), other, text[:30] + turned(text)[:30])

    assert strands(Kmers.of(asked), 4, profile).tolist() == [FORWARD, REVERSED, UNKNOWN, UNKNOWN]
    assert strands(Kmers.of(asked), 4, profile[:0]).tolist() == [UNKNOWN] * 4


def test_a_reverse_complement_of_a_reverse_complement_is_the_sequence():
    tokens = tokenize(["ACGTTNAC"])[0]

    assert reverse_complement(reverse_complement(tokens)).tolist() == tokens.tolist()


def test_families_hold_what_is_related_with_its_strand():
    first, second = related(20), related(10, seed=4)
    texts = [turned(text) if k % 2 else text for k, text in enumerate(first)] + second + unrelated(3, 150, seed=9)

    families = find_families(sequences_of(*texts))

    assert families.family.tolist() == [0] * 20 + [1] * 10 + [2, 3, 4]
    assert families.strand.tolist() == [FORWARD, REVERSED] * 10 + [FORWARD] * 13
