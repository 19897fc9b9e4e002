"""Trees of FastTree, clearcut, IQ-TREE, RAxML and R: roots, supports, names and tiny negative lengths."""

import io
import logging

import numpy as np
import pytest
import skbio
from skbio.diversity import beta_diversity

from aam.config.base import ConfigError
from aam.config.study import DistanceConfig, StudyConfig
from aam.data.study_build import read_study
from aam.ecology.tree import FeatureTree
from aam.ecology.unifrac import unweighted_unifrac
from aam.errors import InputError, TreeError
from aam.inspection.files import inspect_file
from aam.inspection.study import inspect_study
from aam.io.detect import detect_format
from aam.io.newick import read_newick
from aam.runs.resources import read_tree
from aam.storage.cache import Cache
from helpers.kinds import Kind

KINDS = {
    "unrooted": Kind(
        "Trees and distances",
        "A tree without a root: three branches at its first node (FastTree, IQ-TREE, RAxML), or two of which one has no length "
        "(clearcut)",
        "Refuses it, as UniFrac depends on the root; warns of two branches of one length as clearcut writes them",
        "`--root midpoint`, or `--root outgroup NAME [NAME …]`",
    ),
    "negative": Kind(
        "Trees and distances",
        "Lengths a little below 0 (at least −1e-9), as R rounds; or those of neighbour joining, which are larger",
        "Reads the first as 0, with a word; refuses the others",
        "Nothing; or build the tree by another method",
    ),
    "tips": Kind(
        "Trees and distances",
        "Tips in quotes, with spaces for underscores, or named otherwise",
        "Finds tips that differ in quotes, `;size=` or underscores, and says so; of others, shows both spellings and the rule",
        "`--missing-features drop`, or the tree of these features",
    ),
}

TIPS = ["OTU_1", "OTU_2", "OTU_3", "OTU_4"]
FASTTREE = "(OTU_1:0.1,(OTU_2:0.25,OTU_3:0.05)0.994:0.3,OTU_4:0.2);"
SAMPLES = [[0, 1], [1, 2, 3], [0, 3], [2]]


def distances(tree):
    features = np.concatenate(SAMPLES)
    return unweighted_unifrac(tree, features, np.cumsum([0] + [len(sample) for sample in SAMPLES]))


def by_scikit_bio(text):
    """Return unweighted UniFrac of the samples by scikit-bio, on a tree that it has rooted at the midpoint."""
    counts = np.zeros((4, 4), dtype=int)
    for row, sample in enumerate(SAMPLES):
        counts[row, sample] = 1
    tree = skbio.TreeNode.read(io.StringIO(text), convert_underscores=False).root_at_midpoint()
    return beta_diversity("unweighted_unifrac", counts, taxa=TIPS, tree=tree).data


def study_in(folder):
    rows = ["#OTU ID\tA\tB", *(f"{name}\t{k + 1}\t2" for k, name in enumerate(TIPS))]
    (folder / "t.tsv").write_text("\n".join(rows) + "\n")
    (folder / "s.fasta").write_text("".join(f">{name}\nACGT{'ACGT'[k]}\n" for k, name in enumerate(TIPS)))
    return read_study(StudyConfig(table=folder / "t.tsv", sequences=folder / "s.fasta", cache_dir=folder / "c"), 150)


def tree_in(folder, text, *root):
    (folder / "tree.nwk").write_text(text)
    study = study_in(folder)
    tree = read_tree(folder / "tree.nwk", study, Cache(folder / "c"), root)
    order = np.array([list(study.feature_ids).index(name) for name in TIPS])
    return FeatureTree(tree.position[order], tree.depth, tree.ancestor_depth)


UNROOTED = {
    "FastTree": FASTTREE,
    "IQ-TREE": FASTTREE.replace("0.994", "100/98"),
    "RAxML": FASTTREE.replace("0.994:0.3", ":0.3[100]"),
    "quoted support": FASTTREE.replace("0.994", "'100/98'"),
    "clearcut": "((OTU_1:0.1,OTU_4:0.2),(OTU_2:0.25,OTU_3:0.05):0.300000);",
}


@pytest.mark.parametrize("text", UNROOTED.values(), ids=UNROOTED)
def test_unrooted_trees_are_refused_and_rooted_on_request(tmp_path, text):
    with pytest.raises(TreeError, match=r"is unrooted: .*--root midpoint, or --root outgroup"):
        tree_in(tmp_path, text)

    tree = tree_in(tmp_path, text, "midpoint")

    np.testing.assert_allclose(distances(tree), by_scikit_bio(FASTTREE), atol=1e-6)
    outgroup = tree_in(tmp_path, text, "outgroup", "OTU_3", "OTU_2")
    assert sorted(outgroup.depth.round(9)) == [0.2, 0.25, 0.35, 0.4]


def test_roots_of_both_kinds_and_none_are_kept_apart_in_the_cache(tmp_path):
    text = "((OTU_1:0.1,OTU_2:0.9):0.2,(OTU_3:0.05,OTU_4:0.2):0.1);"

    deepest = [tree_in(tmp_path, text, *root).depth.max() for root in ((), ("midpoint",), ("outgroup", "OTU_2"))]

    np.testing.assert_allclose(deepest, [1.1, 0.7, 0.95])


