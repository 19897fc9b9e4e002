"""From the user's files to a study on disk, and to the part of a tree that belongs to it."""

import logging
from pathlib import Path

import numpy as np

from aam.config.study import StudyConfig
from aam.data.study import Study
from aam.data.study_build import FORMAT, build_study
from aam.ecology.tree import FeatureTree, write_feature_tree
from aam.errors import SequenceError, TableError, TreeError
from aam.io.cache import Cache, digest_of
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
    n_longer = study.tokens.count_longer(max_bp)
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
