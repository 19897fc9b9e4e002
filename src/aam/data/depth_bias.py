"""Whether how deeply samples were sequenced tells their target: then what reads all reads may learn that, and no biology."""

import logging

import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from aam.data.target import Task

logger = logging.getLogger(__name__)

SUSPICIOUS = 0.6
"""How much the number of reads may tell of a target before it is said."""


def told_by_depth(depths: np.ndarray, truth: np.ndarray, task: Task) -> float:
    """Give how much the ranks of the samples' numbers of reads tell of the target, from 0 for nothing to 1.

    For numbers, the size of Spearman's correlation; for classes, ``|2·AUROC − 1|`` of the class that is told apart from the others
    best.

    Parameters
    ----------
    depths
        Reads of each sample, [S].
    truth
        Value, or class number from 0, of each, [S].
    task
        What the truth is.

    Examples
    --------
    >>> told_by_depth(np.array([100, 200, 3000, 4000]), np.array([0, 0, 1, 1]), "classification")
    1.0
    """
    if len(np.unique(depths)) < 2 or len(np.unique(truth)) < 2:
        return 0.0
    if task == "regression":
        return abs(float(spearmanr(depths, truth)[0]))  # type: ignore[arg-type]
    return max(float(abs(2 * roc_auc_score(truth == number, depths) - 1)) for number in np.unique(truth))


def warn_of_depth(column: str, depths: np.ndarray, truth: np.ndarray, task: Task) -> None:
    """Warn if the number of reads alone tells much of the target."""
    told = told_by_depth(depths, truth, task)
    if told < SUSPICIOUS:
        return
    measure = "Spearman's correlation" if task == "regression" else "|2·AUROC − 1|"
    logger.warning(
        "How many reads a sample has tells its %s (%s %.2f): samples that differ in it were sequenced to different depths. A model "
        "of all reads may learn that in place of microbes, and its score is then worth nothing on other samples. Compare with the "
        "method depth of 'aam evaluate --folds', and pass --rarefy-depth N to read equally many reads of each sample.",
        column, measure, told,
    )  # fmt: skip
