"""Roots at the midpoint and at an outgroup, against scikit-bio and by hand."""

import io
import logging

import numpy as np
import pytest
import skbio
from hypothesis import given, settings
from hypothesis import strategies as st
from skbio.diversity import beta_diversity

from aam.batch import PackedCounts
from aam.ecology.resources import StudyResources
from aam.ecology.rooting import Place, _shape, reroot, root_tree
from aam.ecology.tree import FeatureTree
from aam.ecology.unifrac import normalized, unweighted, weighted
from aam.errors import TreeError
from aam.io.newick import read_newick

UNROOTED = "((a:1,b:2):3,c:4,(d:5,(e:1,f:0.5):2):1.5);"


def rooted(folder, text, *root):
    (folder / "tree.nwk").write_text(text)
    return root_tree(read_newick(folder / "tree.nwk", needs_root=False), root, folder / "tree.nwk")


def depths(tree):
    """Return the distance of each tip from the root."""
    above, found = [], {}
    names = list(tree.names)
    for node in range(len(tree.level) - 1, -1, -1):
        level = int(tree.level[node])
        del above[level:]
        above.append((above[-1] if above else 0) + np.nan_to_num(tree.length[node]))
        if tree.is_tip[node]:
            found[names.pop()] = round(float(above[-1]), 9)
    return found


def test_the_midpoint_by_hand(tmp_path):
    tree = rooted(tmp_path, UNROOTED, "midpoint")

    # the longest way is d – b: 5 + 1.5 + 3 + 2 = 11.5
    assert depths(tree) == {"a": 4.75, "b": 5.75, "c": 4.75 + 0, "d": 5.75, "e": 3.75, "f": 3.25} | {"c": 0.75 + 4}
    assert (tree.level == 1).sum() == 2


@pytest.mark.parametrize("names", [("a", "b"), ("c", "d", "e", "f"), ("f", "e", "d", "c")])
def test_an_outgroup_or_the_rest_give_the_same_root(tmp_path, names):
    tree = rooted(tmp_path, UNROOTED, "outgroup", *names)

    assert depths(tree) == {"a": 2.5, "b": 3.5, "c": 5.5, "d": 8, "e": 6.0, "f": 5.5} | {"d": 1.5 + 1.5 + 5}


def test_a_root_that_is_there_is_replaced_and_its_two_branches_become_one(tmp_path):
    tree = rooted(tmp_path, "(((a:1,b:2):1,(d:5,(e:1,f:0.5):2):1.5):2,c:4)old:9;", "outgroup", "e", "f")

    assert depths(tree) == {"a": 4.5, "b": 5.5, "c": 8.5, "d": 6.0, "e": 2.0, "f": 1.5}
    assert len(tree.level) == 11  # of six tips


def test_the_branch_that_clearcut_writes_at_one_end_has_its_length_once(tmp_path):
    tree = rooted(tmp_path, "((a:1,b:2),(c:1,d:4):0.5);", "midpoint")

    assert depths(tree) == {"a": 2.25, "b": 3.25, "c": 1.75, "d": 3.25}


def test_supports_stay_with_their_branches(tmp_path):
    text = "((a:1,b:2)ab:3,c:4,(d:5,(e:1,f:0.5)ef:2)def:1.5);"
    (tmp_path / "tree.nwk").write_text(text)
    shape = _shape(read_newick(tmp_path / "tree.nwk", needs_root=False))
    old = [node.name for node in skbio.TreeNode.read(io.StringIO(text)).postorder()]

    moved = reroot(shape, Place(old.index("ef"), 1.0))

    tips_below, waiting = {}, []
    for node, branch, level in zip(moved.node.tolist(), moved.branch.tolist(), moved.level.tolist(), strict=True):
        below = set() if node < 0 or not shape.is_tip[node] else {old[node]}
        while waiting and waiting[-1][0] == level + 1:
            below |= waiting.pop()[1]
        waiting.append((level, below))
        if branch >= 0 and old[branch] in ("ab", "def", "ef"):
            tips_below.setdefault(old[branch], []).append(below)
    everything = set("abcdef")
    assert tips_below["ab"] == [{"a", "b"}]
    assert tips_below["def"] == [everything - set("def")]  # the same division, written at its other end
    assert sorted(map(len, tips_below["ef"])) == [2, 4]  # the two halves of the branch that the root divides


