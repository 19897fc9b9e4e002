"""Whether a model reads the run and not the microbes: how depth and batch columns go with its predictions beyond the truth."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from aam.explanation.losses import explained_outputs
from aam.labels.columns import is_number

DEPTH = "depth"
"""Name of the number of reads among the nuisance columns."""

PERMUTATIONS = 999


def nuisance_table(
    columns: Mapping[str, pd.Series], predicted: np.ndarray, truth: np.ndarray, groups: np.ndarray, is_regression: bool
) -> pd.DataFrame:
    """Compute how nuisance columns go with the truth, and with held-out predictions at equal truth.

    Each column explains a share of the variance (R² of numbers, η² of categories, adjusted for their degrees of freedom) of the
    truth, of the predictions, and of what remains of the predictions when the truth is taken from them. The p-value of the last
    is the share of exchanges of whole groups that explain as much.

    Parameters
    ----------
    columns
        Cells by column, each [S]; numbers or categories. Missing cells are a category of their own, or the median.
    predicted
        Held-out predictions: values [S, 1] or class probabilities [S, C].
    truth
        Values or class numbers, [S].
    groups
        Group of each sample, [S].
    is_regression
        Whether the target is a number.

    Returns
    -------
    pd.DataFrame
        One row per column: column, kind, n_values, with_truth, with_prediction, beyond_truth, p.
    """
    outputs = explained_outputs(predicted, is_regression)
    of_truth = truth[:, None].astype(np.float64) if is_regression else np.eye(int(truth.max()) + 1)[truth]
    rest = outputs - _fitted(_with_one(of_truth), outputs)
    rows = []
    for name, cells in columns.items():
        design, kind, n_values = _design(cells)
        rows.append(
            {
                "column": name,
                "kind": kind,
                "n_values": n_values,
                "with_truth": _explained(design, of_truth),
                "with_prediction": _explained(design, outputs),
                "beyond_truth": _explained(design, rest),
                "p": _p_value(design, rest, groups),
            }
        )
    return pd.DataFrame(rows)


def _design(cells: pd.Series) -> tuple[np.ndarray, str, int]:
    """Return what explains a column's part: the number and its rank, or one column per category."""
    has_cell = cells.notna().to_numpy()
    names = [str(cell) for cell in cells[has_cell]]
    n_values = len(set(names))
    if n_values > 2 and all(is_number(name) for name in names):
        numbers = np.array([float(name) for name in names])
        filled = np.full(len(cells), np.median(numbers))
        filled[has_cell] = numbers
        ranks = np.argsort(np.argsort(filled)) / (len(filled) - 1)
        return _with_one(np.stack([filled, ranks], axis=1)), "numbers", n_values
    named = np.full(len(cells), "(missing)", dtype=object)
    named[has_cell] = names
    kinds, number = np.unique(named.astype(str), return_inverse=True)
    return np.eye(len(kinds))[number], "categories", n_values


def _with_one(design: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones(len(design)), design])


def _fitted(design: np.ndarray, values: np.ndarray) -> np.ndarray:
    return design @ np.linalg.lstsq(design, values, rcond=None)[0]  # type: ignore[no-any-return]


def _explained(design: np.ndarray, values: np.ndarray) -> float:
    """Return the adjusted share of the variance that a design explains; 0 where it explains less than chance, or nothing varies."""
    total = np.square(values - values.mean(axis=0)).sum()
    degrees = len(values) - np.linalg.matrix_rank(design)
    if total <= 0 or degrees <= 0:
        return 0.0
    rest = np.square(values - _fitted(design, values)).sum()
    return float(max(0.0, 1 - (rest / degrees) / (total / (len(values) - 1))))


def _p_value(design: np.ndarray, values: np.ndarray, groups: np.ndarray) -> float:
    """Return the share of exchanges of whole groups for which a design explains at least as much, that of the data counted."""
    basis = np.linalg.qr(design)[0]
    centred = values - values.mean(axis=0)
    observed = np.square(basis.T @ centred).sum()
    _, number = np.unique(groups, return_inverse=True)
    if number.max() == 0:
        number = np.arange(len(groups))
    members = [np.flatnonzero(number == group) for group in range(number.max() + 1)]
    rng = np.random.default_rng(0)
    n_above = 0
    for _ in range(PERMUTATIONS):
        exchanged = np.empty_like(centred)
        for receivers, giver in zip(members, rng.permutation(len(members)).tolist(), strict=True):
            exchanged[receivers] = centred[np.resize(rng.permutation(members[giver]), len(receivers))]
        exchanged -= exchanged.mean(axis=0)
        n_above += int(np.square(basis.T @ exchanged).sum() >= observed * (1 - 1e-9))
    return (1 + n_above) / (1 + PERMUTATIONS)
