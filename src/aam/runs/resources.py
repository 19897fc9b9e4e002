"""Resources of the objectives, such as tree, distances and taxonomy; their targets, and scores of trivial predictions."""

import dataclasses
import itertools
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aam.config.commands import LearningConfig, PretrainConfig
from aam.config.objectives import FLAG_OF_RESOURCE, ObjectivesConfig, rows_of
from aam.config.study import DistanceConfig
from aam.data.batching.batches import BatchMaker, BatchPlan, Masking
from aam.data.orientation import reads_of_features
from aam.data.study import Study
from aam.data.study_build import FORMAT
from aam.ecology.lineages import RANKS, Lineages, lineages_of_study
from aam.ecology.off_target import off_target_remarks
from aam.ecology.resources import SampleMatrix, StudyResources
from aam.ecology.rooting import root_tree
from aam.ecology.tree import ADD_TIPS, FeatureTree, describe_missing_tips, write_feature_tree
from aam.errors import TaxonomyError, TreeError
from aam.io.archive import read_head
from aam.io.distances import read_distances
from aam.io.newick import read_newick
from aam.io.taxonomy import read_taxonomy
from aam.models.build import class_of
from aam.objectives.objective import UnlabelledObjective
from aam.storage.cache import Cache, digest_of

logger = logging.getLogger(__name__)


Config = PretrainConfig | LearningConfig

_LARGEST_READ_AGAIN = 50_000_000
"""Bytes of a tree that is read again to show its tips beside the features that are none."""

SAMPLES_READ = 256
"""Number of samples after which the memory pages of the study are released."""

BASELINE_BATCHES = 256
"""Most training batches that trivial predictions learn from."""


def warn_of_off_target(path: Path | None, study: Study) -> None:
    """Warn of ASVs that the taxonomy names as organelles or hosts; a file that cannot be read is left to what needs it."""
    if path is None:
        return
    try:
        taxonomy = read_taxonomy(path)
    except TaxonomyError:
        return
    reads = dict(zip(study.feature_ids, reads_of_features(study).tolist(), strict=True))
    reads_of = np.array([reads.get(name, 0) for name in taxonomy.feature_ids])
    for remark in off_target_remarks(taxonomy.feature_ids, taxonomy.lineages, reads_of, sum(reads.values())):
        logger.warning("%s", remark)


def read_resources(config: Config, weights: Mapping[str, float], study: Study, training: np.ndarray) -> StudyResources:
    """Open what the objectives in use need; warn of files that none of them reads.

    Parameters
    ----------
    config
        Options of the command.
    weights
        Weights of the losses of objectives, by name; an objective with weight 0 is not in use.
    study
        The samples in use.
    training
        Indices of the training samples, int64.

    Returns
    -------
    StudyResources
        The resources; those that no objective needs are None.

    Raises
    ------
    TreeError, DistanceError, TaxonomyError
        A file is missing or malformed, or does not fit the study.
    """
    needed = {need for row in rows_of(dict(weights)).values() for need in row.needs}
    paths = {"tree": config.distance.tree, "distances": config.distance.distances, "taxonomy": config.taxonomy.taxonomy}
    ignored = [FLAG_OF_RESOURCE[name] for name, path in paths.items() if path is not None and name not in needed]
    if ignored:
        logger.warning("%s: no objective in use reads it, so it has no effect.", " and ".join(ignored))
    opened = {FIELD_OF_RESOURCE[name]: READERS[name](config, study) for name in needed}
    return StudyResources(
        n_features=study.n_features,
        is_seen=_seen_features(study, training) if "taxonomy" in needed else None,
        taxonomy_rank=RANKS.index(config.taxonomy.taxonomy_rank),
        unifrac_alpha=config.objectives.unifrac_alpha,
        **opened,
    )


