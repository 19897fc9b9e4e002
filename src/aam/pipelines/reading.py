"""From the user's files to a study that fits its tree, its metadata and the rarefaction depth."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from aam.config.study import DistanceConfig, LabelConfig, StudyConfig
from aam.data.batches import BatchTarget, PackedCounts
from aam.data.study import Study
from aam.ecology.tree import FeatureTree, features_missing_from
from aam.ecology.unifrac import unweighted_unifrac
from aam.errors import MetadataError, TreeError, name_some
from aam.io.distances import DistanceMatrix, read_distances
from aam.io.metadata import Metadata, read_metadata
from aam.io.newick import TreeArrays, read_newick
from aam.io.sequences import feature_sequences, tokenize
from aam.io.tables import read_table

logger = logging.getLogger(__name__)


def read_study(config: StudyConfig, max_bp: int) -> Study:
    """Read a table and its sequences, cut to ``max_bp`` nucleotides."""
    table = read_table(config.table)
    sequences = feature_sequences(table.feature_ids, config.sequences)
    tokens = tokenize(sequences, table.feature_ids, max_bp)
    n_longer = sum(len(sequence) > max_bp for sequence in sequences)
    if n_longer:
        logger.warning(
            "%d of %d sequences are longer than %d nucleotides; what follows is not read (--max-bp).",
            n_longer, len(sequences), max_bp,
        )  # fmt: skip
    study = Study.from_arrays(table.sample_ids, table.feature_ids, tokens, table.counts)
    logger.info(
        "%s: %d samples, %d ASVs, median depth %d.",
        config.table, study.n_samples, len(study.feature_ids), int(np.median(study.depths)),
    )  # fmt: skip
    return study


@dataclass(frozen=True)
class DistanceSource:
    """Where the distances of a batch come from; `target` binds it to the final choice of samples."""

    target: Callable[[Study], BatchTarget]


def read_distance_source(config: DistanceConfig, study: Study) -> tuple[Study, DistanceSource | None]:
    """Read the tree or the matrix, and drop the features that the tree lacks if the user allows it."""
    if config.tree is not None:
        arrays = read_newick(config.tree)
        study = _drop_missing_features(config, study, arrays)
        tree = FeatureTree.from_arrays(arrays, study.feature_ids)
        return study, DistanceSource(lambda _: _unifrac_target(tree))
    if config.distances is not None:
        matrix = read_distances(config.distances, config.distance_ids)
        return study, DistanceSource(lambda final: _matrix_target(matrix, final))
    return study, None


def _unifrac_target(tree: FeatureTree) -> BatchTarget:
    def target(packed: PackedCounts) -> np.ndarray:
        return unweighted_unifrac(tree, packed.features, packed.sample_offsets).astype(np.float32)

    return target


def _matrix_target(matrix: DistanceMatrix, study: Study) -> BatchTarget:
    rows = matrix.select(study.sample_ids)

    def target(packed: PackedCounts) -> np.ndarray:
        chosen = rows[packed.samples]
        return np.asarray(matrix.values[chosen][:, chosen], dtype=np.float32)

    return target


def _drop_missing_features(config: DistanceConfig, study: Study, arrays: TreeArrays) -> Study:
    missing = features_missing_from(arrays, study.feature_ids)
    if not missing or config.missing_features == "error":
        return study  # the tree itself reports what is missing
    if len(missing) == len(study.feature_ids):
        raise TreeError(
            f"None of the {len(missing):,} features of the table is a tip of {config.tree}: {name_some(missing)}. "
            "Pass the tree that was built from these features."
        )
    lost = set(missing)
    kept = np.array([i for i, feature in enumerate(study.feature_ids) if feature not in lost])
    smaller = study.select_features(kept)
    share = 1 - smaller.depths.sum() / study.depths.sum()
    logger.warning(
        "Dropped %d of %d features that %s lacks (%.2f %% of the reads): %s.",
        len(missing), len(study.feature_ids), config.tree, 100 * share, name_some(missing, limit=3),
    )  # fmt: skip
    return smaller


def label_samples(config: LabelConfig, study: Study) -> tuple[Study, Metadata, pd.Series]:
    """Keep the samples with a value in the metadata column; give the study, the metadata and the column's values.

    Raises
    ------
    MetadataError
        Samples lack a row (unless ``--missing-samples drop``), the column does not exist, or no sample has a value.
    """
    metadata = read_metadata(config.metadata)
    values = metadata.column(config.metadata_column)
    known = set(metadata.sample_ids)
    absent = [sample for sample in study.sample_ids if sample not in known]
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
    has_value = values.reindex(study.sample_ids).notna().to_numpy()
    kept = np.flatnonzero(has_value)
    if not len(kept):
        raise MetadataError(f"No sample of the table has a value in --metadata-column {config.metadata_column}.")
    if len(kept) < study.n_samples:
        logger.warning(
            "Left out %d of %d samples without a value of %s.",
            study.n_samples - len(kept), study.n_samples, config.metadata_column,
        )  # fmt: skip
    labelled = study.select_samples(kept)
    return labelled, metadata, values.loc[labelled.sample_ids]
