"""All pictures of an explanation."""

from pathlib import Path

import numpy as np

from aam.explanation.explain import ASV, FeatureSets
from aam.explanation.held_out import HeldOutSamples
from aam.explanation.results.figures import draw_effects, draw_heat_map, draw_importance, label_of, save_picture
from aam.explanation.results.summary import STAMP, Findings, SampleParts
from aam.explanation.results.tree_figure import draw_tree

BARS = 25
"""Most sets that are drawn as bars and named in the tree."""

_SIGNS = {"raises": 1.0, "lowers": -1.0}


def draw_all(directory: Path, samples: HeldOutSamples, sets: FeatureSets, findings: Findings) -> None:
    """Draw bars, tree, effect curves and the heat map of samples, as SVG and PNG."""
    assert findings.importance is not None
    table, stamp = findings.importance.table, STAMP if findings.importance.is_guess else ""
    column, rows = samples.target.column, {str(row["name"]): row for row in table.to_dict("records")}
    labels = {name: label_of(row) for name, row in rows.items()}
    with_class = labels
    if len(samples.output_names) > 1:
        with_class = {name: f"{label} → {rows[name]['class']}" for name, label in labels.items()}
    elif not samples.is_regression:
        column = f"{column}: {samples.target.classes[1]}"
    is_selected = np.asarray(table["is_selected"], dtype=bool)
    is_shown = is_selected if is_selected.any() else np.asarray(table["kind"] == ASV)
    reported = table.loc[is_shown].sort_values(by="importance", ascending=False).head(BARS)
    reported = reported.assign(label=[with_class[name] for name in reported["name"]])
    save_picture(draw_importance(reported, column, stamp), directory, "importance")
    number, n_nested = {name: place for place, name in enumerate(sets.names)}, len(sets.clades)
    named = {number[name]: with_class[name] for name in reported["name"].tolist() if number[name] < n_nested}
    nested = (rows[name] for name in sets.names[:n_nested])
    strength = np.array([float(row["z"]) * _SIGNS.get(row["direction"], 0.0) for row in nested])
    strength[0] = 0.0
    save_picture(draw_tree(sets.clades, strength, named, column, stamp), directory, "tree")
    if findings.effects is not None and len(findings.effects):
        unit = column if samples.is_regression else f"log odds of {samples.target.column}"
        save_picture(draw_effects(findings.effects, with_class, unit, stamp), directory, "effects")
    parts = findings.parts
    if parts is not None and parts.sets:
        shown = [labels[sets.names[k]] for k in parts.sets]
        unit = f"part of the prediction ({column if samples.is_regression else 'log odds'})"
        save_picture(draw_heat_map(parts.values, shown, _strips(samples, parts), unit, stamp), directory, "samples")


def _strips(samples: HeldOutSamples, parts: SampleParts) -> dict[str, np.ndarray]:
    """Return what stands above the heat map: truth, prediction and nuisance columns."""
    truth = samples.truth
    if not samples.is_regression:
        truth = np.array([samples.target.classes[k] for k in truth])
    prediction = np.asarray(parts.table["prediction"], dtype=np.float64)
    strips = {f"true {samples.target.column}": truth} if samples.is_labelled else {}
    if len(samples.output_names) > 1:
        strips[f"predicted {samples.target.column}"] = np.array(parts.table["class"].tolist())
    strips["prediction" if samples.is_regression else "its log odds"] = prediction
    for name, cells in samples.nuisance.items():
        strips[name] = np.asarray(cells) if cells.dtype.kind in "fi" else np.array([str(cell) for cell in cells])
    return strips
