"""Distances and diversity of a batch against scikit-bio, SciPy and published formulas, on random and real counts."""

import warnings
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
import skbio
from scipy.spatial.distance import pdist, squareform
from skbio.diversity import alpha_diversity, beta_diversity
from skbio.stats.composition import clr, rclr

from aam.config.objectives import OBJECTIVES
from aam.data.batching.batches import pack
from aam.data.rarefaction import rarefy
from aam.ecology.measures import aitchison, bray_curtis, given_matrix, jaccard, observed_asvs, robust_aitchison, shannon
from aam.ecology.resources import SampleMatrix, StudyResources
from aam.ecology.tree import FeatureTree
from aam.ecology.unifrac import faith_pd, generalized, normalized, unweighted, weighted
from aam.io.newick import read_newick
from aam.io.tables import read_table
from aam.objectives.sample_distance import measure_of
from helpers.studies import real_study

MEASURES = [name for name, row in OBJECTIVES.items() if row.measure is not None]


class Case:
    """Counts of some samples, packed, with their tree both as ours and as scikit-bio's."""

    def __init__(self, counts, taxa, newick, alpha=0.5):
        self.counts, self.taxa = counts, taxa
        self.truth = skbio.TreeNode.read(StringIO(newick.read_text()), convert_underscores=False)
        tree = FeatureTree.from_arrays(read_newick(newick), taxa)
        n_features = len(taxa)
        matrix = SampleMatrix(squareform(np.arange(len(counts) * (len(counts) - 1) / 2)), np.arange(len(counts)))
        self.resources = StudyResources(n_features, np.ones(n_features, bool), tree, matrix=matrix, unifrac_alpha=alpha)
        self.packed = pack_counts(counts)

    def beta(self, metric, **options):
        if "unifrac" in metric:
            options |= {"taxa": self.taxa, "tree": self.truth}
        return beta_diversity(metric, self.counts, **options).data

    def branches(self):
        """Give the branches of the whole tree: shares of each sample below each, and lengths, by a walk."""
        column = {name: k for k, name in enumerate(self.taxa)}
        share = self.counts / self.counts.sum(axis=1, keepdims=True)
        nodes = list(self.truth.postorder(include_self=True))
        below = np.stack(
            [
                share[:, [column[tip.name] for tip in node.tips(include_self=True) if tip.name in column]].sum(1)
                for node in nodes
            ]
        )
        return below, np.array([node.length or 0.0 for node in nodes])


def pack_counts(counts, samples=None):
    present = [np.flatnonzero(row) for row in counts]
    drawn = [(features, row[features]) for features, row in zip(present, counts, strict=True)]
    return pack(drawn, range(len(counts)) if samples is None else samples)


def random_case(folder, seed=0):
    stream = np.random.default_rng(seed)
    n_tips, n_samples = 23, 7
    nodes = [f"F{i}:{stream.exponential():.4f}" for i in range(n_tips)]
    while len(nodes) > 1:
        pair = [nodes.pop(stream.integers(len(nodes))) for _ in range(2)]
        nodes.append(f"({','.join(pair)}):{stream.exponential():.4f}")
    (folder / "tree.nwk").write_text(nodes[0].rpartition(":")[0] + ";")
    counts = stream.poisson(1.0, size=(n_samples, n_tips)) * stream.integers(1, 50, size=(n_samples, n_tips))
    counts[:, 3] += 1
    return Case(counts, [f"F{i}" for i in range(n_tips)], folder / "tree.nwk")


def real_case(name, depth=1000, n_samples=20):
    folder = real_study(name)
    table, stream = read_table(folder / "table.biom"), np.random.default_rng(0)
    deep = np.flatnonzero(np.asarray(table.counts.sum(axis=1)).ravel() >= depth)[:n_samples]
    counts = np.stack([rarefy(row.astype(np.int64), depth, stream) for row in table.counts[deep].toarray()])
    return Case(counts, table.feature_ids, folder / "tree.nwk")


@pytest.fixture(params=["random", "moving_pictures", "ecam_infant"], scope="module")
def case(request, tmp_path_factory):
    return random_case(tmp_path_factory.mktemp("case")) if request.param == "random" else real_case(request.param)


