"""The simulated tree is valid, its rates differ, and its clades and taxonomy follow it."""

import numpy as np
import pytest

from aam.simulation.tree import (
    CLOCK_SPREAD,
    EFFECTS,
    GROUPS_EXPONENT,
    MEAN_DIVERGENCE,
    SimulatedTree,
    choose_clades,
    cut_taxonomy,
    mean_tip_distance,
    simulate_tree,
)


def tree_of(n_tips, seed=0):
    return simulate_tree(n_tips, np.random.default_rng(seed))


def distance_to_root(tree):
    distance = np.zeros(len(tree.parent))
    for node in range(len(distance) - 2, -1, -1):
        distance[node] = distance[tree.parent[node]] + tree.length[node]
    return distance


@pytest.mark.parametrize("n_tips", [2, 3, 20, 501])
def test_tree_is_rooted_binary_and_in_post_order_with_exactly_the_tips_asked_for(n_tips):
    tree = tree_of(n_tips)

    children = np.bincount(tree.parent[:-1], minlength=len(tree.parent))
    assert len(tree.parent) == len(tree.length) == len(tree.names) == 2 * n_tips - 1
    assert tree.parent[-1] == -1
    assert (tree.parent[:-1] > np.arange(2 * n_tips - 2)).all()
    assert sorted(set(children)) == [0, 2]
    np.testing.assert_array_equal(np.flatnonzero(children == 0), tree.tips)
    assert [tree.names[node] for node in tree.tips] == [str(number) for number in range(n_tips)]
    assert all(tree.names[node] == "" for node in np.flatnonzero(children))


def test_branches_have_positive_length_and_parents_are_older():
    tree = tree_of(300)

    assert (tree.length[:-1] > 0).all()
    assert tree.length[-1] == 0
    assert (tree.age[tree.parent[:-1]] > tree.age[:-1]).all()
    assert tree.age[-1] < 1


def test_subtrees_are_contiguous_as_post_order_demands():
    tree = tree_of(60)

    for node in np.flatnonzero(tree.age > 0):
        inside = np.arange(node - 2 * tree.n_tips_below[node] + 2, node)
        assert set(tree.parent[inside]) <= {*inside, node}


def test_tips_are_not_equally_far_from_the_root():
    tree = tree_of(300)

    to_tips = distance_to_root(tree)[tree.tips]

    assert 0.05 < to_tips.std() / to_tips.mean() < CLOCK_SPREAD


def test_mean_distance_between_tips_matches_a_tree_worked_out_by_hand():
    tree = SimulatedTree(
        parent=np.array([2, 2, 4, 4, -1]),
        length=np.array([1.0, 2.0, 3.0, 5.0, 0.0]),
        names=["0", "1", "", "2", ""],
        age=np.array([0.0, 0.0, 0.5, 0.0, 0.9]),
    )

    assert mean_tip_distance(tree) == pytest.approx((3 + 9 + 10) / 3)
    assert mean_tip_distance(tree_of(77)) == pytest.approx(MEAN_DIVERGENCE)


def test_levels_hold_each_node_below_the_root_once_and_parents_first():
    tree = tree_of(50)
    seen = {len(tree.parent) - 1}

    for nodes in tree.levels:
        assert set(tree.parent[nodes]) <= seen
        seen |= set(nodes)

    assert len(seen) == len(tree.parent)
    assert sum(map(len, tree.levels)) == len(tree.parent) - 1


def test_same_seed_gives_the_same_tree_and_another_seed_another():
    one, same, other = tree_of(40), tree_of(40), tree_of(40, seed=1)

    np.testing.assert_array_equal(one.length, same.length)
    np.testing.assert_array_equal(one.parent, same.parent)
    assert not np.array_equal(one.length, other.length)


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
