"""What importances are compared with: other folds, repeats, rarefactions and methods."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from aam.config.explain import ExplanationConfig
from aam.explanation.agreement import FOLDS, METHODS, REPEATS, agreement
from aam.explanation.association import associations
from aam.explanation.explain import ASV, PERMUTATION, FeatureSets, Importance, losses_of
from aam.explanation.held_out import HeldOutSamples

RAREFIED_TO = 0.1
"""Quantile of depths to which samples are rarefied for ``--rarefactions``."""

ASSOCIATION = "association"
"""Name of the scores that need no model."""


@dataclass(frozen=True)
class Compared:
    """What importances are compared with.

    Attributes
    ----------
    repeats
        The same samples with other models, by name.
    scores
        Other scores of single features, by method, each by feature id.
    """

    repeats: Mapping[str, HeldOutSamples] = field(default_factory=dict)
    scores: Mapping[str, pd.Series] = field(default_factory=dict)


Lists = dict[str, dict[str, np.ndarray]]
"""Score of each set, float64 [N], by the name of the list, for each thing that lists are compared between."""


def lists_of(
    samples: HeldOutSamples, sets: FeatureSets, importance: Importance, compared: Compared, options: ExplanationConfig
) -> Lists:
    """Compute the importances of each fold, repeat and rarefaction, and the scores of each method; NaN where a set has none."""
    folds = samples.folds
    of_folds = {
        f"fold {number}": importance.contributions[:, folds == number].mean(axis=1, dtype=np.float64)
        for number in range(len(samples.models))
    }
    methods = {PERMUTATION: importance.contributions.mean(axis=1, dtype=np.float64)}
    if samples.is_labelled:
        methods[ASSOCIATION] = associations(samples, sets.membership(len(samples.feature_ids)))
    for name, of_features in compared.scores.items():
        is_single = np.array(sets.kinds) == ASV
        of_sets = of_features.reindex(sets.names).to_numpy(dtype=np.float64)
        methods[name] = np.where(is_single, np.nan_to_num(of_sets), np.nan)
    repeated = _lists_of_repeats(samples, sets, importance, compared.repeats, options)
    return {FOLDS: of_folds, METHODS: methods, **repeated}


def _lists_of_repeats(
    samples: HeldOutSamples,
    sets: FeatureSets,
    importance: Importance,
    repeats: Mapping[str, HeldOutSamples],
    options: ExplanationConfig,
) -> Lists:
    """Compute importances by other models, and from fewer reads, with other exchanges."""
    fewer = {
        f"rarefaction {number + 1}": samples.rarefied(RAREFIED_TO, number) for number in range(options.rarefactions)
    }
    if not (repeats or fewer):
        return {}
    found = {"first": importance.contributions.mean(axis=1, dtype=np.float64)}
    for seed, (name, other) in enumerate({**repeats, **fewer}.items(), 1):
        losses = losses_of(other, sets, options, seed)
        found[name] = losses.increase(other.scored().rows).mean(axis=1, dtype=np.float64)
    return {REPEATS: found}


def agreement_of(lists: Lists, sets: FeatureSets, top: int) -> pd.DataFrame:
    """Compare all lists, as `agreement`."""
    kinds = np.array(sets.kinds)
    tables = [agreement(of_one, kinds, top, between) for between, of_one in lists.items()]
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


def rows_of_others(table: pd.DataFrame, sets: FeatureSets, methods: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return rows of ``importance.tsv`` for the other methods: their scores and ranks."""
    named = table.set_index("name").loc[sets.names, ["kind", "taxon", "n_asvs", "parent", "n_samples"]].reset_index()
    parts = []
    for method, scores in methods.items():
        if method != PERMUTATION:
            of_method = named.assign(method=method, importance=scores, is_selected=False).loc[~np.isnan(scores)]
            ranks = of_method.groupby("kind")["importance"].rank(ascending=False, method="first").astype(int)
            parts.append(of_method.assign(rank=ranks).sort_values(["kind", "rank"], kind="stable"))
    rows = pd.concat(parts, ignore_index=True) if parts else named.iloc[:0].assign(method="", importance=0.0)
    return rows.reindex(columns=table.columns).assign(**{name: "" for name in ("direction", "class") if name in table})
