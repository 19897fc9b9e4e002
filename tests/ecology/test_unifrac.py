"""Unweighted UniFrac against scikit-bio."""

import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import skbio
from hypothesis import given, settings
from hypothesis import strategies as st
from skbio.diversity import beta_diversity

from aam.ecology.tree import FeatureTree, write_feature_tree
from aam.ecology.unifrac import unweighted_unifrac
from aam.errors import TreeError
from aam.io.newick import read_newick
from aam.io.tables import read_table
from helpers.studies import real_study


def pack(counts):
    rows = [np.flatnonzero(row) for row in counts]
    return np.concatenate(rows), np.cumsum([0] + [len(row) for row in rows])


def oracle(counts, feature_ids, tree):
    ids = [str(i) for i in range(len(counts))]
    return beta_diversity("unweighted_unifrac", counts, ids=ids, taxa=feature_ids, tree=tree).data


def test_a_tree_of_four_tips_by_hand(tmp_path):
    (tmp_path / "tree.nwk").write_text("((a:1,b:2):3,(c:4,d:5):6);")
    tree = FeatureTree.from_arrays(read_newick(tmp_path / "tree.nwk"), ["d", "a", "b", "c"])
    samples = [[1, 2], [2, 0], [1, 2]]  # {a, b}, {b, d}, {a, b}

    distance = unweighted_unifrac(tree, np.concatenate(samples), np.array([0, 2, 4, 6]))

    shared, union = 2 + 3, 1 + 2 + 3 + 5 + 6
    expected = 1 - shared / union
    np.testing.assert_allclose(distance, [[0, expected, 0], [expected, 0, expected], [0, expected, 0]], atol=1e-12)


@pytest.mark.parametrize("name", ["moving_pictures", "ibd_2538"])
def test_unifrac_equals_scikit_bio_on_real_trees(name):
    folder = real_study(name)
    table, arrays = read_table(folder / "table.biom"), read_newick(folder / "tree.nwk")
    tree = FeatureTree.from_arrays(arrays, table.feature_ids)
    is_kept = tree.position >= 0
    counts = table.counts[:24].toarray() * is_kept

    distance = unweighted_unifrac(tree, *pack(counts)).astype(np.float32)

    truth = skbio.TreeNode.read(str(folder / "tree.nwk"), convert_underscores=False)
    taxa = [name for name, kept in zip(table.feature_ids, is_kept, strict=True) if kept]
    np.testing.assert_allclose(distance, oracle(counts[:, is_kept], taxa, truth), atol=1e-6)


def test_the_128_features_that_the_ibd_tree_lacks_are_known():
    folder = real_study("ibd_2538")
    table = read_table(folder / "table.biom")
    arrays = read_newick(folder / "tree.nwk")

    missing = FeatureTree.from_arrays(arrays, table.feature_ids).missing()

    tips = {tip.name for tip in skbio.TreeNode.read(str(folder / "tree.nwk"), convert_underscores=False).tips()}
    assert {table.feature_ids[i] for i in missing} == set(table.feature_ids) - tips
    assert len(missing) == 128


@pytest.mark.parametrize(
    "newick",
    ["((x:0,y:0):0,(a:0,b:0):0);", "((x:0,y:0):3,(a:0,b:0):0);", "((x:0,y:0):3,(a:1,b:2):1)r:2;", "(x:0,y:0)r:2;"],
)
def test_a_tree_whose_branches_between_the_features_have_no_length_is_an_error(tmp_path, newick):
    (tmp_path / "tree.nwk").write_text(newick)

    with pytest.raises(TreeError, match=r"\b2 features .*\blength 0\b"):
        FeatureTree.from_arrays(read_newick(tmp_path / "tree.nwk"), ["x", "y"])


@pytest.mark.parametrize(
    "newick", ["((x:0,y:0.1):0,a:0);", "((x:0,a:0):1,(y:0,b:0):0);", "(x:1e-300,y:0);", "(x:1e99,y:0);"]
)
def test_one_branch_is_enough(tmp_path, newick):
    (tmp_path / "tree.nwk").write_text(newick)

    tree = FeatureTree.from_arrays(read_newick(tmp_path / "tree.nwk"), ["x", "y"])

    assert unweighted_unifrac(tree, np.array([0, 1]), np.array([0, 1, 2]))[0, 1] == 1


@pytest.mark.parametrize(
    ("newick", "features", "message"),
    [
        ("(a:1,b:2);", ["x", "y"], r"None of the 2 features .*: 'x', 'y'"),
        ("((a:1,b)x:3,c:4);", ["a", "b", "c"], r"\b1 branches .*no length: 'b'"),
    ],
    ids=["other features", "a branch without length"],
)
def test_a_tree_that_does_not_fit_is_an_error(tmp_path, newick, features, message):
    (tmp_path / "tree.nwk").write_text(newick)

    with pytest.raises(TreeError, match=message):
        FeatureTree.from_arrays(read_newick(tmp_path / "tree.nwk"), features)


