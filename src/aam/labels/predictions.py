"""What a model says of the target of some samples."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Predictions:
    """Predictions, and what else is known about them.

    Attributes
    ----------
    values
        Values in the target's own units [S], or class probabilities [S, C].
    columns
        Further columns of the table of predictions, by name: one value per sample.
    chosen
        Whether each class is in the sample's set, bool [S, C]; None without sets.
    """

    values: np.ndarray
    columns: dict[str, np.ndarray | list[str]] = field(default_factory=dict)
    chosen: np.ndarray | None = None

    def rows(self, rows: np.ndarray) -> "Predictions":
        """Choose samples."""
        columns: dict[str, np.ndarray | list[str]] = {
            name: np.asarray(cells)[rows] for name, cells in self.columns.items()
        }
        return Predictions(self.values[rows], columns, None if self.chosen is None else self.chosen[rows])

    @classmethod
    def joined(cls, parts: Sequence["Predictions"]) -> "Predictions":
        """Put what was said of some samples and of others one after another."""
        columns: dict[str, np.ndarray | list[str]] = {
            name: np.concatenate([np.asarray(part.columns[name]) for part in parts]) for name in parts[0].columns
        }
        sets = [part.chosen for part in parts if part.chosen is not None]
        return cls(np.concatenate([part.values for part in parts]), columns, np.concatenate(sets) if sets else None)

    def in_all_classes(self, own: Sequence[str], classes: Sequence[str]) -> "Predictions":
        """Write predictions of some classes down in all of them; the others have probability 0."""
        if not classes:
            return self  # numbers
        place = [classes.index(name) for name in own]
        values = np.zeros((len(self.values), len(classes)))
        values[:, place] = self.values
        chosen = None
        if self.chosen is not None:
            chosen = np.zeros(values.shape, dtype=bool)
            chosen[:, place] = self.chosen
        return Predictions(values, self.columns, chosen)