def newick_of(stream, n_tips):
    """Return a random unrooted tree."""
    waiting = [f"t{number}:{stream.random():.6f}" for number in range(n_tips)]
    while len(waiting) > 3:
        n_joined = int(stream.integers(2, 4)) if len(waiting) > 5 else 2
        joined = [waiting.pop(stream.integers(len(waiting))) for _ in range(n_joined)]
        waiting.append(f"({','.join(joined)}){stream.integers(100)}:{stream.random():.6f}")
    return f"({','.join(waiting)});"


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000))
def test_unifrac_after_midpoint_rooting_equals_that_of_scikit_bio(tmp_path_factory, seed):
    stream = np.random.default_rng(seed)
    n_tips, folder = int(stream.integers(4, 15)), tmp_path_factory.mktemp("tree")
    text, names = newick_of(stream, n_tips), [f"t{number}" for number in range(n_tips)]
    counts = stream.integers(0, 9, (4, n_tips)) * (stream.random((4, n_tips)) < 0.6)
    counts[np.arange(4), stream.integers(0, n_tips, 4)] = 3
    truth = skbio.TreeNode.read(io.StringIO(text)).root_at_midpoint()

    tree = FeatureTree.from_arrays(rooted(folder, text, "midpoint"), names)

    features = [np.flatnonzero(row) for row in counts]
    offsets, reads = np.cumsum([0] + [len(row) for row in features]), np.concatenate([row[row > 0] for row in counts])
    packed = PackedCounts(np.arange(4), np.concatenate(features), reads, offsets)
    for measure, options in ((unweighted, {}), (weighted, {}), (normalized, {"normalized": True})):
        name = f"{'un' if measure is unweighted else ''}weighted_unifrac"
        expected = beta_diversity(name, counts, taxa=names, tree=truth, **options).data
        np.testing.assert_allclose(measure(packed, StudyResources(n_tips, tree=tree)), expected, atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000))
def test_depths_after_outgroup_rooting_equal_those_of_scikit_bio(tmp_path_factory, seed):
    stream = np.random.default_rng(seed)
    folder, text = tmp_path_factory.mktemp("tree"), newick_of(stream, int(stream.integers(5, 15)))
    truth = skbio.TreeNode.read(io.StringIO(text))
    clades = [node for node in truth.postorder(include_self=False)]
    outgroup = [tip.name for tip in clades[stream.integers(len(clades))].tips(include_self=True)]
    by_scikit_bio = truth.root_by_outgroup(outgroup)

    tree = rooted(folder, text, "outgroup", *outgroup)

    expected = {tip.name: round(tip.distance(by_scikit_bio), 9) for tip in by_scikit_bio.tips()}
    assert depths(tree) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "root", "message"),
    [
        (UNROOTED, ("outgroup", "a", "x"), r"1 of 2 names of --root outgroup are no tips .*'x'\. The tree has 'b'"),
        (UNROOTED, ("outgroup", "A"), "1 of 1 name .*'A'.*upper and lower case: 'A' is 'a' there"),
        (
            UNROOTED,
            ("outgroup", "a", "c"),
            r"no branch .* 2 tips of the outgroup from the other 4: .*\b4 more, such as 'b', 'd'",
        ),
        (UNROOTED, ("outgroup", *"abcdef"), "names all 6 tips"),
        ("((a:1,b):3,c:4,d:1);", ("midpoint",), "1 branches .*no length.*midpoint.*--root outgroup"),
    ],
)
def test_roots_that_cannot_be_set_are_refused(tmp_path, text, root, message):
    with pytest.raises(TreeError, match=message):
        rooted(tmp_path, text, *root)


@pytest.mark.parametrize(("text", "distance"), [("((A:1,B:1):1,C:2):1;", 0.5), ("((A:1,B:1):1,C:2);", 2 / 3)])
def test_the_length_of_a_root_counts_as_in_scikit_bio(tmp_path, text, distance):
    (tmp_path / "tree.nwk").write_text(text)
    tree = FeatureTree.from_arrays(read_newick(tmp_path / "tree.nwk"), ["A", "B", "C"])
    packed = PackedCounts(np.arange(2), np.array([0, 1]), np.array([1, 1]), np.arange(3))
    truth = skbio.TreeNode.read(io.StringIO(text))

    found = unweighted(packed, StudyResources(3, tree=tree))[0, 1]

    expected = beta_diversity("unweighted_unifrac", [[1, 0, 0], [0, 1, 0]], taxa=["A", "B", "C"], tree=truth).data[0, 1]
    assert found == pytest.approx(distance)
    assert expected == pytest.approx(distance)


def test_where_the_root_is_set_is_said(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        rooted(tmp_path, UNROOTED, "outgroup", "a", "b")

    assert "the root is set on the branch above 2 of its 6 tips (--root outgroup)" in caplog.text
