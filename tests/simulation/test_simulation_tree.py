"""The simulated tree is a valid binary tree in post-order, with rates that differ between lineages."""

import numpy as np
import pytest

from aam.simulation.tree import CLOCK_SPREAD, MEAN_DIVERGENCE, SimulatedTree, mean_tip_distance, simulate_tree


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
