"""A birth–death tree of ASVs, the taxonomy cut from it, and the clades that respond to metadata."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

EXTINCTION_PER_SPECIATION = 0.5

CLOCK_SPREAD = 0.4  # standard deviation of the log rate of a lineage

MEAN_DIVERGENCE = 0.75  # substitutions per site between two tips: about 70 % are identical, as in 16S V4


@dataclass(frozen=True)
class SimulatedTree:
    """A rooted binary tree as arrays in post-order, the root last.

    Attributes
    ----------
    parent
        Node above each node, −1 for the root, int64 [2F − 1].
    length
        Expected substitutions per site on the branch above each node, 0 for the root, float64.
    names
        The tips' numbers "0" … "F − 1" in post-order, "" for the other nodes.
    age
        Time before present of each node, as a fraction of the age of the origin; 0 for tips, float64.
    """

    parent: np.ndarray
    length: np.ndarray
    names: list[str]
    age: np.ndarray

    @cached_property
    def tips(self) -> np.ndarray:
        """Nodes of the tips, in the order of the tips' numbers, int64 [F]."""
        return np.flatnonzero(self.age == 0)

    @cached_property
    def n_tips_below(self) -> np.ndarray:
        """Number of tips below each node, a tip itself included, int64 [2F − 1]."""
        below = (self.age == 0).astype(np.int64)
        for node in range(len(below) - 1):
            below[self.parent[node]] += below[node]
        return below

    @cached_property
    def levels(self) -> list[np.ndarray]:
        """Nodes at each number of steps from the root, int64: first its children, last the deepest tips."""
        steps = np.zeros(len(self.parent), dtype=np.int64)
        for node in range(len(steps) - 2, -1, -1):
            steps[node] = steps[self.parent[node]] + 1
        nodes = np.argsort(steps, kind="stable")
        return np.split(nodes, np.cumsum(np.bincount(steps))[:-1])[1:]

    def members(self, node: int) -> np.ndarray:
        """Return the numbers of the tips below a node, increasing, int64; in post-order they are consecutive."""
        stop = np.searchsorted(self.tips, node, side="right")
        return np.arange(stop - self.n_tips_below[node], stop)


def simulate_tree(n_tips: int, rng: np.random.Generator) -> SimulatedTree:
    """Draw the tree that a birth–death process leaves, given the number of its living tips.

    Given the age of the origin, the heights of the gaps between neighbouring tips are independent draws from one known distribution
    (the coalescent point process: Gernhard 2008, Stadler 2009), so no extinct lineage is ever simulated. The age of the origin is
    that at which this many tips are expected. Rates differ between lineages (an uncorrelated log-normal clock), so tips are not
    equally far from the root; lengths are scaled to a fixed mean distance between two tips.

    Examples
    --------
    >>> tree = simulate_tree(4, np.random.default_rng(0))
    >>> len(tree.parent), int(tree.parent[-1]), [name for name in tree.names if name]
    (7, -1, ['0', '1', '2', '3'])
    """
    parent, age = _join_neighbours(_gap_heights(n_tips, rng))
    log_rate = rng.normal(-(CLOCK_SPREAD**2) / 2, CLOCK_SPREAD, len(parent))
    length = (age[parent] - age) * np.exp(log_rate)
    length[-1] = 0.0
    names = [""] * len(parent)
    for number, node in enumerate(np.flatnonzero(age == 0)):
        names[node] = str(number)
    tree = SimulatedTree(parent, length, names, age)
    length *= MEAN_DIVERGENCE / mean_tip_distance(tree)
    return tree


def mean_tip_distance(tree: SimulatedTree) -> float:
    """Compute the mean path length over all pairs of tips; each branch counts for the pairs it separates."""
    below, n_tips = tree.n_tips_below, len(tree.tips)
    separated = below * (n_tips - below) / (n_tips * (n_tips - 1) / 2)
    return float(tree.length @ separated)


def _gap_heights(n_tips: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the age of the last common ancestor of each two neighbouring tips, [n_tips − 1]; the origin's age is 1."""
    diversification = 1 - EXTINCTION_PER_SPECIATION  # per speciation
    origin = np.log1p(diversification * (n_tips - 1))
    # P(height > t) = 1 / (1 + (e^t − 1) / diversification), inverted; at the origin it is 1 / n_tips.
    survival = rng.uniform(1 / n_tips, 1, n_tips - 1)
    return np.log1p(diversification * (1 / survival - 1)) / origin


def _join_neighbours(heights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return parent and age of each node, in post-order, where two tips' last common ancestor is the highest gap between them."""
    n_nodes = 2 * len(heights) + 1
    parent, age = np.full(n_nodes, -1), np.zeros(n_nodes)
    open_nodes: list[int] = []
    open_heights: list[float] = []
    node = 0
    for height in [*heights.tolist(), np.inf]:
        open_nodes.append(node)
        node += 1
        while open_heights and open_heights[-1] < height:
            parent[[open_nodes.pop(), open_nodes.pop()]] = node
            age[node] = open_heights.pop()
            open_nodes.append(node)
            node += 1
        open_heights.append(height)
    return parent, age


# A rank of F tips has F to this power groups: of 500, 6 phyla, 22 orders, 144 genera.
GROUPS_EXPONENT = {"p": 0.3, "c": 0.4, "o": 0.5, "f": 0.65, "g": 0.8, "s": 0.92}

NAMELESS_WHEN_ALONE = ("g", "s")


def cut_taxonomy(tree: SimulatedTree) -> list[str]:
    """Return the seven ranks of each tip as one string in the style of Greengenes, in the order of the tips.

    Each rank cuts the tree at one age, and the branches that are cut are its groups; younger cuts divide older ones, so ranks nest.
    A tip alone in its genus or species has no name there, as an ASV that no reference resembles.

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
    """Cut the tree where it has this many branches, and return the number of the cut branch above each tip, [F]."""
    splits = np.sort(tree.age[tree.age > 0])[::-1]
    cut = splits[n_groups - 1] if n_groups <= len(splits) else 0.0
    parent_age = np.append(tree.age[tree.parent[:-1]], np.inf)
    branches = np.flatnonzero((tree.age <= cut) & (parent_age > cut))
    return np.searchsorted(branches, tree.tips)  # post-order: the next cut branch is the one above


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
        Name of the clade, such as "age-clade-1".
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
    """Return clades of moderate size without common tips, each with a metadata column and an effect.

    Where the tree has too few clades of 3 to 10 % of its tips, smaller ones are chosen as well.
    """
    responses = [
        (column, number, effect) for column, effects in EFFECTS.items() for number, effect in enumerate(effects, 1)
    ]
    nodes = _disjoint_nodes(tree, len(responses), rng)
    return [
        Clade(f"{column}-clade-{number}", column, node, tree.members(node), signal * effect)
        for node, (column, number, effect) in zip(nodes, responses, strict=True)
    ]


def _disjoint_nodes(tree: SimulatedTree, n_nodes: int, rng: np.random.Generator) -> list[int]:
    """Draw nodes among those of the right size, without those that overlap a node drawn before."""
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