def assert_equal(found, expected):
    assert found.dtype == np.float64
    np.testing.assert_allclose(found.astype(np.float32), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("measure", "metric", "options"),
    [
        (unweighted, "unweighted_unifrac", {}),
        (weighted, "weighted_unifrac", {}),
        (normalized, "weighted_unifrac", {"normalized": True}),
        (bray_curtis, "braycurtis", {}),
        (jaccard, "jaccard", {}),
    ],
)
def test_a_distance_equals_scikit_bios(case, measure, metric, options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy wants booleans for Jaccard; scikit-bio makes them
        expected = case.beta(metric, **options)

    assert_equal(measure(case.packed, case.resources), expected)


def test_generalised_unifrac_equals_its_published_formula_over_the_whole_tree(case):
    share, length = case.branches()
    n = share.shape[1]
    expected = np.zeros((n, n))
    for i, j in np.ndindex(n, n):
        total = share[:, i] + share[:, j]
        used = total > 0
        weight = length[used] * total[used] ** 0.5
        expected[i, j] = (weight * np.abs(share[used, i] - share[used, j]) / total[used]).sum() / weight.sum()

    assert_equal(generalized(case.packed, case.resources), expected)


def test_generalised_unifrac_with_alpha_1_is_normalised_weighted_unifrac(tmp_path):
    case = random_case(tmp_path)
    resources = StudyResources(23, np.ones(23, bool), case.resources.tree, unifrac_alpha=1.0)

    np.testing.assert_allclose(generalized(case.packed, resources), normalized(case.packed, resources), atol=1e-12)


def test_aitchison_is_the_euclidean_distance_of_scikit_bios_clr_with_one_read_more_everywhere(case):
    assert_equal(aitchison(case.packed, case.resources), squareform(pdist(clr(case.counts + 1))))


def test_robust_aitchison_is_that_of_scikit_bios_rclr_with_missing_entries_at_the_samples_mean(case):
    assert_equal(robust_aitchison(case.packed, case.resources), squareform(pdist(np.nan_to_num(rclr(case.counts)))))


def test_the_users_matrix_is_looked_up_by_sample(tmp_path):
    case = random_case(tmp_path)

    found = given_matrix(pack_counts(case.counts[:3], samples=[4, 0, 2]), case.resources)

    np.testing.assert_array_equal(found, case.resources.matrix.values[np.ix_([4, 0, 2], [4, 0, 2])])


@pytest.mark.parametrize(
    ("measure", "metric"), [(faith_pd, "faith_pd"), (observed_asvs, "observed_features"), (shannon, "shannon")]
)
def test_a_diversity_equals_scikit_bios(case, measure, metric):
    options = {"taxa": case.taxa, "tree": case.truth} if metric == "faith_pd" else {}

    assert_equal(measure(case.packed, case.resources), alpha_diversity(metric, case.counts, **options).to_numpy())


@pytest.mark.parametrize("name", MEASURES)
def test_the_order_of_samples_and_the_rest_of_the_batch_are_nothing(name, tmp_path):
    case, measure, order = random_case(tmp_path), measure_of(name), [5, 1, 3]

    together = measure(case.packed, case.resources)
    apart = measure(pack_counts(case.counts[order], samples=order), case.resources)

    expected = together[order] if together.ndim == 1 else together[np.ix_(order, order)]
    np.testing.assert_allclose(apart, expected, atol=1e-10)


@pytest.mark.parametrize("name", MEASURES)
def test_the_order_of_features_is_nothing(name, tmp_path):
    case, measure = random_case(tmp_path), measure_of(name)
    order = np.random.default_rng(1).permutation(len(case.taxa))
    other = Case(case.counts[:, order], [case.taxa[k] for k in order], tmp_path / "tree.nwk")

    np.testing.assert_allclose(measure(other.packed, other.resources), measure(case.packed, case.resources), atol=1e-10)


@pytest.mark.parametrize("name", [name for name in MEASURES if OBJECTIVES[name].needs_pairs])
def test_a_distance_is_symmetric_and_zero_to_itself(name, tmp_path):
    case = random_case(tmp_path)

    distance = measure_of(name)(case.packed, case.resources)

    np.testing.assert_allclose(distance, distance.T, atol=1e-12)
    np.testing.assert_allclose(np.diag(distance), 0, atol=1e-12)


@pytest.mark.parametrize("name", [name for name, row in OBJECTIVES.items() if row.measure and "tree" in row.needs])
def test_a_sample_without_any_branch_has_finite_distances(name, tmp_path):
    (tmp_path / "tree.nwk").write_text("((a:1,b:2):3,(c:4,d:5):6);")
    tree = FeatureTree.from_arrays(read_newick(tmp_path / "tree.nwk"), list("xabcd"))
    counts = np.array([[3, 0, 0, 0, 0], [0, 1, 2, 0, 1], [1, 0, 0, 0, 0]])

    found = measure_of(name)(pack_counts(counts), StudyResources(5, np.ones(5, bool), tree))

    assert np.isfinite(found).all()


@pytest.mark.parametrize("wanted", [[0, 3, 4], [2], []])
@pytest.mark.parametrize("name", [name for name in MEASURES if OBJECTIVES[name].needs_pairs])
def test_the_rows_that_a_rank_wants_are_those_of_the_whole_batch(name, wanted, case):
    rows = np.array(wanted, dtype=np.int64)

    found = measure_of(name)(replace(case.packed, wanted=rows), case.resources)

    np.testing.assert_allclose(found, measure_of(name)(case.packed, case.resources)[rows], rtol=0, atol=1e-12)