@pytest.mark.parametrize(
    "text", ["#NEXUS\nBEGIN TREES;\n\tTREE t = (OTU_1:1,OTU_2:1);\nEND;\n", "#nexus\n[R-package APE]\n\n"]
)
def test_a_tree_in_nexus_is_named_with_its_conversion(text, tmp_path):
    (tmp_path / "tree.nex").write_text(text)

    with pytest.raises(TreeError, match=r"is a tree in NEXUS.*write\.tree\(ape::read\.nexus"):
        read_newick(tmp_path / "tree.nex")
    with pytest.raises(InputError, match="is a tree in NEXUS"):
        detect_format(tmp_path / "tree.nex")


def test_a_tree_of_clearcut_with_a_tip_at_the_top_is_warned_of(tmp_path, caplog):
    tree_in(tmp_path, "(OTU_3:0.053467,((OTU_1:0.005431,OTU_2:0.127481):0.003004,OTU_4:0.068422):0.053467);")

    assert "the tip 'OTU_3', as clearcut writes trees without a root" in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        "((OTU_1:0.1,OTU_2:0.2):0.05,(OTU_3:0.1,OTU_4:0.2):0.07);",
        "(OTU_3:0.05,((OTU_1:0.1,OTU_2:0.2):0.3,OTU_4:0.2):0.05);",  # an outgroup, rooted in the middle of its branch
        "(OTU_3:0,((OTU_1:0.123457,OTU_2:0.2):0.3,OTU_4:0.2):0.1);",  # as root(resolve.root = TRUE) of ape
        "((OTU_1:0.0,OTU_2:0.0):0.118315,(OTU_3:0,OTU_4:0):0.118315);",
    ],
)
def test_rooted_trees_give_no_warning(tmp_path, text, caplog):
    tree_in(tmp_path, text)

    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("tiny", ["-1e-9", "-2.7e-17", "-0.0000000005"])
def test_tiny_negative_lengths_are_0_with_a_word(tmp_path, tiny, caplog):
    text = "((OTU_1:{},OTU_2:0.2):0.05,(OTU_3:0.1,OTU_4:0.2):0.07);"

    tree = tree_in(tmp_path, text.format(tiny))

    assert "1 branches have a negative length of at most 1e-09" in caplog.text
    assert sorted(tree.depth.round(12)) == [0.05, 0.17, 0.25, 0.27]


@pytest.mark.parametrize("length", ["-1.1e-9", "-0.003693", "-1"])
def test_larger_negative_lengths_are_refused(tmp_path, length):
    with pytest.raises(TreeError, match=r"1 branches .* have a negative length: 'OTU_1'"):
        tree_in(tmp_path, f"((OTU_1:{length},OTU_2:0.2):0.05,(OTU_3:0.1,OTU_4:0.2):0.07);")


ROOTED = "((OTU_1:0.1,OTU_2:0.2):0.05,(OTU_3:0.1,OTU_4:0.2):0.07);"
RESPELT = {
    "spaces in quotes": lambda number: f"'OTU {number}'",
    "double quotes": lambda number: f'"OTU_{number}"',
    "sizes": lambda number: f"'OTU_{number};size={number};'",
}


@pytest.mark.parametrize("spell", RESPELT.values(), ids=RESPELT)
def test_tips_that_differ_in_quotes_or_underscores_are_found(tmp_path, spell, caplog):
    text = ROOTED
    for number in range(1, 5):
        text = text.replace(f"OTU_{number}", spell(number))

    with caplog.at_level(logging.INFO):
        tree = tree_in(tmp_path, text)

    np.testing.assert_array_equal(distances(tree), distances(tree_in(tmp_path, ROOTED)))
    assert "4 of 4 features are tips of the tree but for quotes" in caplog.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("OTU_", "OTU_00"), "zeros in front of numbers: 'OTU_1' is 'OTU_001' there"),
        (("OTU_", "otu_"), "upper and lower case: 'OTU_1' is 'otu_1' there"),
        (("OTU_", "run-OTU_"), "what stands in front of the id: 'OTU_1' is 'run-OTU_1' there"),
    ],
)
def test_other_tips_are_shown_with_the_rule(tmp_path, change, message):
    with pytest.raises(TreeError, match=r"None of the 4 features .*The tree has ") as caught:
        tree_in(tmp_path, ROOTED.replace(*change))

    assert "4 of the 4 differ in" in str(caught.value)
    assert message.split(":")[0] in str(caught.value)


def test_inspection_says_the_same_of_trees(tmp_path):
    study_in(tmp_path)
    (tmp_path / "tree.nwk").write_text(ROOTED.replace("OTU_1", "OTU_01"))
    (tmp_path / "unrooted.nwk").write_text(FASTTREE)
    parts = {kind: inspect_file(tmp_path / name) for kind, name in (("table", "t.tsv"), ("tree", "tree.nwk"))}

    notes = " ".join(inspect_study(parts, []).notes)

    assert "1 of 4 features of the table are not tips of --tree" in notes
    assert "zeros in front of numbers: 'OTU_1' is 'OTU_01' there" in notes
    assert "pass --root midpoint" in str(inspect_file(tmp_path / "unrooted.nwk").report.error)


@pytest.mark.parametrize("root", [("middle",), ("outgroup",), ("midpoint", "OTU_1")])
def test_a_root_that_is_none_is_refused(root):
    with pytest.raises(ConfigError, match="--root"):
        DistanceConfig(tree="tree.nwk", root=root)
