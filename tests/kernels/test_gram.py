"""Kernels against scikit-learn, scikit-bio and our own UniFrac."""

import numpy as np
import pytest
from skbio.diversity import beta_diversity
from skbio.stats.composition import clr
from skbio.tree import TreeNode
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import KernelCenterer

from aam.kernels.features import Phylogeny, Samples, clade_log_ratios, log_ratios, scaled, touched_branches
from aam.kernels.gram import MeanKernel, Term, linear, radial, shared_branches
from aam.kernels.known_asvs import KnownASVs
from helpers.kernels import N_ASVS, newick, study_of, table, tree_of

COUNTS = table(seed=1)[0][:9].astype(float)
TRAINING, OTHERS = Samples(COUNTS[:6]), Samples(COUNTS[6:])


def test_log_ratios_are_those_of_scikit_bio():
    np.testing.assert_allclose(log_ratios(TRAINING), clr(COUNTS[:6] + 0.5), atol=1e-12)


def test_the_radial_kernel_is_that_of_scikit_learn_with_the_median_as_width():
    features = log_ratios(TRAINING)
    squared = np.square(features[:, None] - features[None]).sum(axis=2)
    width = np.median(squared[np.triu_indices(6, 1)])

    found = radial(features)(log_ratios(OTHERS), features)

    np.testing.assert_allclose(found, rbf_kernel(log_ratios(OTHERS), features, gamma=1 / width), atol=1e-12)


@pytest.mark.parametrize("similarity", [linear, radial(log_ratios(TRAINING))], ids=["linear", "radial"])
def test_centring_is_that_of_scikit_learn_up_to_the_scale(similarity):
    term = Term.fit(log_ratios, similarity, TRAINING)
    training, others = log_ratios(TRAINING), log_ratios(OTHERS)
    centre = KernelCenterer().fit(similarity(training, training))

    found = term.against_training(OTHERS)

    np.testing.assert_allclose(found * term.size, centre.transform(similarity(others, training)), atol=1e-10)
    assert np.diag(term.against_training(TRAINING)).mean() == pytest.approx(1)


def phylogeny(folder):
    study = study_of(COUNTS.astype(int) + 1)
    known = KnownASVs.of_training(study, np.arange(9))
    number = known.find(study)
    names = np.empty(len(known), dtype=object)
    names[number] = list(study.feature_ids)
    return Phylogeny.above(tree_of(study, folder), number), names


def test_shared_branches_are_one_minus_the_unifrac_of_scikit_bio(tmp_path):
    tree, names = phylogeny(tmp_path)
    counts = np.where(np.random.default_rng(0).random((8, N_ASVS)) < 0.4, 3, 0)
    counts[:, 0] = 1
    view = touched_branches(tree)(Samples(counts.astype(float)))
    root = TreeNode.read([newick().replace(";", "")[:-7] + ";"])  # without the branch above the root

    found = shared_branches(view, view)

    expected = beta_diversity(
        "unweighted_unifrac", counts, [f"S{i}" for i in range(8)], taxa=list(names), tree=root, validate=False
    ).data
    own_root = found  # the branch above the root is shared by all: compare without it
    above = tree.length[(tree.start == 0) & (tree.stop == len(tree.order))].sum()
    shared = view @ view.T - above
    own = np.diag(shared)
    np.testing.assert_allclose(shared / (own[:, None] + own - shared), 1 - expected, atol=1e-9)
    assert (own_root >= 1 - expected - 1e-9).all()
    assert np.linalg.eigvalsh(found).min() > -1e-9


def test_clades_are_the_inner_nodes_of_the_tree_but_the_root(tmp_path):
    tree, names = phylogeny(tmp_path)
    nodes = [{tip.name for tip in node.tips()} for node in TreeNode.read([newick()]).non_tips()]

    below = [set(names[tree.order[a:b]]) for a, b in zip(tree.start, tree.stop, strict=True)]

    clades = [asvs for asvs, is_clade in zip(below, tree.is_clade, strict=True) if is_clade]
    assert sorted(map(sorted, clades)) == sorted(sorted(node) for node in nodes if len(node) < N_ASVS)


def test_log_ratios_of_clades_are_those_of_summed_counts(tmp_path):
    tree, _ = phylogeny(tmp_path)
    counts = COUNTS + 0.0

    found = clade_log_ratios(tree)(Samples(counts))

    first = np.flatnonzero(tree.is_clade)[0]
    total = counts[:, tree.order[tree.start[first] : tree.stop[first]]].sum(axis=1)
    np.testing.assert_allclose(found[:, 0], np.log(total + 0.5) - np.log(counts + 0.5).mean(axis=1), atol=1e-12)


def test_scaling_uses_the_training_samples_alone():
    view = scaled(log_ratios, TRAINING, 1.0)

    np.testing.assert_allclose(view(TRAINING).mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(view(TRAINING).std(axis=0), 1, atol=1e-6)
    np.testing.assert_allclose(view(OTHERS)[:1], view(Samples(COUNTS[6:7])))


def test_distances_are_those_in_the_features_of_a_linear_kernel():
    kernel = MeanKernel([Term.fit(log_ratios, linear, TRAINING)])
    difference = log_ratios(OTHERS)[:, None] - log_ratios(TRAINING)[None]

    found = kernel.distances(OTHERS)

    expected = np.linalg.norm(difference, axis=2) / np.sqrt(kernel.terms[0].size)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(np.diag(kernel.distances(TRAINING)), 0, atol=1e-6)
