"""The branches above the known ASVs: which of them each sample touches, and the clades that they cut off."""

from dataclasses import dataclass

import numpy as np

from aam.ecology.tree import FeatureTree


@dataclass(frozen=True)
class Phylogeny:
    """A tree cut down to the known ASVs.

    Attributes
    ----------
    order
        Known ASVs that are in the tree, in the order of a walk; int64 [P].
    start, stop
        Below a branch are ``order[start:stop]``; int64 [N].
    length
        Of each branch, in the tree's units; float64 [N].
    """

    order: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    length: np.ndarray

    @classmethod
    def above(cls, tree: FeatureTree, number: np.ndarray) -> "Phylogeny | None":
        """Cut the tree of a study down to its known features, numbered from 0 (−1: unknown); None if it holds none of them."""
        features = np.flatnonzero((number >= 0) & (np.asarray(tree.position) >= 0))
        _, first = np.unique(number[features], return_index=True)  # features with one sequence are one ASV
        features = features[first]
        if not len(features):
            return None
        features = features[np.argsort(tree.position[features])]
        branches = tree.branches_above(np.asarray(tree.position[features]))
        return cls(number[features], branches.start, branches.stop, branches.length)

    @property
    def is_clade(self) -> np.ndarray:
        """Whether at least two ASVs, but not all, are below a branch; bool [N]."""
        size = self.stop - self.start
        return (size >= 2) & (size < len(self.order))

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Add values of the known ASVs [S, F] over those below each branch; [S, N]."""
        before = np.zeros((len(values), len(self.order) + 1))
        np.cumsum(values[:, self.order], axis=1, out=before[:, 1:])
        return before[:, self.stop] - before[:, self.start]
