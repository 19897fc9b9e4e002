"""DNA sequences evolved down a tree, with conserved and hypervariable stretches as in 16S."""

import numpy as np

from aam.simulation.tree import SimulatedTree

NUCLEOTIDES = np.frombuffer(b"ACGT", dtype=np.uint8)

FREQUENCIES = np.array([0.247, 0.178, 0.343, 0.232])  # of A, C, G and T in V4 ASVs of gut studies

TRANSITIONS_PER_TRANSVERSION = 3.0

RATE_SHAPE = 0.6  # of the gamma distribution of site rates; smaller: more sites that never change

RATE_MEMORY = 0.8  # correlation of the ranks of two neighbouring sites, roughly


def simulate_sequences(tree: SimulatedTree, length: int, rng: np.random.Generator) -> list[str]:
    """Evolve one sequence per tip under HKY85 with gamma-distributed rates across sites.

    There are no insertions or deletions. Neighbouring sites have similar rates, so conserved and hypervariable stretches alternate.
    Tips with equal sequences are mutated, mostly at fast sites, until all sequences differ.

    Returns
    -------
    list of str
        One sequence of ``length`` nucleotides per tip, in the order of the tips.

    Examples
    --------
    >>> from aam.simulation.tree import simulate_tree
    >>> rng = np.random.default_rng(0)
    >>> [len(sequence) for sequence in simulate_sequences(simulate_tree(3, rng), 20, rng)]
    [20, 20, 20]
    """
    rates = site_rates(length, rng)
    states = _evolve(tree, rates, rng)[tree.tips]
    _make_distinct(states, rates, rng)
    return [NUCLEOTIDES[row].tobytes().decode() for row in states]


def site_rates(length: int, rng: np.random.Generator) -> np.ndarray:
    """Draw gamma-distributed rates of mean 1, [L], ordered so that neighbouring sites have similar ones."""
    noise = rng.standard_normal(length)
    smooth = noise.copy()
    for site in range(1, length):
        smooth[site] = RATE_MEMORY * smooth[site - 1] + np.sqrt(1 - RATE_MEMORY**2) * noise[site]
    rates = np.sort(rng.gamma(RATE_SHAPE, 1 / RATE_SHAPE, length))
    return rates[np.argsort(np.argsort(smooth))] / rates.mean()


def rate_matrix() -> np.ndarray:
    """Return the rate matrix of HKY85 (Hasegawa, Kishino and Yano 1985), [4, 4]: one substitution per unit of time."""
    rates = np.tile(FREQUENCIES, (4, 1))
    for first, second in ((0, 2), (1, 3)):  # A and G, C and T
        rates[[first, second], [second, first]] *= TRANSITIONS_PER_TRANSVERSION
    np.fill_diagonal(rates, 0)
    np.fill_diagonal(rates, -rates.sum(axis=1))
    return rates / -(FREQUENCIES @ np.diag(rates))


def _evolve(tree: SimulatedTree, rates: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw the nucleotides of all nodes (rows) at all sites, as numbers, one level of the tree at a time."""
    scale = np.sqrt(FREQUENCIES)  # HKY85 is reversible: scaled like this, its matrix is symmetric
    values, vectors = np.linalg.eigh(rate_matrix() * scale[:, None] / scale)
    vectors, inverse = vectors / scale[:, None], vectors.T * scale
    states = np.empty((len(tree.parent), len(rates)), dtype=np.int8)
    states[-1] = rng.choice(4, len(rates), p=FREQUENCIES)
    for nodes in tree.levels:
        time = tree.length[nodes, None] * rates
        start = states[tree.parent[nodes]]
        chance = (vectors[start] * np.exp(time[..., None] * values)) @ inverse
        is_passed = rng.random((*start.shape, 1)) > np.cumsum(chance, axis=-1)[..., :3]
        states[nodes] = is_passed.sum(axis=-1)
    return states


def _make_distinct(states: np.ndarray, rates: np.ndarray, rng: np.random.Generator) -> None:
    """Mutate all but the first of equal rows, in place, until no two are equal."""
    while True:
        _, first = np.unique(states, axis=0, return_index=True)
        copies = np.setdiff1d(np.arange(len(states)), first)
        if not len(copies):
            return
        sites = rng.choice(states.shape[1], len(copies), p=rates / rates.sum())
        states[copies, sites] = (states[copies, sites] + rng.integers(1, 4, len(copies))) % 4
