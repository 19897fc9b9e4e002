"""Predictions of a target, one row for each sample."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Predictions:
    """Predictions of a target for S samples.

    Attributes
    ----------
    values
        Values in the target's own units, [S], or [S, K] for K columns, or class probabilities, [S, C].
    columns
        Further columns of the table of predictions, such as the ends of intervals, by name; one value per sample.
    chosen
        True for each class in the sample's prediction set, bool [S, C]; None without sets.
    """

    values: np.ndarray
    columns: dict[str, np.ndarray | list[str]] = field(default_factory=dict)
    chosen: np.ndarray | None = None

    def select(self, indices: np.ndarray) -> "Predictions":
        """Return the predictions of the samples with these indices, in the order of the indices."""
        columns: dict[str, np.ndarray | list[str]] = {
            name: np.asarray(cells)[indices] for name, cells in self.columns.items()
        }
        return Predictions(self.values[indices], columns, None if self.chosen is None else self.chosen[indices])

    @classmethod
    def concatenate(cls, blocks: Sequence["Predictions"]) -> "Predictions":
        """Return the predictions of several blocks of samples, one block after another."""
        columns: dict[str, np.ndarray | list[str]] = {
            name: np.concatenate([np.asarray(block.columns[name]) for block in blocks]) for name in blocks[0].columns
        }
        sets = [block.chosen for block in blocks if block.chosen is not None]
        return cls(np.concatenate([block.values for block in blocks]), columns, np.concatenate(sets) if sets else None)

    def in_all_classes(self, predicted_classes: Sequence[str], classes: Sequence[str]) -> "Predictions":
        """Return predictions of some classes as predictions of all classes; those that are added have probability 0.

        Parameters
        ----------
        predicted_classes
            Names of the classes that ``values`` are of, in order.
        classes
            Names of all classes; none for numbers, which are returned as they are.
        """
        if not classes:
            return self
        columns = [classes.index(name) for name in predicted_classes]
        values = np.zeros((len(self.values), len(classes)))
        values[:, columns] = self.values
        chosen = None
        if self.chosen is not None:
            chosen = np.zeros(values.shape, dtype=bool)
            chosen[:, columns] = self.chosen
        return Predictions(values, self.columns, chosen)