def _seen_features(study: Study, training: np.ndarray) -> np.ndarray:
    """Return True for each feature that a training sample holds, bool [F]."""
    is_seen = np.zeros(study.n_features, dtype=bool)
    for n_read, index in enumerate(training.tolist(), start=1):
        is_seen[study.sample(index)[0]] = True
        if n_read % SAMPLES_READ == 0:
            study.release()
    return is_seen


def read_given_tree(config: Config, study: Study) -> FeatureTree:
    """Open the file of ``--tree``, which must have been passed, pruned to the features of a study.

    Raises
    ------
    TreeError
        The file is missing or malformed, holds no feature of the study, or lacks some that ``--missing-features`` does not drop.
    """
    path = config.distance.tree
    assert path is not None, "checked with the options"
    tree = read_tree(path, study, Cache(config.study.cache_dir), config.distance.root)
    _report_missing_features(config.distance, study, tree)
    return tree


def read_tree(path: Path, study: Study, cache: Cache, root: Sequence[str] = ()) -> FeatureTree:
    """Open a tree pruned to the features of a study; it is built if the cache does not hold it.

    Parameters
    ----------
    path
        Newick file, or QIIME 2 artifact.
    study
        The study.
    cache
        The cache.
    root
        Where to root it, as of ``--root``; empty for its own root.

    Returns
    -------
    FeatureTree
        The pruned tree.

    Raises
    ------
    TreeError
        The file is missing or malformed, or holds no feature of the study.
    """
    read_head(path, TreeError, "--tree")

    def build(directory: Path) -> None:
        tree = read_newick(path, directory, needs_root=not root)
        rooted = root_tree(tree, root, path, directory) if root else tree
        write_feature_tree(rooted, study.feature_ids, directory)

    key = digest_of(f"tree {FORMAT}", path, study.content, *root)
    return cache.fetch("tree", key, build, FeatureTree.open)


def _report_missing_features(config: DistanceConfig, study: Study, tree: FeatureTree) -> None:
    path, is_refused = config.tree, config.missing_features == "error"
    assert path is not None, "checked with the options"
    if not len(tree.missing()):
        return
    is_small = path.stat().st_size < _LARGEST_READ_AGAIN
    tips = read_newick(path, needs_root=False).names if is_small else None
    what_follows = ADD_TIPS if is_refused else "UniFrac is computed without them; all else reads them."
    problem = describe_missing_tips(tree, study.feature_ids, path, tips, what_follows)
    if is_refused:
        raise TreeError(problem)
    logger.warning("%s", problem)


def _read_matrix(config: Config, study: Study) -> SampleMatrix:
    path = config.distance.distances
    assert path is not None, "checked with the options"
    matrix = read_distances(path, config.distance.distance_ids)
    return SampleMatrix(matrix.values, matrix.select(study.sample_ids))


def _read_lineages(config: Config, study: Study) -> Lineages:
    path = config.taxonomy.taxonomy
    assert path is not None, "checked with the options"
    lineages = lineages_of_study(study.feature_ids, read_taxonomy(path), path)
    n_named = (lineages.numbers >= 0).sum(axis=0)
    shares = ", ".join(f"{rank} {100 * n / study.n_features:.0f} %" for rank, n in zip(RANKS, n_named, strict=True))
    logger.info("%s: features with a name at each rank: %s.", path, shares)
    return lineages


READERS: Mapping[str, Callable[[Config, Study], Any]] = {
    "tree": read_given_tree,
    "distances": _read_matrix,
    "taxonomy": _read_lineages,
}
"""Function that opens each resource."""

FIELD_OF_RESOURCE = {"tree": "tree", "distances": "matrix", "taxonomy": "lineages"}
"""Field of `StudyResources` that holds each resource."""


def choose_objective_settings(
    names: Iterable[str], options: ObjectivesConfig, resources: StudyResources
) -> dict[str, dict[str, Any]]:
    """Choose the settings of objectives.

    Parameters
    ----------
    names
        Names of the objectives.
    options
        Options of objectives.
    resources
        Resources of the study.

    Returns
    -------
    dict[str, dict[str, Any]]
        Settings by name of the objective.
    """
    return {name: class_of(name).choose_settings(options, resources) for name in names}


