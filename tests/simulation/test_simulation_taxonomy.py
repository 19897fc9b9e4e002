"""The taxonomy cut from a tree nests and follows the tree."""

import numpy as np
import pytest

from aam.simulation.tree import GROUPS_EXPONENT, cut_taxonomy, simulate_tree

N_TIPS = 300


@pytest.fixture(scope="module")
def tree():
    return simulate_tree(N_TIPS, np.random.default_rng(0))


@pytest.fixture(scope="module")
def ranks(tree):
    return np.array([name.split("; ") for name in cut_taxonomy(tree)])


def test_every_tip_has_seven_ranks_in_order(ranks):
    assert ranks.shape == (N_TIPS, 7)
    for column, letter in zip(ranks.T, "kpcofgs", strict=True):
        assert all(name.startswith(f"{letter}__") for name in column)


def test_a_named_group_lies_in_one_group_of_the_rank_above(ranks):
    for upper, lower in zip(ranks.T[:-1], ranks.T[1:], strict=True):
        named = np.char.str_len(lower) > 3
        pairs = set(zip(upper[named], lower[named], strict=True))
        assert len(pairs) == len(set(lower[named]))


def test_below_a_nameless_rank_nothing_is_named(ranks):
    genus_is_nameless = ranks[:, 5] == "g__"

    assert genus_is_nameless.any()
    assert (ranks[genus_is_nameless, 6] == "s__").all()


def test_named_groups_are_clades_of_the_tree(tree, ranks):
    clades = {tuple(tree.members(node)) for node in range(len(tree.parent))}

    for column in ranks.T[1:]:
        for name in set(column[np.char.str_len(column) > 3]):
            assert tuple(np.flatnonzero(column == name)) in clades


def test_ranks_have_the_number_of_groups_they_should(ranks):
    for column, letter in zip(ranks.T[1:5], "pcof", strict=True):
        assert len(set(column)) == round(N_TIPS ** GROUPS_EXPONENT[letter])
