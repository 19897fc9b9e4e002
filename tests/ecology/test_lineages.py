"""Lineages as numbers: what counts as one taxon, and what is unknown."""

import numpy as np

from aam.ecology.lineages import RANKS, UNKNOWN, Lineages

NAMED = {
    "a": ("Bacteria", "P1", "C1", "O1", "F1", "Alike"),
    "b": ("Bacteria", "P1", "C1", "O1", "F2", "Alike"),
    "c": ("Bacteria", "P1", None, "O1"),
    "d": ("Archaea",),
}


def lineages(features=("a", "b", "c", "d", "x")):
    return Lineages.of_features(features, list(NAMED), list(NAMED.values()))


def test_two_genera_of_one_name_in_different_families_are_two():
    numbers = lineages().numbers[:, RANKS.index("genus")]

    assert numbers[0] != numbers[1]
    assert (numbers[2:] == UNKNOWN).all()


def test_a_rank_without_a_name_between_named_ones_is_unknown_and_those_below_are_not():
    numbers = lineages().numbers[2]

    assert numbers[RANKS.index("class")] == UNKNOWN
    assert numbers[RANKS.index("order")] != UNKNOWN


def test_taxa_that_are_not_in_the_list_become_unknown_and_others_keep_their_name():
    found = lineages()
    taxa = found.seen(np.array([True, False, False, True, False]))

    numbers = found.numbered_as(taxa)

    assert taxa[0] == ["Archaea", "Bacteria"]
    assert numbers[:, 0].tolist() == [1, 1, 1, 0, UNKNOWN]
    assert numbers[:, RANKS.index("genus")].tolist() == [0, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN]


def test_the_order_of_the_taxonomys_rows_is_nothing():
    reversed_rows = Lineages.of_features(["a", "b", "c"], list(NAMED)[::-1], list(NAMED.values())[::-1])

    np.testing.assert_array_equal(reversed_rows.numbers, lineages(("a", "b", "c")).numbers)
