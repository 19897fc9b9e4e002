"""The samples of a study that have a value in the metadata column."""

import logging

import numpy as np
import pandas as pd

from aam.config.study import LabelConfig
from aam.data.study import Study
from aam.errors import MetadataError, name_some
from aam.io.metadata import Metadata, read_metadata

logger = logging.getLogger(__name__)


def label_samples(config: LabelConfig, study: Study) -> tuple[Study, Metadata, pd.Series]:
    """Keep the samples with a value in the metadata column; give the study, the metadata and the column's values.

    Raises
    ------
    MetadataError
        Samples lack a row (unless ``--missing-samples drop``), the column does not exist, or no sample has a value.
    """
    metadata = read_metadata(config.metadata, config.missing_values)
    values = metadata.column(config.metadata_column)
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
    has_value = values.reindex(sample_ids).notna().to_numpy()
    kept = np.flatnonzero(has_value)
    if not len(kept):
        raise MetadataError(f"No sample of the table has a value in --metadata-column {config.metadata_column}.")
    if len(kept) < study.n_samples:
        logger.warning(
            "Left out %d of %d samples without a value of %s.",
            study.n_samples - len(kept), study.n_samples, config.metadata_column,
        )  # fmt: skip
    labelled = study.select_samples(kept)
    return labelled, metadata, values.loc[list(labelled.sample_ids)]
