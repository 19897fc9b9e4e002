"""What a model says of the target of some samples."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Predicted:
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

    def rows(self, rows: np.ndarray) -> "Predicted":
        """Choose samples."""
        columns: dict[str, np.ndarray | list[str]] = {
            name: np.asarray(cells)[rows] for name, cells in self.columns.items()
        }
        return Predicted(self.values[rows], columns, None if self.chosen is None else self.chosen[rows])
