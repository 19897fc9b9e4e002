"""Whether how deeply samples were sequenced tells their target: then what reads all reads may learn that, and no biology."""

import logging
from dataclasses import dataclass

import numpy as np
from scipy.stats import kendalltau, mannwhitneyu, spearmanr

from aam.data.target import Task

logger = logging.getLogger(__name__)

SUSPICIOUS = 0.6
"""How much the number of reads may tell of a target before it is said."""
CHANCE = 0.01
"""Probability of telling as much by chance from which on nothing is said."""


@dataclass(frozen=True)
class Told:
    """How much the ranks of the samples' numbers of reads tell of the target.

    Attributes
    ----------
    size
        From 0 for nothing to 1.
    p_value
        Probability that as much is told where there is nothing to tell.
    """

    size: float
    p_value: float


NOTHING = Told(0.0, 1.0)


def told_by_depth(depths: np.ndarray, truth: np.ndarray, task: Task) -> Told:
    """Give how much the number of reads tells of the target.

    For numbers, the size of Spearman's correlation, with the p-value of Kendall's, which is exact for few samples; for classes,
    ``|2·AUROC − 1|`` of the class that is told apart from the others best, with the p-value of Mann and Whitney, times the number
    of classes if there are more than two.

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
    >>> told_by_depth(np.array([100, 200, 3000, 4000]), np.array([0, 0, 1, 1]), "classification").size
    1.0
    """
    if len(np.unique(depths)) < 2 or len(np.unique(truth)) < 2:
        return NOTHING
    if task == "regression":
        return Told(abs(float(spearmanr(depths, truth)[0])), float(kendalltau(depths, truth)[1]))  # type: ignore[arg-type]
    classes = np.unique(truth)
    best = max((_told_of_class(depths, truth == number) for number in classes), key=lambda told: told.size)
    return Told(best.size, min(1.0, best.p_value * (len(classes) if len(classes) > 2 else 1)))


def _told_of_class(depths: np.ndarray, is_class: np.ndarray) -> Told:
    found = mannwhitneyu(depths[is_class], depths[~is_class])
    auroc = float(found.statistic) / (is_class.sum() * (~is_class).sum())
    return Told(float(abs(2 * auroc - 1)), float(found.pvalue))


def warn_of_depth(column: str, depths: np.ndarray, truth: np.ndarray, task: Task) -> None:
    """Warn if the number of reads alone tells much of the target, and more than by chance."""
    told = told_by_depth(depths, truth, task)
    if told.size < SUSPICIOUS or told.p_value > CHANCE:
        return
    measure = "Spearman's correlation" if task == "regression" else "|2·AUROC − 1|"
    logger.warning(
        "How many reads a sample has tells its %s (%s %.2f, p = %.1g): samples that differ in it were sequenced to different "
        "depths. A model of all reads may learn that in place of microbes, and its score is then worth nothing on other samples. "
        "Compare with the method depth of 'aam evaluate --folds', and pass --rarefy-depth N to read equally many reads of each "
        "sample.",
        column, measure, told.size, told.p_value,
    )  # fmt: skip
