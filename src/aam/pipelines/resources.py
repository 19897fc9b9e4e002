"""What objectives need beside the study: opened once, and only if an objective in use needs it."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from aam.config.commands import PretrainConfig, TrainConfig
from aam.config.objective_table import FLAG_OF_RESOURCE
from aam.config.objectives import rows_of
from aam.config.study import DistanceConfig
from aam.data.study import Study
from aam.ecology.lineages import RANKS, Lineages
from aam.ecology.resources import SampleMatrix, StudyResources
from aam.ecology.tree import FeatureTree
from aam.errors import TaxonomyError, TreeError, name_some
from aam.io.cache import Cache
from aam.io.distances import read_distances
from aam.io.taxonomy import read_taxonomy
from aam.pipelines.reading import read_tree

logger = logging.getLogger(__name__)

Config = PretrainConfig | TrainConfig
SAMPLES_READ = 256
"""Samples after which the pages that were read are let go of."""


def read_resources(config: Config, weights: Mapping[str, float], study: Study, rows: np.ndarray) -> StudyResources:
    """Open what the objectives that weigh something need; say what was given for none of them.

    Parameters
    ----------
    config
        Of the command.
    weights
        Of the objectives in use.
    study
        The final choice of samples.
    rows
        Training samples among them.

    Raises
    ------
    TreeError, DistanceError, TaxonomyError
        A file is missing or malformed, or does not fit the study.
    """
    needed = {need for row in rows_of(dict(weights)).values() for need in row.needs}
    given = {"tree": config.distance.tree, "distances": config.distance.distances, "taxonomy": config.taxonomy.taxonomy}
    ignored = [FLAG_OF_RESOURCE[name] for name, path in given.items() if path is not None and name not in needed]
    if ignored:
        logger.warning("%s: no objective in use reads it, so it has no effect.", " and ".join(ignored))
    opened = {FIELD_OF_RESOURCE[name]: READERS[name](config, study) for name in needed}
    return StudyResources(
        n_features=study.n_features,
        is_seen=_seen_features(study, rows) if "taxonomy" in needed else None,
        taxonomy_rank=RANKS.index(config.taxonomy.taxonomy_rank),
        unifrac_alpha=config.objectives.unifrac_alpha,
        **opened,
    )


def _seen_features(study: Study, rows: np.ndarray) -> np.ndarray:
    is_seen = np.zeros(study.n_features, dtype=bool)
    for number, row in enumerate(rows.tolist(), start=1):
        is_seen[study.sample(row)[0]] = True
        if number % SAMPLES_READ == 0:
            study.release()
    return is_seen


def read_given_tree(config: Config, study: Study) -> FeatureTree:
    """Open ``--tree``, which was given.

    Raises
    ------
    TreeError
        It is missing or malformed, holds no feature of the study, or lacks some and ``--missing-features`` does not drop them.
    """
    path = config.distance.tree
    assert path is not None, "checked with the options"
    tree = read_tree(path, study, Cache(config.study.cache_dir))
    _report_missing_features(config.distance, study, tree)
    return tree


def _read_matrix(config: Config, study: Study) -> SampleMatrix:
    path = config.distance.distances
    assert path is not None, "checked with the options"
    matrix = read_distances(path, config.distance.distance_ids)
    return SampleMatrix(matrix.values, matrix.select(study.sample_ids))


def _read_lineages(config: Config, study: Study) -> Lineages:
    path = config.taxonomy.taxonomy
    assert path is not None, "checked with the options"
    taxonomy = read_taxonomy(path)
    lineages = Lineages.of_features(study.feature_ids, taxonomy.feature_ids, taxonomy.lineages)
    known = (lineages.numbers >= 0).sum(axis=0)
    if not known.any():
        raise TaxonomyError(
            f"--taxonomy {path} gives none of the {study.n_features:,} features of the table a lineage: "
            f"{name_some(study.feature_ids)}. Pass the taxonomy that was made from these features."
        )
    shares = ", ".join(f"{rank} {100 * n / study.n_features:.0f} %" for rank, n in zip(RANKS, known, strict=True))
    logger.info("%s: features with a name at each rank: %s.", path, shares)
    return lineages


READERS: Mapping[str, Callable[[Config, Study], Any]] = {
    "tree": read_given_tree,
    "distances": _read_matrix,
    "taxonomy": _read_lineages,
}
"""How each resource is opened."""
FIELD_OF_RESOURCE = {"tree": "tree", "distances": "matrix", "taxonomy": "lineages"}
"""Where `StudyResources` keeps it."""


def _report_missing_features(config: DistanceConfig, study: Study, tree: FeatureTree) -> None:
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
