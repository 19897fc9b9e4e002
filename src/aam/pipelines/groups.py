"""Which samples belong to one subject, and a warning when nobody said so."""

import logging

import numpy as np

from aam.data.cells import warn_of_suspects
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


def sample_groups(
    metadata: Metadata, sample_ids: list[str], group_column: str | None, target_column: str
) -> np.ndarray:
    """Give each sample's group, [S]; samples without one, and all samples without a group column, are alone in theirs.

    Raises
    ------
    MetadataError
        The group column does not exist, or is the target.
    """
    alone = np.array([f"sample {sample}" for sample in sample_ids], dtype=object)
    if group_column is None:
        _warn_of_repeated_subjects(metadata, sample_ids, target_column)
        return alone.astype(str)
    if group_column == target_column:
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


def _warn_of_repeated_subjects(metadata: Metadata, sample_ids: list[str], target_column: str) -> None:
    for column in metadata.frame.columns:
        if column == target_column or not any(word in column.lower() for word in SUBJECT_WORDS):
            continue
        values = metadata.frame[column].reindex(sample_ids).dropna()
        n_distinct = len(set(values))
        if 1 < n_distinct <= len(values) / 2:
            logger.warning(
                "Column %r has %d values in %d samples: subjects seem to be sampled repeatedly, and validation will look "
                "better than it is when a subject is on both sides. Pass --group-column %s to prevent that.",
                column, n_distinct, len(values), column,
            )  # fmt: skip
            return
