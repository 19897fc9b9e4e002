"""The clades that carry the truth are clades, of moderate size, and apart from each other."""

import numpy as np
import pytest

from aam.simulation.tree import EFFECTS, choose_clades, simulate_tree


def clades_of(n_tips, seed, signal=1.0):
    rng = np.random.default_rng(seed)
    tree = simulate_tree(n_tips, rng)
    return tree, choose_clades(tree, signal, rng)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n_tips", [20, 60, 700])
def test_clades_are_whole_and_share_no_tip(n_tips, seed):
    tree, clades = clades_of(n_tips, seed)

    members = np.concatenate([clade.members for clade in clades])
    assert len(np.unique(members)) == len(members)
    assert [clade.column for clade in clades] == ["age"] * 3 + ["disease"] * 3
    assert len({clade.name for clade in clades}) == 6
    for clade in clades:
        assert len(clade.members) == tree.n_tips_below[clade.node] <= max(2, 0.1 * n_tips)


@pytest.mark.parametrize("seed", range(5))
def test_clades_of_a_large_tree_hold_three_to_ten_percent_of_it(seed):
    _, clades = clades_of(700, seed)

    assert all(21 <= len(clade.members) <= 70 for clade in clades)


def test_members_of_a_clade_are_the_tips_that_descend_from_its_node():
    tree, clades = clades_of(200, seed=0)

    for clade in clades:
        for member, tip in enumerate(tree.tips):
            node = tip
            while node not in (clade.node, -1):
                node = tree.parent[node]
            assert (node == clade.node) == (member in clade.members)


def test_signal_scales_the_effects():
    (_, plain), (_, doubled), (_, none) = (clades_of(100, 0, signal) for signal in (1.0, 2.0, 0.0))

    assert [clade.effect for clade in plain] == [*EFFECTS["age"], *EFFECTS["disease"]]
    assert [clade.effect for clade in doubled] == [2 * clade.effect for clade in plain]
    assert [clade.effect for clade in none] == [0.0] * 6
