"""The tree of an explanation for other programs: Newick, annotations for iTOL, and a table for Empress."""

from pathlib import Path

import numpy as np
import pandas as pd

from aam.explanation.clades import Clades
from aam.explanation.coherence import LARGEST_Q
from aam.explanation.explain import ALL, ASV, GROUP
from aam.explanation.results.figures import COLOURS, label_of
from aam.io.itol import write_bars, write_branch_colours, write_labels
from aam.io.metadata import write_tsv
from aam.io.newick import write_newick

TREE, ITOL, EMPRESS = "tree.nwk", "itol", "empress.tsv"
"""Names of the files and of the folder."""

_OF_EMPRESS = ("importance", "z", "p", "q", "effect", "coherence", "in_top", "direction", "taxon", "kind")


def write_exports(directory: Path, clades: Clades, names: list[str], table: pd.DataFrame) -> None:
    """Write the nested sets as a tree, and their importances for programs that show trees.

    Parameters
    ----------
    directory
        Directory to write into.
    clades
        The nested sets.
    names
        Name of each, which the nodes of the tree have.
    table
        Rows of ``importance.tsv``, in any order; those of groups are not nodes and are left out.
    """
    n_sets = len(clades)
    parent = np.where(clades.parent >= 0, n_sets - 1 - clades.parent, -1)[::-1]  # parents after their children
    length = np.append(np.ones(n_sets - 1), np.nan)
    write_newick(directory / TREE, parent, length, names[:n_sets][::-1])
    nodes = table.loc[table["kind"] != GROUP]
    columns = {column: nodes[column].tolist() for column in _OF_EMPRESS if column in nodes}
    write_tsv(directory / EMPRESS, {"feature-id": nodes["name"].tolist(), **columns})
    _write_itol(directory / ITOL, nodes)


def _write_itol(directory: Path, nodes: pd.DataFrame) -> None:
    directory.mkdir(exist_ok=True)
    single = nodes.loc[nodes["kind"] == ASV]
    bars = dict(zip(single["name"].tolist(), single["importance"].tolist(), strict=True))
    write_bars(directory / "importance.txt", "importance", bars, COLOURS["unclear"])
    found = nodes.loc[(nodes["q"] <= LARGEST_Q) & (nodes["kind"] != ALL)]
    most = max([1.0, *found["z"].tolist()])
    colours = {
        str(name): (COLOURS[direction], 1 + 4 * max(z, 0.0) / most)
        for name, direction, z in zip(found["name"], found["direction"], found["z"], strict=True)
    }
    write_branch_colours(directory / "branches.txt", "raises (red) or lowers (blue), q <= 0.1", colours)
    labels = {str(row["name"]): label_of(row) for row in nodes.to_dict("records") if row["taxon"]}
    write_labels(directory / "labels.txt", labels)
