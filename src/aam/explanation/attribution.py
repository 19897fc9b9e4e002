"""What each set of ASVs adds to the prediction of one sample: Owen values along the tree, by orderings (Owen 1977; Winter 1989)."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from tqdm import tqdm

from aam.explanation.clades import Clades
from aam.explanation.losses import explained_outputs
from aam.explanation.perturbation import ROWS_AT_A_TIME, stack
from aam.inference.count_function import CountFunction

DONORS = 3
"""Number of samples of other groups that a sample is compared with; each with an ordering and its reverse."""


@dataclass(frozen=True)
class Attributions:
    """Parts of predictions.

    Attributes
    ----------
    values
        What each set adds to each output of each sample, the rest of the features last; float64 [S, P + 1, O].
    error
        Standard error of these over orderings and donors, float64 [S, P + 1, O].
    prediction, reference
        Outputs of the samples, and their mean over the donors, float64 [S, O].
    incompleteness
        Largest difference between the sum of a prediction's parts and its distance from the reference.
    """

    values: np.ndarray
    error: np.ndarray
    prediction: np.ndarray
    reference: np.ndarray
    incompleteness: float


def attribute(
    function: CountFunction, sets: Sequence[np.ndarray], clades: Clades, groups: np.ndarray, is_regression: bool
) -> Attributions:
    """Divide each prediction among sets of features.

    A sample is compared with samples of other groups: sets have its own shares one after the other, and until then the donor's, at
    the sample's depth. What a set changes when its turn comes, averaged over orderings that keep relatives together (each with its
    reverse) and over donors, is its part. Parts add up to the prediction minus the mean prediction of the donors. For outputs that
    are sums over sets they are exact.

    Parameters
    ----------
    function
        Predictions of the samples as a function of their reads.
    sets
        Features of each set, int64; no two have a common one. All other features are the last set.
    clades
        The tree that orderings follow.
    groups
        Group of each sample, [S].
    is_regression
        Whether outputs are values, or log odds of classes.

    Returns
    -------
    Attributions
        The parts, with the checks of their sums.
    """
    n_sets = len(sets) + 1
    owner = np.full(len(function.is_read), len(sets), dtype=np.int64)
    for number, members in enumerate(sets):
        owner[members] = number
    paths = _paths(sets, clades)
    prediction = explained_outputs(function.predictions(), is_regression)
    walks = list(_walks(function, groups, paths))
    parts = np.zeros((len(walks), n_sets, prediction.shape[1]))
    reference = np.zeros((len(walks), prediction.shape[1]))
    per_block = max(1, ROWS_AT_A_TIME // (n_sets + 1))
    with tqdm(total=len(walks), desc="attributions", unit="walk", disable=None) as bar:
        for start in range(0, len(walks), per_block):
            block = walks[start : start + per_block]
            outputs = _outputs_along(function, block, owner, is_regression)
            for number, (walk, along) in enumerate(zip(block, outputs, strict=True), start=start):
                parts[number, walk.order] = np.diff(along, axis=0)
                reference[number] = along[0]
            bar.update(len(block))
    sample = np.array([walk.sample for walk in walks])
    return _averaged(parts, reference, sample, prediction)


@dataclass(frozen=True)
class _Walk:
    """An ordering of the sets, from a donor to a sample."""

    sample: int
    donor: int
    order: np.ndarray


def _paths(sets: Sequence[np.ndarray], clades: Clades) -> list[list[int]]:
    """Return the nested sets around each set, the outermost first; those that are in no clade, and the rest, have none."""
    place = np.full(int(clades.order.max()) + 1, -1)
    place[clades.order] = np.arange(len(clades.order))
    paths = []
    for members in sets:
        inside = members[members < len(place)]
        places = place[inside]
        begin, end = (places.min(), places.max() + 1) if len(places) == len(members) and (places >= 0).all() else (0, 0)
        around = (clades.start <= begin) & (clades.stop >= end) & (end > begin)
        paths.append(np.flatnonzero(around).tolist())
    return [*paths, []]


def _walks(function: CountFunction, groups: np.ndarray, paths: list[list[int]]) -> Iterator[_Walk]:
    """Yield the orderings of each sample, which depend on its reads alone, not on its place among others."""
    everyone = np.arange(function.n_samples)
    n_nodes = max((max(path) for path in paths if path), default=0) + 1
    for sample in everyone.tolist():
        row = function.counts[[sample]]
        content = hashlib.blake2b(row.indices.astype("<i8").tobytes() + row.data.tobytes(), digest_size=8).digest()
        rng = np.random.default_rng(int.from_bytes(content, "little"))
        others = everyone[groups != groups[sample]]
        others = others if len(others) else everyone[everyone != sample]
        for donor in rng.choice(others, min(DONORS, len(others)), replace=False).tolist():
            key, own = rng.random(n_nodes), rng.random(len(paths))
            ranks = [(*(key[node] for node in path), own[number]) for number, path in enumerate(paths)]
            order = np.array(sorted(range(len(paths)), key=ranks.__getitem__))
            yield _Walk(sample, donor, order)
            yield _Walk(sample, donor, order[::-1])


def _outputs_along(
    function: CountFunction, walks: Sequence[_Walk], owner: np.ndarray, is_regression: bool
) -> Iterator[np.ndarray]:
    """Yield the outputs along each walk, from the donor to the sample, [P + 2, O]; what does not change is predicted once."""
    mixed = [_mixed(function.counts, walk, owner) for walk in walks]
    n_steps = [len(steps.indptr) - 1 for steps, _ in mixed]
    rows = np.repeat([walk.sample for walk in walks], n_steps)
    outputs = explained_outputs(function(stack([steps for steps, _ in mixed], len(owner)), rows), is_regression)
    ends = np.cumsum(n_steps)
    for of_walk, (_, place_of_step) in zip(np.split(outputs, ends[:-1]), mixed, strict=True):
        yield of_walk[place_of_step]


def _mixed(counts: csr_array, walk: _Walk, owner: np.ndarray) -> tuple[csr_array, np.ndarray]:
    """Return the mixtures in which one set after the other is the sample's own, from the donor on, all at the sample's depth.

    Returns
    -------
    csr_array
        The donor, and a mixture for each set that one of the two holds; float64 [m, F].
    np.ndarray
        Row of these that each step of the walk has reached, int64 [P + 2].
    """
    own, donor = (_row(counts, number) for number in (walk.sample, walk.donor))
    depth = own[1].sum()
    scale = depth / max(donor[1].sum(), 1e-12)
    turn = np.empty(len(walk.order), dtype=np.int64)
    turn[walk.order] = np.arange(len(walk.order))
    rows = []
    changes = np.unique(turn[np.concatenate([owner[own[0]], owner[donor[0]]])]) + 1
    for step in [0, *changes.tolist()]:
        is_own, is_donated = turn[owner[own[0]]] < step, turn[owner[donor[0]]] >= step
        indices = np.concatenate([own[0][is_own], donor[0][is_donated]])
        reads = np.concatenate([own[1][is_own], donor[1][is_donated] * scale])
        total = reads.sum()
        if total == 0:  # neither holds a thing of its part: the donor as it is
            indices, reads, total = donor[0], donor[1] * scale, depth
        rows.append((indices, reads * (depth / total)))
    offsets = np.cumsum([0, *(len(indices) for indices, _ in rows)])
    indices, reads = (np.concatenate(part) for part in zip(*rows, strict=True))
    mixed = csr_array((reads, indices, offsets), shape=(len(rows), len(owner)))
    mixed.sort_indices()
    return mixed, np.searchsorted(changes, np.arange(len(walk.order) + 1), side="right")


def _row(counts: csr_array, number: int) -> tuple[np.ndarray, np.ndarray]:
    entries = slice(counts.indptr[number], counts.indptr[number + 1])
    return counts.indices[entries], counts.data[entries]


def _averaged(parts: np.ndarray, reference: np.ndarray, sample: np.ndarray, prediction: np.ndarray) -> Attributions:
    """Average the walks of each sample; the error is over pairs of an ordering and its reverse."""
    pairs = (parts[0::2] + parts[1::2]) / 2
    of_pair = sample[0::2]
    n = np.bincount(of_pair, minlength=len(prediction))[:, None, None]
    values, squares = (np.zeros((len(prediction), *parts.shape[1:])) for _ in range(2))
    np.add.at(values, of_pair, pairs)
    values /= n
    np.add.at(squares, of_pair, np.square(pairs - values[of_pair]))
    error = np.sqrt(squares / np.maximum(n - 1, 1) / n)
    error[np.broadcast_to(n < 2, error.shape)] = np.nan
    means = np.zeros_like(prediction)
    np.add.at(means, of_pair, reference[0::2])
    means /= n[:, :, 0]
    rest = values.sum(axis=1) - (prediction - means)
    return Attributions(values, error, prediction, means, float(np.abs(rest).max(initial=0.0)))
