"""Unweighted UniFrac against scikit-bio."""

import numpy as np
import pytest
import skbio
from skbio.diversity import beta_diversity

from aam.ecology.tree import FeatureTree, features_missing_from
from aam.ecology.unifrac import unweighted_unifrac
from aam.errors import TreeError
from aam.io.newick import read_newick
from aam.io.tables import read_table
from conftest import real_study


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
    missing = set(features_missing_from(arrays, table.feature_ids))
    kept = [i for i, feature in enumerate(table.feature_ids) if feature not in missing]
    feature_ids = [table.feature_ids[i] for i in kept]
    counts = table.counts[:24].toarray()[:, kept]
    tree = FeatureTree.from_arrays(arrays, feature_ids)

    distance = unweighted_unifrac(tree, *pack(counts)).astype(np.float32)

    truth = skbio.TreeNode.read(str(folder / "tree.nwk"), convert_underscores=False)
    np.testing.assert_allclose(distance, oracle(counts, feature_ids, truth), atol=1e-6)


def test_the_128_features_that_the_ibd_tree_lacks_are_an_error():
    folder = real_study("ibd_2538")
    table = read_table(folder / "table.biom")

    with pytest.raises(TreeError, match=r"128 of 10,074 features .* --missing-features drop"):
        FeatureTree.from_arrays(read_newick(folder / "tree.nwk"), table.feature_ids)


def test_a_branch_without_length_is_an_error(tmp_path):
    (tmp_path / "tree.nwk").write_text("((a:1,b)x:3,c:4);")

    with pytest.raises(TreeError, match="1 branches of the tree have no length: 'b'"):
        FeatureTree.from_arrays(read_newick(tmp_path / "tree.nwk"), ["a", "b", "c"])


def test_distances_do_not_depend_on_which_other_samples_are_in_the_batch(tmp_path):
    (tmp_path / "tree.nwk").write_text("(((a:1,b:2):3,(c:4,d:5):6):1,(e:2,f:1):2);")
    tree = FeatureTree.from_arrays(read_newick(tmp_path / "tree.nwk"), list("abcdef"))
    counts = np.random.default_rng(0).integers(0, 2, size=(5, 6))
    counts[:, 0] = 1

    together = unweighted_unifrac(tree, *pack(counts))
    apart = unweighted_unifrac(tree, *pack(counts[[1, 4]]))

    np.testing.assert_allclose(together[1, 4], apart[0, 1], atol=1e-12)
