"""A taxonomy cut from a tree at seven depths."""

import numpy as np

from aam.simulation.tree import SimulatedTree

# A rank of F tips has F to this power groups: of 500, 6 phyla, 22 orders, 144 genera.
GROUPS_EXPONENT = {"p": 0.3, "c": 0.4, "o": 0.5, "f": 0.65, "g": 0.8, "s": 0.92}
NAMELESS_WHEN_ALONE = ("g", "s")


def cut_taxonomy(tree: SimulatedTree) -> list[str]:
    """Name the seven ranks of each tip in the style of Greengenes.

    Each rank cuts the tree at one age, and the branches that are cut are its groups; younger cuts divide
    older ones, so ranks nest. A tip alone in its genus or species has no name there, as an ASV that no
    reference resembles.

    Examples
    --------
    >>> from aam.simulation.tree import simulate_tree
    >>> cut_taxonomy(simulate_tree(20, np.random.default_rng(0)))[0]
    'k__Bacteria; p__P1; c__C1; o__O1; f__F1; g__G1; s__'
    """
    names = np.full(len(tree.tips), "k__Bacteria", dtype=object)
    for rank, exponent in GROUPS_EXPONENT.items():
        group = _groups(tree, round(len(tree.tips) ** exponent))
        is_named = (np.bincount(group)[group] > 1) | (rank not in NAMELESS_WHEN_ALONE)
        label = [f"{rank.upper()}{number + 1}" if named else "" for number, named in zip(group, is_named, strict=True)]
        names += np.array([f"; {rank}__{text}" for text in label], dtype=object)
    return names.tolist()


def _groups(tree: SimulatedTree, n_groups: int) -> np.ndarray:
    """Cut the tree where it has this many branches, and number the branch above each tip."""
    splits = np.sort(tree.age[tree.age > 0])[::-1]
    cut = splits[n_groups - 1] if n_groups <= len(splits) else 0.0
    parent_age = np.append(tree.age[tree.parent[:-1]], np.inf)
    branches = np.flatnonzero((tree.age <= cut) & (parent_age > cut))
    return np.searchsorted(branches, tree.tips)  # post-order: the next cut branch is the one above
