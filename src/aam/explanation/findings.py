"""Explain held-out samples in all the ways that are asked for, and write what is found."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from aam.config.explain import ExplanationConfig
from aam.data.study import Study
from aam.ecology.tree import FeatureTree
from aam.explanation.effects import effect_curve, effects_table
from aam.explanation.explain import ASV, FeatureSets, Importance, explain_importance
from aam.explanation.held_out import HeldOutSamples
from aam.explanation.nuisance import nuisance_table
from aam.explanation.results import STAMP, Findings, write_findings
from aam.explanation.sets_of_study import sets_of_study

logger = logging.getLogger(__name__)

CURVES = 8
"""Number of sets whose effect curves are drawn."""

SEED = 0
"""Seed of all draws of an explanation."""


def explain_samples(
    samples: HeldOutSamples,
    study: Study,
    tree: FeatureTree | None,
    taxonomy: Path | None,
    options: ExplanationConfig,
    directory: Path,
) -> Findings:
    """Explain samples, and write what is found into a directory.

    Parameters
    ----------
    samples
        The samples, and the models that have not seen them.
    study
        Their study.
    tree, taxonomy
        Tree of its features, and file of their lineages, if there are any.
    options
        What is asked, and how exactly.
    directory
        Directory of the results, which exists.

    Returns
    -------
    Findings
        What was written.
    """
    sets = sets_of_study(samples, study, tree, taxonomy, options)
    importance = explain_importance(samples, sets, options, SEED)
    if importance.is_guess:
        logger.warning("%s", STAMP)
    predicted = samples.predictions()
    nuisance = nuisance_table(samples.nuisance, predicted, samples.truth, samples.groups, samples.is_regression)
    chosen = leading_sets(sets, importance, CURVES)
    findings = Findings(
        importance=importance,
        nuisance=nuisance,
        effects=_effects(samples, sets, importance.table, chosen),
    )
    write_findings(directory, samples, findings)
    return findings


def leading_sets(sets: FeatureSets, importance: Importance, n: int) -> list[int]:
    """Return the most important sets that do not overlap: those that are reported, then single features by significance.

    Parameters
    ----------
    sets
        The sets.
    importance
        Their importance.
    n
        Most sets that are returned.

    Returns
    -------
    list[int]
        Numbers of the sets, the most important first.
    """
    number = {name: place for place, name in enumerate(sets.names)}
    table = importance.table
    is_single = (table["kind"] == ASV).to_numpy()
    keys = np.lexsort((-table["z"].to_numpy(dtype=np.float64), ~table["is_selected"].to_numpy(dtype=bool)))
    order = [row for row in keys.tolist() if table["is_selected"].iloc[row] or is_single[row]]
    taken: set[int] = set()
    chosen = []
    for name in table["name"].iloc[order]:
        members = set(sets.members(number[name]).tolist())
        if not members & taken:
            chosen.append(number[name])
            taken |= members
        if len(chosen) == n:
            break
    return chosen


def _effects(samples: HeldOutSamples, sets: FeatureSets, table: pd.DataFrame, chosen: list[int]) -> pd.DataFrame:
    parts, outputs = samples.parts(), list(samples.output_names)
    classes = dict(zip(table["name"], table["class"], strict=True)) if "class" in table else {}
    curves = {}
    for number in chosen:
        name = sets.names[number]
        output = outputs.index(classes[name]) if name in classes else 0
        curve = effect_curve(parts, np.asarray(sets.members(number)), output, SEED)
        if curve is not None:
            curves[name] = curve
    effects = effects_table(curves)
    if classes:
        effects.insert(1, "class", [classes[name] for name in effects["name"]])
    return effects
