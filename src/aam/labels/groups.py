"""Groups of samples, such as those of one subject, and the association of sequencing depth with the target."""

import logging
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import kendalltau, mannwhitneyu, spearmanr

from aam.errors import MetadataError, name_some
from aam.io.metadata import Metadata
from aam.labels.columns import warn_of_probable_missing_values
from aam.labels.spellings import look_alike_remarks
from aam.labels.splits import divided_groups
from aam.labels.subjects import find_subjects
from aam.labels.target import Task

logger = logging.getLogger(__name__)


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
"""Words in the name of a column that probably holds the subject of each sample."""

_ADVICE = {
    "stratified": "Pass --group-column {column} to prevent that.",
    "k-fold": "Pass --group-column {column} to prevent that.",
    "random": "Pass --split stratified --group-column {column} to prevent that.",
    "leave-one-study-out": "Hold out a study that shares none with the others, or pass --split grouped --group-column {column} to "
    "divide subjects instead of studies.",
    "file": "Write each into one part of --split-file to prevent that.",
}
"""Advice about divided subjects, by the kind of split; kinds that are missing divide no subjects."""


def sample_groups(
    metadata: Metadata, sample_ids: list[str], group_column: str | None, target_columns: Sequence[str]
) -> np.ndarray:
    """Return the group of each sample.

    Returns
    -------
    np.ndarray
        Name of the group of each sample, [S]. A sample without a cell in the group column is a group of its own, as is every sample
        where there is no group column.

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
    for remark in look_alike_remarks("--group-column", values):
        logger.warning("%s", remark)
    has_group = values.notna().to_numpy()
    if not has_group.all():
        missing = [sample for sample, is_known in zip(sample_ids, has_group, strict=True) if not is_known]
        logger.warning(
            "%d samples have no %s and count as a group each: %s.",
            len(missing),
            group_column,
            name_some(missing),
        )
    return np.where(has_group, [f"group {value}" for value in values], alone).astype(str)


def warn_of_divided_subjects(
    metadata: Metadata, sample_ids: list[str], split: np.ndarray, kind: str, target_columns: Sequence[str]
) -> None:
    """Warn if a column seems to name subjects, by its name or else its structure, and a split without groups divides some of them.

    Parameters
    ----------
    metadata
        The metadata, whose columns are searched.
    sample_ids, split
        Names of the samples, and the part of the split that each is in, [S].
    kind
        Kind of split, which decides on the advice.
    target_columns
        Columns to learn, which are not searched.
    """
    is_named = False
    for column in metadata.frame.columns:
        if column in target_columns or not any(word in column.lower() for word in SUBJECT_WORDS):
            continue
        values = metadata.column(column).reindex(sample_ids)
        has_value = values.notna().to_numpy()
        names = values.to_numpy()[has_value].astype(str)
        n_distinct = len(set(names))
        if not 1 < n_distinct <= has_value.sum() / 2:
            continue
        is_named = True
        divided = divided_groups(names, split[has_value])
        if divided:
            logger.warning(
                "Column %r has %d values in %d samples, and %d of them are in more than one part: if they are subjects, validation "
                "looks better than it is. %s",
                column, n_distinct, has_value.sum(), len(divided), _ADVICE[kind].format(column=shlex.quote(column)),
            )  # fmt: skip
            return
    if not is_named:
        _warn_of_divided_structure(metadata.frame.reindex(sample_ids), split, kind, target_columns)


def _warn_of_divided_structure(
    frame: pd.DataFrame, split: np.ndarray, kind: str, target_columns: Sequence[str]
) -> None:
    found = find_subjects(frame, target_columns)
    if found is None or kind not in _ADVICE:
        return
    values = frame[found.name]
    has_value = values.notna().to_numpy()
    divided = divided_groups(values.to_numpy()[has_value].astype(str), split[has_value])
    if divided:
        logger.warning(
            "%s. %d of them are in more than one part: if they are subjects, validation looks better than it is. %s",
            found.fact(), len(divided), _ADVICE[kind].format(column=shlex.quote(found.name)),
        )  # fmt: skip


SUSPICIOUS = 0.6
"""Size of the association of depth and target from which on it is warned of."""

CHANCE = 0.01
"""p-value above which an association is not warned of."""


@dataclass(frozen=True)
class Association:
    """Association of the samples' sequencing depths with the target, by ranks.

    Attributes
    ----------
    size
        Effect size, from 0 for no association to 1.
    p_value
        Probability of an association at least as strong where depth and target are independent.
    """

    size: float
    p_value: float


NO_ASSOCIATION = Association(0.0, 1.0)


def depth_association(depths: np.ndarray, truth: np.ndarray, task: Task) -> Association:
    """Compute the association of sequencing depth with the target.

    For numbers, the size is that of Spearman's correlation, and the p-value is that of Kendall's, which is exact for few samples.
    For classes, the size is ``|2·AUROC − 1|`` of the class that depth separates best from the others, and the p-value is that of
    Mann and Whitney, times the number of classes if there are more than two.

    Parameters
    ----------
    depths
        Reads of each sample, [S].
    truth
        Value, or class number from 0, of each sample, [S].
    task
        Whether ``truth`` holds values or class numbers.

    Returns
    -------
    Association
        Size and p-value.

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
    best = max(
        (_class_association(depths, truth == number) for number in classes), key=lambda association: association.size
    )
    return Association(best.size, min(1.0, best.p_value * (len(classes) if len(classes) > 2 else 1)))


def _class_association(depths: np.ndarray, is_class: np.ndarray) -> Association:
    test = mannwhitneyu(depths[is_class], depths[~is_class])
    auroc = float(test.statistic) / (is_class.sum() * (~is_class).sum())
    return Association(float(abs(2 * auroc - 1)), float(test.pvalue))


def warn_of_depth(column: str, depths: np.ndarray, truth: np.ndarray, task: Task) -> None:
    """Warn if sequencing depth is strongly and significantly associated with the target."""
    association = depth_association(depths, truth, task)
    if association.size < SUSPICIOUS or association.p_value > CHANCE:
        return
    measure = "Spearman's correlation" if task == "regression" else "|2·AUROC − 1|"
    logger.warning(
        "How many reads a sample has tells its %s (%s %.2f, p = %.1g): samples that differ in it were sequenced to different "
        "depths. A model of all reads may learn that in place of microbes, and its score is then worth nothing on other samples. "
        "Compare with the method depth of 'aam crossval', and pass --rarefy-depth N to read equally many reads of each "
        "sample.",
        column, measure, association.size, association.p_value,
    )  # fmt: skip
