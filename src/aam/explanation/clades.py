"""Nested sets of features whose importance is asked: single ASVs, the clades of a tree or the taxa of lineages, and all."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from aam.ecology.lineages import UNKNOWN, Lineages
from aam.ecology.tree import FeatureTree
from aam.kernels.features import Phylogeny


@dataclass(frozen=True)
class Clades:
    """Nested sets of features, each before those inside it; the first holds all.

    Attributes
    ----------
    order
        Features of the study, so that those of each set are neighbours; int64 [P].
    start, stop
        Set ``n`` holds the features ``order[start[n]:stop[n]]``; int64 [N].
    parent
        The smallest other set that holds each, −1 for the first; int64 [N].
    """

    order: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    parent: np.ndarray

    def __len__(self) -> int:
        return len(self.start)

    @classmethod
    def of_intervals(cls, order: np.ndarray, start: np.ndarray, stop: np.ndarray) -> "Clades":
        """Return the sets of some intervals, which nest, with all single features and the set of all.

        Examples
        --------
        >>> clades = Clades.of_intervals(np.array([7, 3, 5]), np.array([0]), np.array([2]))
        >>> [clades.members(number).tolist() for number in range(len(clades))]
        [[7, 3, 5], [7, 3], [7], [3], [5]]
        >>> clades.parent.tolist()
        [-1, 0, 1, 1, 0]
        """
        numbers = np.arange(len(order))
        every_start = np.concatenate([[0], start, numbers]).astype(np.int64)
        every_stop = np.concatenate([[len(order)], stop, numbers + 1]).astype(np.int64)
        pairs = np.unique(np.stack([every_start, -every_stop], axis=1), axis=0)
        start, stop = pairs[:, 0], -pairs[:, 1]
        parent, waiting = np.full(len(start), -1, dtype=np.int64), [0]
        for number in range(1, len(start)):
            while stop[waiting[-1]] < stop[number]:
                waiting.pop()
            parent[number] = waiting[-1]
            waiting.append(number)
        return cls(order, start, stop, parent)

    @classmethod
    def of_features(cls, features: np.ndarray) -> "Clades":
        """Return single features and the set of all, where nothing tells how they are related."""
        return cls.of_intervals(features, np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))

    @classmethod
    def of_tree(cls, tree: FeatureTree, features: np.ndarray) -> "Clades":
        """Return the clades of a tree that differ in which of some features, int64 [P], they hold.

        Features that the tree lacks are in no clade but that of all.
        """
        position = np.asarray(tree.position[features])
        walk = np.argsort(position, kind="stable")
        n_missing = int((position < 0).sum())
        order = np.concatenate([features[walk[n_missing:]], features[walk[:n_missing]]])
        branches = tree.branches_above(np.sort(position)[n_missing:])
        return cls.of_intervals(order, branches.start, branches.stop)

    @classmethod
    def of_phylogeny(cls, phylogeny: Phylogeny, number: np.ndarray, features: np.ndarray) -> "Clades":
        """Return the clades of the tree that a kernel head keeps.

        Parameters
        ----------
        phylogeny
            Branches above the known ASVs.
        number
            Number of each feature of the study among the known ASVs, −1 for others; int64 [F].
        features
            The features to take, int64 [P].
        """
        place = np.full(max(number.max(initial=0), phylogeny.order.max(initial=0)) + 1, len(phylogeny.order))
        place[phylogeny.order] = np.arange(len(phylogeny.order))
        places = np.where(number[features] >= 0, place[number[features]], len(phylogeny.order))
        walk = np.argsort(places, kind="stable")
        before = np.searchsorted(places[walk], np.arange(len(phylogeny.order) + 1))
        start, stop = before[phylogeny.start], before[phylogeny.stop]
        is_full = start < stop
        return cls.of_intervals(features[walk], start[is_full], stop[is_full])

    @classmethod
    def of_lineages(cls, lineages: Lineages, features: np.ndarray) -> "Clades":
        """Return the taxa of all ranks that some features, int64 [P], belong to."""
        numbers = lineages.numbers[features]
        walk = np.lexsort(numbers.T[::-1])
        starts, stops = [], []
        for column in numbers[walk].T:
            bounds = np.flatnonzero(np.concatenate([[True], column[1:] != column[:-1], [True]]))
            is_named = column[bounds[:-1]] != UNKNOWN
            starts.append(bounds[:-1][is_named])
            stops.append(bounds[1:][is_named])
        return cls.of_intervals(features[walk], np.concatenate(starts), np.concatenate(stops))

    def members(self, number: int) -> np.ndarray:
        """Return the features of a set, int64."""
        return self.order[self.start[number] : self.stop[number]]

    @property
    def sizes(self) -> np.ndarray:
        """Number of features of each set, int64 [N]."""
        return self.stop - self.start

    @property
    def level(self) -> np.ndarray:
        """Number of sets around each, int64 [N]."""
        level = np.zeros(len(self), dtype=np.int64)
        for number in range(1, len(self)):
            level[number] = level[self.parent[number]] + 1
        return level

    def membership(self, n_features: int) -> csr_array:
        """Return which features each set holds, float64 [N, F]."""
        columns = np.concatenate([self.members(number) for number in range(len(self))])
        offsets = np.concatenate([[0], np.cumsum(self.sizes)])
        return csr_array((np.ones(len(columns)), columns, offsets), shape=(len(self), n_features))

    def names(self, feature_ids: Sequence[str]) -> list[str]:
        """Return a name for each set: that of the feature, ``all``, or ``clade`` and a number, by size, for others."""
        bounds = zip(self.start.tolist(), self.stop.tolist(), strict=True)
        names = [feature_ids[int(self.order[begin])] if end - begin == 1 else "" for begin, end in bounds]
        inner = [number for number, name in enumerate(names) if not name and number]
        for rank, number in enumerate(sorted(inner, key=lambda number: (-self.sizes[number], self.start[number])), 1):
            names[number] = f"clade{rank}"
        names[0] = "all"
        return names
