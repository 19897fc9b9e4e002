"""The truth: which clades respond to which metadata column, and how strongly."""

from dataclasses import dataclass

import numpy as np

from aam.simulation.tree import SimulatedTree

# Natural log fold change of a clade's members at signal 1: per standard deviation of age, and from health to
# disease.
EFFECTS = {"age": (2.4, -2.4, 1.8), "disease": (3.0, -3.0, 2.4)}
SMALLEST_SHARE, LARGEST_SHARE = 0.03, 0.10  # of all tips


@dataclass(frozen=True)
class Clade:
    """All tips below one node of the tree, and how they respond to one metadata column.

    Attributes
    ----------
    name
        Such as "age-clade-1".
    column
        Metadata column that the clade responds to.
    node
        Node of the tree above the members.
    members
        Numbers of the tips in the clade, int64.
    effect
        Natural log fold change of each member's abundance, per standard deviation of a numeric column, or
        from the first to the second category.
    """

    name: str
    column: str
    node: int
    members: np.ndarray
    effect: float


def choose_clades(tree: SimulatedTree, signal: float, rng: np.random.Generator) -> list[Clade]:
    """Pick clades of moderate size, no two of which share a tip, and give each a column and an effect.

    Where the tree has too few clades of 3 to 10 % of its tips, smaller ones are taken as well.
    """
    wanted = [
        (column, number, effect) for column, effects in EFFECTS.items() for number, effect in enumerate(effects, 1)
    ]
    nodes = _disjoint_nodes(tree, len(wanted), rng)
    return [
        Clade(f"{column}-clade-{number}", column, node, tree.members(node), signal * effect)
        for node, (column, number, effect) in zip(nodes, wanted, strict=True)
    ]


def _disjoint_nodes(tree: SimulatedTree, n_nodes: int, rng: np.random.Generator) -> list[int]:
    """Pick nodes at random among those of the right size, skipping those that overlap one already picked."""
    below, n_tips = tree.n_tips_below, len(tree.tips)
    smallest, largest = SMALLEST_SHARE * n_tips, max(2.0, LARGEST_SHARE * n_tips)
    while True:
        picked: list[int] = []
        is_taken = np.zeros(n_tips, dtype=bool)
        for node in rng.permutation(np.flatnonzero((below >= smallest) & (below <= largest))).tolist():
            members = tree.members(node)
            if not is_taken[members].any():
                is_taken[members] = True
                picked.append(node)
            if len(picked) == n_nodes:
                return picked
        smallest /= 1.5