@given(st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_branches_equal_those_that_a_walk_to_the_root_collects(seed):
    stream = np.random.default_rng(seed)
    n_tips = int(stream.integers(2, 12))
    waiting, parent = list(range(n_tips)), {}
    while len(waiting) > 1:  # join random nodes, several at a time, some by branches without length
        n_joined = 2 if len(waiting) < 4 else stream.integers(2, 4)  # two at the root
        joined = [waiting.pop(stream.integers(len(waiting))) for _ in range(n_joined)]
        node = n_tips + len(parent)
        parent |= dict.fromkeys(joined, node)
        waiting.append(node)
    root = waiting[0]
    length = {node: float(stream.integers(0, 4)) for node in [*parent, root]}
    length[0] += 1.0  # a tree of nothing but zeros is refused

    def newick(node):
        children = [child for child, above in parent.items() if above == node]
        inner = f"({','.join(map(newick, children))})" if children else f"t{node}"
        return f"{inner}:{length[node]}"

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tree.nwk").write_text(newick(root) + ";")
        tree = FeatureTree.from_arrays(read_newick(Path(folder) / "tree.nwk"), [f"t{i}" for i in range(n_tips)])
    chosen = stream.choice(n_tips, int(stream.integers(1, n_tips + 1)), replace=False)
    below = defaultdict(set)
    for tip in chosen.tolist():
        node = tip
        while node != root:
            below[node].add(tip)
            node = parent[node]
        below[root].add(tip)
    expected = Counter()
    for node, tips in below.items():
        expected[frozenset(tips)] += length[node]

    places = np.sort(tree.position[chosen])
    branches = tree.branches_above(places)

    tip_at = {int(tree.position[tip]): tip for tip in chosen.tolist()}
    found = {
        frozenset(tip_at[int(place)] for place in places[start:stop]): value
        for start, stop, value in zip(branches.start, branches.stop, branches.length, strict=True)
    }
    assert found == pytest.approx({tips: value for tips, value in expected.items() if value > 0})


def test_a_saved_tree_opens_as_it_was(tmp_path):
    (tmp_path / "tree.nwk").write_text("((a:1,b:2):3,(c:4,d:5):6);")
    arrays = read_newick(tmp_path / "tree.nwk")

    write_feature_tree(arrays, ["d", "x", "b"], tmp_path)

    opened, tree = FeatureTree.open(tmp_path), FeatureTree.from_arrays(arrays, ["d", "x", "b"])
    assert opened.position.tolist() == tree.position.tolist() == [0, -1, 1]
    assert opened.depth.tolist() == tree.depth.tolist() == [11, 5]
    assert opened.ancestor_depth.tolist() == tree.ancestor_depth.tolist() == [0]


def test_a_walk_in_blocks_gives_the_same_tree(tmp_path, monkeypatch):
    stream = np.random.default_rng(0)
    nodes = [f"t{number}" for number in range(40)]
    features = [*stream.permutation(nodes)[:25].tolist(), "x"]
    while len(nodes) > 1:
        pair = [nodes.pop(stream.integers(len(nodes))) for _ in range(2)]
        nodes.append(f"({pair[0]}:{stream.random()},{pair[1]}:{stream.random()})")
    (tmp_path / "tree.nwk").write_text(nodes[0] + ";")
    arrays = read_newick(tmp_path / "tree.nwk")
    whole = FeatureTree.from_arrays(arrays, features)
    monkeypatch.setattr("aam.ecology.tree._PER_BLOCK", 3)

    in_blocks = FeatureTree.from_arrays(arrays, features)

    for name in ("position", "depth", "ancestor_depth"):
        np.testing.assert_array_equal(getattr(in_blocks, name), getattr(whole, name))


def test_branches_without_length_do_not_matter_where_no_feature_is_below(tmp_path):
    (tmp_path / "tree.nwk").write_text("((a:1,((x:1,y:1),z:1):1,b:2):3,c:4);")
    tree = FeatureTree.from_arrays(read_newick(tmp_path / "tree.nwk"), ["a", "b", "c"])

    distance = unweighted_unifrac(tree, np.array([0, 1, 1, 2]), np.array([0, 2, 4]))

    assert distance[0, 1] == pytest.approx(1 - (3 + 2) / (3 + 2 + 1 + 4))


def test_distances_do_not_depend_on_which_other_samples_are_in_the_batch(tmp_path):
    (tmp_path / "tree.nwk").write_text("(((a:1,b:2):3,(c:4,d:5):6):1,(e:2,f:1):2);")
    tree = FeatureTree.from_arrays(read_newick(tmp_path / "tree.nwk"), list("abcdef"))
    counts = np.random.default_rng(0).integers(0, 2, size=(5, 6))
    counts[:, 0] = 1

    together = unweighted_unifrac(tree, *pack(counts))
    apart = unweighted_unifrac(tree, *pack(counts[[1, 4]]))

    np.testing.assert_allclose(together[1, 4], apart[0, 1], atol=1e-12)


def test_features_that_the_tree_lacks_are_passed_over(tmp_path):
    (tmp_path / "tree.nwk").write_text("((a:1,b:2):3,(c:4,d:5):6);")
    tree = FeatureTree.from_arrays(read_newick(tmp_path / "tree.nwk"), list("xabycd"))

    with_strangers = unweighted_unifrac(tree, np.array([0, 1, 2, 3, 3, 5, 0]), np.array([0, 4, 6, 7]))
    without = unweighted_unifrac(tree, np.array([1, 2, 5]), np.array([0, 2, 3, 3]))

    np.testing.assert_array_equal(with_strangers, without)
    assert without[0, 2] == 1  # a sample without any branch shares nothing
