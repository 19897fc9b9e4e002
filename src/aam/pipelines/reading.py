"""From the user's files to a study on disk, and to the distances that its samples should have."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aam.config.study import DistanceConfig, StudyConfig
from aam.data.batches import BatchTarget, PackedCounts
from aam.data.study import Study
from aam.data.study_build import FORMAT, build_study
from aam.ecology.tree import FeatureTree, write_feature_tree
from aam.ecology.unifrac import unweighted_unifrac
from aam.errors import SequenceError, TableError, TreeError, name_some
from aam.io.cache import Cache, digest_of
from aam.io.distances import DistanceMatrix, read_distances
from aam.io.named_file import read_head
from aam.io.newick import read_newick
from aam.io.tables import open_table

logger = logging.getLogger(__name__)


def read_study(config: StudyConfig, max_bp: int) -> Study:
    """Open a table and its sequences as a study on disk, built if the cache does not hold it; sequences are cut to ``max_bp``.

    Raises
    ------
    TableError, SequenceError
        A file is missing or malformed, or they do not fit together.
    """
    read_head(config.table, TableError, "--table")
    if config.sequences is not None:
        read_head(config.sequences, SequenceError, "--sequences")

    def build(directory: Path) -> None:
        logger.info("Reading %s …", config.table)
        with open_table(config.table) as table:
            build_study(table, config.sequences, directory)

    key = digest_of(f"study {FORMAT}", config.table, config.sequences)
    study = Cache(config.cache_dir).fetch("study", key, build, Study.open).cut(max_bp)
    n_longer = int((study.tokens.lengths > max_bp).sum())
    if n_longer:
        logger.warning(
            "%d of %d sequences are longer than %d nucleotides; what follows is not read (--max-bp).",
            n_longer, len(study.tokens), max_bp,
        )  # fmt: skip
    logger.info(
        "%s: %d samples, %d ASVs, median depth %d.",
        config.table, study.n_samples, study.n_features, int(np.median(study.depths)),
    )  # fmt: skip
    return study


@dataclass(frozen=True)
class DistanceSource:
    """Where the distances of a batch come from; `target` binds it to the final choice of samples."""

    target: Callable[[Study], BatchTarget]


def read_distance_source(config: DistanceConfig, study: Study, cache: Cache) -> DistanceSource | None:
    """Open the tree or the matrix that the user named, if any.

    Raises
    ------
    TreeError, DistanceError
        The file is missing or malformed, or does not fit the study.
    """
    if config.tree is not None:
        tree = read_tree(config.tree, study, cache)
        report_missing_features(config, study, tree)
        return DistanceSource(lambda _: _unifrac_target(tree))
    if config.distances is not None:
        matrix = read_distances(config.distances, config.distance_ids)
        return DistanceSource(lambda final: _matrix_target(matrix, final))
    return None


def read_tree(path: Path, study: Study, cache: Cache) -> FeatureTree:
    """Open a tree cut down to the features of a study, built if the cache does not hold it.

    Raises
    ------
    TreeError
        The file is missing or malformed, or holds no feature of the study.
    """
    read_head(path, TreeError, "--tree")

    def build(directory: Path) -> None:
        write_feature_tree(read_newick(path, directory), study.feature_ids, directory)

    return cache.fetch("tree", digest_of(f"tree {FORMAT}", path, study.content), build, FeatureTree.open)


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


def report_missing_features(config: DistanceConfig, study: Study, tree: FeatureTree) -> None:
    """Say which features the tree lacks.

    Raises
    ------
    TreeError
        There are some, and ``--missing-features`` does not drop them.
    """
    missing = tree.missing()
    if not len(missing):
        return
    names = name_some(study.feature_ids.select(missing))
    found = (
        f"{len(missing):,} of {study.n_features:,} features of the table are not tips of --tree {config.tree}: {names}"
    )
    if config.missing_features == "error":
        raise TreeError(
            f"{found}. Pass the tree that was built from these features, or --missing-features drop to compute UniFrac "
            "without them."
        )
    logger.warning("%s. UniFrac is computed without them; all else reads them.", found)
