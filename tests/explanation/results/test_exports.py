"""Files for other programs are read by other programs' rules."""

import io

import numpy as np
import pandas as pd
import pytest
from skbio import TreeNode

from aam.explanation.clades import Clades
from aam.explanation.results.exports import write_exports

CLADES = Clades.of_intervals(np.arange(5), np.array([0, 1, 3]), np.array([3, 3, 5]))
FEATURES = ["a b", "it's", "c_d", "e(f)", "g"]
NAMES = CLADES.names(FEATURES)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("exports")
    n = len(CLADES)
    table = pd.DataFrame(
        {
            "name": [*NAMES, "guild"], "kind": ["all", *["ASV" if size == 1 else "clade" for size in CLADES.sizes[1:]], "group"],
            "taxon": ["", *["g__X\tY"] * (n - 1), ""], "n_asvs": [*CLADES.sizes, 2], "importance": np.arange(n + 1.0),
            "z": np.arange(n + 1.0), "p": 0.01, "q": [*[0.05] * (n - 1), 0.5, 0.01], "effect": 1.0, "coherence": 1.0, "in_top": 0.5,
            "direction": ["raises", "lowers", "unclear"] * (n // 3) + ["raises"] * (n + 1 - 3 * (n // 3)),
        }
    )  # fmt: skip
    write_exports(directory, CLADES, NAMES, table)
    return directory


def test_the_tree_has_all_sets_as_nodes(directory):
    tree = TreeNode.read(io.StringIO((directory / "tree.nwk").read_text()), convert_underscores=False)

    assert sorted(tip.name for tip in tree.tips()) == sorted(FEATURES)
    found = {node.name: sorted(tip.name for tip in node.tips(include_self=True)) for node in tree.traverse()}
    for number, name in enumerate(NAMES):
        assert found[name] == sorted(FEATURES[feature] for feature in CLADES.members(number))


def test_empress_gets_a_row_for_each_node(directory):
    table = pd.read_csv(directory / "empress.tsv", sep="\t").set_index("feature-id")

    assert sorted(table.index) == sorted(NAMES)
    assert table.loc["g", "importance"] == NAMES.index("g")


def test_itol_gets_tables_of_tabs_that_name_nodes(directory):
    for name, kind in (("importance", "DATASET_SIMPLEBAR"), ("branches", "DATASET_STYLE"), ("labels", "LABELS")):
        lines = (directory / "itol" / f"{name}.txt").read_text().splitlines()
        rows = lines[lines.index("DATA") + 1 :]
        assert lines[:2] == [kind, "SEPARATOR TAB"]
        assert rows
        assert {row.split("\t")[0] for row in rows} <= set(NAMES)
        assert len({row.count("\t") for row in rows}) == 1


def test_only_found_sets_are_coloured(directory):
    lines = (directory / "itol" / "branches.txt").read_text().splitlines()
    coloured = {row.split("\t")[0] for row in lines[lines.index("DATA") + 1 :]}

    assert coloured == set(NAMES[1:-1])
