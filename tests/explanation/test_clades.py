"""Nested sets of features from trees, from what a model keeps, and from lineages."""

import numpy as np
import pytest

from aam.ecology.lineages import Lineages
from aam.ecology.tree import FeatureTree
from aam.explanation.clades import Clades
from aam.io.newick import read_newick
from aam.kernels.features import Phylogeny

NEWICK = "((((a:1,b:1):1,c:1):1,(d:1,(e:1,f:1):0):2):0,(g:1,h:1):1);"
FEATURES = ["h", "b", "x", "d", "a", "f", "c", "e", "g"]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    path = tmp_path_factory.mktemp("tree") / "t.nwk"
    path.write_text(NEWICK)
    return FeatureTree.from_arrays(read_newick(path), FEATURES)


def named(clades, number):
    return {FEATURES[feature] for feature in clades.members(number)}


def as_sets(clades):
    return {frozenset(named(clades, number)) for number in range(len(clades))}


def test_sets_are_the_clades_of_the_tree_that_differ(tree):
    clades = Clades.of_tree(tree, np.arange(len(FEATURES)))

    expected = [{"a", "b"}, {"a", "b", "c"}, {"d", "e", "f"}, {"g", "h"}, set(FEATURES), *({name} for name in FEATURES)]
    assert as_sets(clades) == {frozenset(names) for names in expected}


def test_clades_of_some_features_hold_these_alone(tree):
    some = np.array([FEATURES.index(name) for name in ("a", "c", "e", "f", "x")])

    clades = Clades.of_tree(tree, some)

    expected = [{"a", "c"}, {"e", "f"}, {"a", "c", "e", "f", "x"}, {"a"}, {"c"}, {"e"}, {"f"}, {"x"}]
    assert as_sets(clades) == {frozenset(names) for names in expected}


def test_each_set_lies_in_its_parent_and_the_first_holds_all(tree):
    clades = Clades.of_tree(tree, np.arange(len(FEATURES)))

    assert clades.parent[0] == -1
    assert named(clades, 0) == set(FEATURES)
    for number in range(1, len(clades)):
        assert named(clades, number) < named(clades, clades.parent[number])
        between = [named(clades, other) for other in range(len(clades))]
        inside = [names for names in between if named(clades, number) < names < named(clades, clades.parent[number])]
        assert not inside


def test_levels_count_the_sets_around(tree):
    clades = Clades.of_tree(tree, np.arange(len(FEATURES)))

    levels = {frozenset(named(clades, number)): level for number, level in enumerate(clades.level)}
    assert levels[frozenset(FEATURES)] == 0
    assert levels[frozenset("abc")] == 1
    assert levels[frozenset("a")] == 3


def test_the_tree_that_a_kernel_head_keeps_gives_the_same_clades(tree):
    number = np.arange(len(FEATURES))[::-1].copy()  # of known ASVs
    number[FEATURES.index("x")] = -1
    phylogeny = Phylogeny.above(tree, number)
    features = np.flatnonzero(number >= 0)

    known = Clades.of_phylogeny(phylogeny, number, features)

    assert as_sets(known) == as_sets(Clades.of_tree(tree, features))


def test_features_of_one_sequence_are_in_the_same_clades_of_a_kernel_head(tree):
    number = np.full(len(FEATURES), -1)
    for known, names in enumerate([("a", "x"), ("b",), ("c",), ("g",)]):
        number[[FEATURES.index(name) for name in names]] = known
    phylogeny = Phylogeny.above(tree, number)

    known = Clades.of_phylogeny(phylogeny, number, np.flatnonzero(number >= 0))

    assert frozenset({"a", "x", "b"}) in as_sets(known)


def test_taxa_are_nested_sets():
    names = ["k1", "k2", "k3", "k4"]
    lineages = Lineages.of_features(
        names, names, [("B", "P1", "C1"), ("B", "P2"), ("B", "P1", "C2"), ("B", "P1", "C1")]
    )

    clades = Clades.of_lineages(lineages, np.arange(4))

    sets = {frozenset(clades.members(number).tolist()) for number in range(len(clades))}
    assert sets == {frozenset(members) for members in ([0, 1, 2, 3], [0, 2, 3], [0, 3], [0], [1], [2], [3])}


def test_membership_and_names_agree_with_members(tree):
    clades = Clades.of_tree(tree, np.arange(len(FEATURES)))

    dense = clades.membership(len(FEATURES)).toarray()
    names = clades.names(FEATURES)

    for number in range(len(clades)):
        assert np.flatnonzero(dense[number]).tolist() == sorted(clades.members(number).tolist())
    assert names[0] == "all"
    assert len(set(names)) == len(names)
    assert {name for name in names if name in FEATURES} == set(FEATURES)
    assert sum(name.startswith("clade") for name in names) == 4