def with_targets(
    maker: BatchMaker,
    objectives: Mapping[str, UnlabelledObjective],
    options: ObjectivesConfig,
    resources: StudyResources,
) -> BatchMaker:
    """Return a maker whose batches also mask, and hold as targets, what objectives need.

    Parameters
    ----------
    maker
        Maker of batches.
    objectives
        Objectives by name.
    options
        Options of objectives, which have the mask ratios.
    resources
        Resources of the study.
    """
    masks = {name for objective in objectives.values() for name in objective.masks}
    targets = {name: objective.target(resources) for name, objective in objectives.items()}
    asv_targets = {name: objective.asv_target(resources) for name, objective in objectives.items()}
    return dataclasses.replace(
        maker,
        masking=Masking(**{name: getattr(options, name) for name in masks}),
        targets={**maker.targets, **{name: target for name, target in targets.items() if target is not None}},
        asv_targets={name: target for name, target in asv_targets.items() if target is not None},
    )


def trivial_scores(
    objectives: Mapping[str, UnlabelledObjective],
    maker: BatchMaker,
    training: Iterable[BatchPlan],
    validation: Iterable[BatchPlan],
) -> dict[str, float]:
    """Score trivial predictions, which need no model, on the validation batches.

    Parameters
    ----------
    objectives
        Objectives by name.
    maker
        Maker of batches.
    training, validation
        Batches that trivial predictions learn from, and batches that they are scored on.

    Returns
    -------
    dict[str, float]
        Scores by name, ``NAME_baseline_METRIC``.
    """
    made = {name: objective.baseline() for name, objective in objectives.items()}
    baselines = {name: baseline for name, baseline in made.items() if baseline is not None}
    if not baselines:
        return {}
    for plan in itertools.islice(training, BASELINE_BATCHES):
        batch = maker[plan]
        for baseline in baselines.values():
            baseline.learn(batch)
    for plan in validation:
        batch = maker[plan]
        for baseline in baselines.values():
            baseline.score(batch)
    return {
        f"{name}_baseline_{metric}": value
        for name, baseline in baselines.items()
        for metric, value in baseline.scores().items()
    }


def score_lines(objectives: Mapping[str, UnlabelledObjective], metrics: Mapping[str, Any]) -> list[str]:
    """Return a line for each objective with its headline metrics, and those of trivial predictions beside them.

    Parameters
    ----------
    objectives
        Objectives by name.
    metrics
        Metrics of the model, ``NAME_METRIC``, and those that `trivial_scores` returned.
    """
    lines = []
    for name, objective in objectives.items():
        scored = [metric for metric in objective.metrics() if f"{name}_{metric}" in metrics]
        trivial = {metric: _trivial(name, metric, metrics) for metric in scored}
        compared = [metric for metric in scored if trivial[metric]]
        headlines = [metric for metric in scored if objective.is_headline(metric)]
        shown = headlines if set(headlines) & set(compared) else [*headlines, *compared[-1:]]
        if shown:
            texts = [_format_metric(metric, metrics[f"{name}_{metric}"], trivial[metric]) for metric in shown]
            lines.append(f"{name}: {', '.join(texts)}")
    return lines


def _trivial(name: str, metric: str, metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return a metric of each trivial prediction, by the name of the prediction; the only one has an empty name."""
    prefix = f"{name}_baseline_"
    scores = {key.removeprefix(prefix): value for key, value in metrics.items() if key.startswith(prefix)}
    return {
        key.removesuffix(metric).rstrip("_"): value
        for key, value in scores.items()
        if key == metric or key.endswith(f"_{metric}")
    }


def _format_metric(metric: str, value: float, trivial: Mapping[str, float]) -> str:
    others = ", ".join(f"{name} {other:.4g}".strip() for name, other in trivial.items())
    return f"{metric} {value:.4g}" + (f" (without a model {others})" if others else "")
