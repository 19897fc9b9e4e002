"""Which samples belong to one subject, and a warning when nobody said so."""

import logging
import shlex
from collections.abc import Sequence

import numpy as np

from aam.data.cells import warn_of_suspects
from aam.data.splits import divided_groups
from aam.errors import MetadataError, name_some
from aam.io.metadata import Metadata

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
    """Give each sample's group, [S]; samples without one, and all samples without a group column, are alone in theirs.

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
    warn_of_suspects("--group-column", values)
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
    metadata: Metadata, sample_ids: list[str], parts: np.ndarray, split: str, target_columns: Sequence[str]
) -> None:
    """Warn if a column seems to name subjects, and some of them are in more than one part of a split that heeds no groups.

    Parameters
    ----------
    metadata
        Where the column is looked for.
    sample_ids, parts
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
        divided = divided_groups(names, parts[known])
        if divided:
            logger.warning(
                "Column %r has %d values in %d samples, and %d of them are in more than one part: if they are subjects, validation "
                "looks better than it is. %s",
                column, n_distinct, known.sum(), len(divided), _ADVICE[split].format(column=shlex.quote(column)),
            )  # fmt: skip
            return
