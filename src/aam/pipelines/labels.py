"""The samples of a study that have a value in the metadata column, or in one of several."""

import logging

import numpy as np
import pandas as pd

from aam.config.study import LabelConfig
from aam.data.study import Study
from aam.errors import MetadataError, name_some
from aam.io.metadata import Metadata, read_metadata

logger = logging.getLogger(__name__)


def label_samples(config: LabelConfig, study: Study) -> tuple[Study, Metadata, pd.DataFrame]:
    """Keep the samples with a value in a metadata column; give the study, the metadata and the values, a column each.

    Raises
    ------
    MetadataError
        Samples lack a row (unless ``--missing-samples drop``), a column does not exist or holds no value.
    """
    metadata = read_metadata(config.metadata, config.missing_values)
    names = config.metadata_column
    values = pd.DataFrame({name: metadata.column(name) for name in names})
    known, sample_ids = set(metadata.sample_ids), list(study.sample_ids)
    absent = [sample for sample in sample_ids if sample not in known]
    if len(absent) == study.n_samples:
        raise MetadataError(
            f"None of the {study.n_samples:,} samples of the table has a row in {config.metadata}: the table has "
            f"{name_some(absent, 3)}, the metadata {name_some(metadata.sample_ids, 3)}. Pass the metadata of this table."
        )
    if absent and config.missing_samples == "error":
        raise MetadataError(
            f"{len(absent):,} of {study.n_samples:,} samples of the table have no row in {config.metadata}: "
            f"{name_some(absent)}. Add the rows or pass --missing-samples drop."
        )
    has_value = values.reindex(sample_ids).notna()
    empty = [str(name) for name, present in has_value.items() if not present.to_numpy().any()]
    if empty:
        raise MetadataError(f"No sample of the table has a value in --metadata-column {' or '.join(empty)}.")
    kept = np.flatnonzero(has_value.any(axis=1))
    if len(kept) < study.n_samples:
        logger.warning(
            "Left out %d of %d samples without a value of %s.",
            study.n_samples - len(kept), study.n_samples, " or ".join(names),
        )  # fmt: skip
    if len(names) > 1:
        _say_what_is_missing(has_value.iloc[kept])
    labelled = study.select_samples(kept)
    return labelled, metadata, values.loc[list(labelled.sample_ids)]


def only_column(values: pd.DataFrame) -> pd.Series:
    """Give the values of the one column that there is."""
    ((_, cells),) = values.items()
    return cells


def _say_what_is_missing(has_value: pd.DataFrame) -> None:
    counts = ", ".join(f"{name} {int((~present).sum()):,}" for name, present in has_value.items())
    logger.info(
        "Of %d samples, values are missing of: %s. A sample counts for those that it has.", len(has_value), counts
    )
