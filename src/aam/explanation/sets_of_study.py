"""The sets of features of a study: clades of the tree, of the model, or taxa, and the user's groups."""

import logging
from pathlib import Path

import numpy as np

from aam.config.explain import ExplanationConfig
from aam.data.study import Study
from aam.ecology.lineages import Lineages, lineages_of_study
from aam.ecology.tree import FeatureTree
from aam.errors import InputError
from aam.explanation.clades import Clades
from aam.explanation.explain import FeatureSets
from aam.explanation.held_out import HeldOutSamples
from aam.io.feature_groups import read_feature_groups, rows_of_groups
from aam.io.taxonomy import read_taxonomy

logger = logging.getLogger(__name__)


def sets_of_study(
    samples: HeldOutSamples,
    study: Study,
    tree: FeatureTree | None,
    taxonomy: Path | None,
    options: ExplanationConfig,
) -> FeatureSets:
    """Return the sets of features whose importance is asked.

    Parameters
    ----------
    samples
        The samples that are explained.
    study
        Their study.
    tree
        Tree of its features; None for the tree that the model keeps, if it keeps one.
    taxonomy
        File of lineages, which name the sets, and make them where there is no tree; None for none.
    options
        Least number of samples of a feature, and the file of the user's groups.

    Returns
    -------
    FeatureSets
        Single features, nested sets and groups.

    Raises
    ------
    InputError
        No feature is in enough samples, or a file does not fit the study.
    """
    features = _candidates(samples, options.least_samples)
    lineages = None if taxonomy is None else lineages_of_study(study.feature_ids, read_taxonomy(taxonomy), taxonomy)
    clades, source = _clades(samples, features, tree, lineages)
    groups = {}
    if options.groups is not None:
        groups = rows_of_groups(read_feature_groups(options.groups), study.feature_ids, options.groups)
    n_inner = max(len(clades) - len(features) - 1, 0)
    and_groups = f", {len(groups)} groups" if groups else ""
    logger.info("Sets: %d ASVs, %d clades (%s)%s.", len(features), n_inner, source, and_groups)
    return FeatureSets.of(clades, groups, samples, lineages)


def _candidates(samples: HeldOutSamples, least_samples: int) -> np.ndarray:
    features = samples.candidates(least_samples)
    if not len(features):
        raise InputError(
            f"No ASV that the model reads is in {least_samples} of the {samples.n_samples} samples: there is nothing to "
            "explain. Pass --least-samples 1, or check that region and trimming are those of training."
        )
    return features


def _clades(
    samples: HeldOutSamples, features: np.ndarray, tree: FeatureTree | None, lineages: Lineages | None
) -> tuple[Clades, str]:
    if tree is not None:
        return Clades.of_tree(tree, features), "of --tree"
    known = samples.known_clades(features)
    if known is not None:
        return known, "of the tree that the model keeps"
    if lineages is not None:
        return Clades.of_lineages(lineages, features), "taxa of --taxonomy"
    return Clades.of_features(features), "none without --tree or --taxonomy"
