"""Explain held-out samples in all the ways that are asked for, and write what is found."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from aam.config.explain import ExplanationConfig
from aam.data.study import Study
from aam.ecology.tree import FeatureTree
from aam.explanation.agreement import METHODS
from aam.explanation.attribution import attribute
from aam.explanation.comparison import Compared, agreement_of, lists_of, rows_of_others
from aam.explanation.effects import effect_curve, effects_table
from aam.explanation.explain import ASV, FeatureSets, Importance, explain_importance
from aam.explanation.held_out import HeldOutSamples
from aam.explanation.nuisance import nuisance_table
from aam.explanation.results.exports import write_exports
from aam.explanation.results.pictures import draw_all
from aam.explanation.results.summary import PLOTS, STAMP, Findings, SampleParts, write_findings
from aam.explanation.sets_of_study import sets_of_study

logger = logging.getLogger(__name__)

MOST_INCOMPLETE = 1e-5
"""Difference between the sum of a prediction's parts and what it should be from which a warning is given."""

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
    compared: Compared | None = None,
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
    compared
        What importances are compared with, if there is something.

    Returns
    -------
    Findings
        What was written.
    """
    sets = sets_of_study(samples, study, tree, taxonomy, options)
    importance = explain_importance(samples, sets, options, SEED)
    top = leading_sets(sets, importance, options.top)
    lists = lists_of(samples, sets, importance, compared or Compared(), options)
    findings = Findings(
        importance=importance,
        others=rows_of_others(importance.table, sets, lists[METHODS]),
        nuisance=_nuisance(samples) if samples.is_labelled else None,
        effects=_effects(samples, sets, importance.table, top[:CURVES]),
        agreement=agreement_of(lists, sets, options.top),
        parts=_attributions(samples, sets, top) if options.attributions else None,
    )
    if importance.is_guess:
        logger.warning("%s", STAMP)
    write_findings(directory, samples, findings)
    write_exports(directory, sets.clades, sets.names, importance.table)
    draw_all(directory / PLOTS, samples, sets, findings)
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
    covered: set[int] = set()
    chosen = []
    for name in table["name"].iloc[order]:
        members = set(sets.members(number[name]).tolist())
        if not members & covered:
            chosen.append(number[name])
            covered |= members
        if len(chosen) == n:
            break
    return chosen


def _nuisance(samples: HeldOutSamples) -> pd.DataFrame:
    predicted = samples.predictions()
    return nuisance_table(samples.nuisance, predicted, samples.truth, samples.groups, samples.is_regression)


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


def _attributions(samples: HeldOutSamples, sets: FeatureSets, top: list[int]) -> SampleParts:
    """Divide each sample's prediction among the leading sets; of several classes, that of the predicted one."""
    members = [sets.members(number) for number in top]
    n_outputs = len(samples.output_names)
    values = np.zeros((samples.n_samples, len(top) + 1))
    numbers = {name: np.zeros(samples.n_samples) for name in ("prediction", "reference", "error")}
    output, incompleteness = np.zeros(samples.n_samples, dtype=np.int64), 0.0
    for function, rows in samples.models:
        parts = attribute(function, members, sets.clades, samples.groups[rows], samples.is_regression)
        chosen = parts.prediction.argmax(axis=1) if n_outputs > 1 else np.zeros(len(rows), dtype=np.int64)
        place = np.arange(len(rows))
        values[rows], output[rows] = parts.values[place, :, chosen], chosen
        numbers["prediction"][rows] = parts.prediction[place, chosen]
        numbers["reference"][rows] = parts.reference[place, chosen]
        numbers["error"][rows] = parts.error[place, :, chosen].max(axis=1)
        incompleteness = max(incompleteness, parts.incompleteness)
    if incompleteness > MOST_INCOMPLETE:
        logger.warning("Parts of predictions add up to %.2g more or less than they should.", incompleteness)
    columns: dict[str, object] = {"sample-id": list(samples.sample_ids)}
    if not samples.is_regression:
        columns["class"] = [samples.output_names[k] for k in output.tolist()]
    columns |= {**numbers, **{sets.names[number]: values[:, k] for k, number in enumerate(top)}, "rest": values[:, -1]}
    return SampleParts(pd.DataFrame(columns), values[:, :-1], top, incompleteness)
