"""A birth–death tree of ASVs whose lineages evolve at different rates."""

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
        """Nodes of the tips, in the order of their numbers."""
        return np.flatnonzero(self.age == 0)

    @cached_property
    def n_tips_below(self) -> np.ndarray:
        """Number of tips below each node, counting a tip itself."""
        below = (self.age == 0).astype(np.int64)
        for node in range(len(below) - 1):
            below[self.parent[node]] += below[node]
        return below

    @cached_property
    def levels(self) -> list[np.ndarray]:
        """Nodes at each number of steps from the root: first its children, last the deepest tips."""
        steps = np.zeros(len(self.parent), dtype=np.int64)
        for node in range(len(steps) - 2, -1, -1):
            steps[node] = steps[self.parent[node]] + 1
        nodes = np.argsort(steps, kind="stable")
        return np.split(nodes, np.cumsum(np.bincount(steps))[:-1])[1:]

    def members(self, node: int) -> np.ndarray:
        """Number the tips below a node: in post-order they follow each other."""
        stop = np.searchsorted(self.tips, node, side="right")
        return np.arange(stop - self.n_tips_below[node], stop)


def simulate_tree(n_tips: int, rng: np.random.Generator) -> SimulatedTree:
    """Draw the tree that a birth–death process leaves, given the number of its living tips.

    Given the age of the origin, the heights of the gaps between neighbouring tips are independent draws from
    one known distribution (the coalescent point process: Gernhard 2008, Stadler 2009), so no extinct lineage
    is ever simulated. The origin is as old as it takes to expect this many tips. Rates differ between
    lineages (an uncorrelated log-normal clock), so tips are not equally far from the root; lengths are scaled
    to a fixed mean distance between two tips.

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
    """Average the path length over all pairs of tips, each branch counted for the pairs it separates."""
    below, n_tips = tree.n_tips_below, len(tree.tips)
    separated = below * (n_tips - below) / (n_tips * (n_tips - 1) / 2)
    return float(tree.length @ separated)


def _gap_heights(n_tips: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the age of the last common ancestor of each two neighbouring tips; the origin's is 1."""
    diversification = 1 - EXTINCTION_PER_SPECIATION  # per speciation
    origin = np.log1p(diversification * (n_tips - 1))
    # P(height > t) = 1 / (1 + (e^t − 1) / diversification), inverted; at the origin it is 1 / n_tips.
    survival = rng.uniform(1 / n_tips, 1, n_tips - 1)
    return np.log1p(diversification * (1 / survival - 1)) / origin


def _join_neighbours(heights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Build the post-order tree where two tips' last common ancestor is the highest gap between them."""
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
