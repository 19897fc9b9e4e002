"""Which samples belong to one subject, and whether sequencing depth alone tells the target."""

import logging
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import kendalltau, mannwhitneyu, spearmanr

from aam.errors import MetadataError, name_some
from aam.io.metadata import Metadata
from aam.labels.columns import warn_of_probable_missing_values
from aam.labels.splits import divided_groups
from aam.labels.target import Task

logger = logging.getLogger(__name__)


SUSPICIOUS = 0.6
"""How much the number of reads may tell of a target before it is said."""

CHANCE = 0.01
"""Probability of telling as much by chance from which on nothing is said."""


@dataclass(frozen=True)
class Association:
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


NO_ASSOCIATION = Association(0.0, 1.0)


def depth_association(depths: np.ndarray, truth: np.ndarray, task: Task) -> Association:
    """Measure how much the number of reads tells of the target.

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
    >>> depth_association(np.array([100, 200, 3000, 4000]), np.array([0, 0, 1, 1]), "classification").size
    1.0
    """
    if len(np.unique(depths)) < 2 or len(np.unique(truth)) < 2:
        return NO_ASSOCIATION
    if task == "regression":
        return Association(abs(float(spearmanr(depths, truth)[0])), float(kendalltau(depths, truth)[1]))  # type: ignore[arg-type]
    classes = np.unique(truth)
    best = max((_class_association(depths, truth == number) for number in classes), key=lambda told: told.size)
    return Association(best.size, min(1.0, best.p_value * (len(classes) if len(classes) > 2 else 1)))


def _class_association(depths: np.ndarray, is_class: np.ndarray) -> Association:
    found = mannwhitneyu(depths[is_class], depths[~is_class])
    auroc = float(found.statistic) / (is_class.sum() * (~is_class).sum())
    return Association(float(abs(2 * auroc - 1)), float(found.pvalue))


def warn_of_depth(column: str, depths: np.ndarray, truth: np.ndarray, task: Task) -> None:
    """Warn if the number of reads alone tells much of the target, and more than by chance."""
    told = depth_association(depths, truth, task)
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


SUBJECT_WORDS = (
    "subject",
    "patient",
    "participant",
    "individual",
    "person",
    "donor",
    "host",
    "animal",
    "mouse",
)
"""Words in the name of a column that probably says whom a sample is from."""

_ADVICE = {
    "stratified": "Pass --group-column {column} to prevent that.",
    "k-fold": "Pass --group-column {column} to prevent that.",
    "random": "Pass --split stratified --group-column {column} to prevent that.",
    "leave-one-study-out": "Hold out a study that shares none with the others, or pass --split grouped --group-column {column} to "
    "divide subjects instead of studies.",
    "file": "Write each into one part of --split-file to prevent that.",
}
"""What to do about divided subjects, by the kind of split; those that are missing divide none."""


def sample_groups(
    metadata: Metadata, sample_ids: list[str], group_column: str | None, target_columns: Sequence[str]
) -> np.ndarray:
    """Return each sample's group, [S]; samples without one, and all samples without a group column, are alone in theirs.

    Raises
    ------
    MetadataError
        The group column does not exist, or is the target.
    """
    alone = np.array([f"sample {sample}" for sample in sample_ids], dtype=object)
    if group_column is None:
        return alone.astype(str)
    if group_column in target_columns:
        raise MetadataError(f"--group-column and --metadata-column are both {group_column}: name the subject's column.")
    values = metadata.column(group_column).reindex(sample_ids)
    warn_of_probable_missing_values("--group-column", values)
    known = values.notna().to_numpy()
    if not known.all():
        missing = [sample for sample, is_known in zip(sample_ids, known, strict=True) if not is_known]
        logger.warning(
            "%d samples have no %s and count as a group each: %s.",
            len(missing),
            group_column,
            name_some(missing),
        )
    return np.where(known, [f"group {value}" for value in values], alone).astype(str)


def warn_of_divided_subjects(
    metadata: Metadata, sample_ids: list[str], sample_parts: np.ndarray, split: str, target_columns: Sequence[str]
) -> None:
    """Warn if a column seems to name subjects, and some of them are in more than one part of a split that heeds no groups.

    Parameters
    ----------
    metadata
        Where the column is looked for.
    sample_ids, sample_parts
        Samples that were divided, and the part of each, [S].
    split
        Kind of split, which decides what one can do about it.
    target_columns
        Name no subjects.
    """
    for column in metadata.frame.columns:
        if column in target_columns or not any(word in column.lower() for word in SUBJECT_WORDS):
            continue
        values = metadata.column(column).reindex(sample_ids)
        known = values.notna().to_numpy()
        names = values.to_numpy()[known].astype(str)
        n_distinct = len(set(names))
        if not 1 < n_distinct <= known.sum() / 2:
            continue
        divided = divided_groups(names, sample_parts[known])
        if divided:
            logger.warning(
                "Column %r has %d values in %d samples, and %d of them are in more than one part: if they are subjects, validation "
                "looks better than it is. %s",
                column, n_distinct, known.sum(), len(divided), _ADVICE[split].format(column=shlex.quote(column)),
            )  # fmt: skip
            return
