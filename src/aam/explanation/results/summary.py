"""Write what was found: tables, a summary in words, and pictures."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from aam.explanation.agreement import mean_agreement
from aam.explanation.coherence import LARGEST_Q
from aam.explanation.explain import ASV, GROUP, LARGEST_P, Importance
from aam.explanation.held_out import HeldOutSamples
from aam.explanation.names import short_name
from aam.io.metadata import write_tsv
from aam.storage.atomic import write_text_atomic

IMPORTANCE, ATTRIBUTIONS, EFFECTS, NUISANCE, AGREEMENT, SUMMARY, NUMBERS, PLOTS = (
    "importance.tsv", "attributions.tsv", "effects.tsv", "nuisance.tsv", "agreement.tsv", "summary.md", "explanation.json", "plots",
)  # fmt: skip

EXPLANATION_RESULTS = (
    IMPORTANCE, ATTRIBUTIONS, EFFECTS, NUISANCE, AGREEMENT, SUMMARY, NUMBERS, PLOTS, "tree.nwk", "itol", "empress.tsv",
)  # fmt: skip
"""Files and folders of an explanation."""

STAMP = "This model is no better than guessing: nothing here explains the target."
"""What stands on every page of an explanation of such a model."""

_IN_SUMMARY = 10

_CONFOUNDED = 0.3  # share of the truth that a nuisance column explains from which the two are hard to tell apart


@dataclass(frozen=True)
class SampleParts:
    """Parts of the predictions of samples.

    Attributes
    ----------
    table
        Rows of ``attributions.tsv``.
    values
        Part of each leading set, float64 [S, P].
    sets
        Numbers of these sets.
    incompleteness
        Largest difference between the sum of a prediction's parts and its distance from the reference.
    """

    table: pd.DataFrame
    values: np.ndarray
    sets: list[int]
    incompleteness: float


@dataclass(frozen=True)
class Findings:
    """All parts of an explanation that were asked for.

    Attributes
    ----------
    importance
        Importances; None without labels.
    others
        Rows of other methods in the table of importances.
    nuisance, effects, agreement
        Tables; None for those that were not asked for.
    parts
        Parts of the predictions; None for no attributions.
    remarks
        Sentences on what was left out or limits what is said.
    """

    importance: Importance | None = None
    others: pd.DataFrame | None = None
    nuisance: pd.DataFrame | None = None
    effects: pd.DataFrame | None = None
    agreement: pd.DataFrame | None = None
    parts: SampleParts | None = None
    remarks: Sequence[str] = field(default_factory=list)


def write_findings(directory: Path, samples: HeldOutSamples, findings: Findings) -> None:
    """Write the tables and the summary."""
    tables = {
        IMPORTANCE: _all_methods(findings),
        NUISANCE: findings.nuisance,
        EFFECTS: findings.effects,
        AGREEMENT: findings.agreement,
        ATTRIBUTIONS: None if findings.parts is None else findings.parts.table,
    }
    for name, table in tables.items():
        if table is not None:
            write_tsv(directory / name, {str(column): table[column].tolist() for column in table})
    write_text_atomic(directory / SUMMARY, summary(samples, findings))
    write_text_atomic(directory / NUMBERS, json.dumps(_numbers(samples, findings), indent=2) + "\n")


def _all_methods(findings: Findings) -> pd.DataFrame | None:
    importance = None if findings.importance is None else findings.importance.table
    known = [table for table in (importance, findings.others) if table is not None]
    if not known:
        return None
    table = pd.concat(known, ignore_index=True)
    table.insert(1, "short_name", [short_name(str(name)) for name in table["name"]])
    return table


def _numbers(samples: HeldOutSamples, findings: Findings) -> dict[str, object]:
    importance = findings.importance
    return {
        "target": samples.target.column,
        "task": samples.target.task,
        "samples": samples.n_samples,
        "groups": len(np.unique(samples.groups)),
        "models": len(samples.models),
        "score": None if importance is None else importance.score,
        "no_better_than_guessing": None if importance is None else importance.is_guess,
        "largest_error_of_sums": None if findings.parts is None else findings.parts.incompleteness,
        "remarks": list(findings.remarks),
    }


def summary(samples: HeldOutSamples, findings: Findings) -> str:
    """Return the explanation in words, as Markdown."""
    target, n_groups = samples.target.column, len(np.unique(samples.groups))
    units = f"{samples.n_samples} samples" + (f" of {n_groups} groups" if n_groups < samples.n_samples else "")
    models = (
        "one model that has not seen them"
        if len(samples.models) == 1
        else f"{len(samples.models)} models, each without its own"
    )
    lines = [f"# What predictions of {target} depend on", "", f"{units}, explained by {models}.", ""]
    importance = findings.importance
    if importance is not None:
        if importance.is_guess:
            lines += [f"**{STAMP}**", ""]
        lines += [_score_line(samples, importance), "", *_lists(importance.table)]
    if findings.nuisance is not None and len(findings.nuisance):
        lines += ["## Does the model read the run, and not the microbes?", "", *_nuisance_lines(findings.nuisance), ""]
    if findings.parts is not None:
        lines += ["## Parts of single predictions", "", _parts_line(findings.parts.incompleteness), ""]
    if findings.agreement is not None and len(findings.agreement):
        lines += ["## How far models and methods agree", "", *_agreement_lines(findings.agreement)]
    lines += ["## How to read this", "", *_READING, *(f"* {remark}" for remark in findings.remarks), ""]
    return "\n".join(lines)


_READING = (
    "* Importance is by how much the held-out loss grows when the shares of an ASV or a clade are those of another subject: in "
    "units of the target's variance for numbers, of log loss for classes. A sample keeps its depth, and the ratios among its other "
    "ASVs.",
    "* An ASV's importance is shared with, or hidden by, its relatives: look at its clade as well. A clade's importance is not the "
    "sum of its members'.",
    "* p compares with targets that were exchanged between subjects; q is the rate of false discoveries, down the tree.",
    "* ranks and in top are over draws of other subjects, among the sets of its kind; in top is the share of draws in "
    "which a set is among the first ones (--top, and half of a list at most). A rank without them is no news.",
    "* All of this is about what the model uses, and goes with the target. None of it says what causes what.",
)


def _score_line(samples: HeldOutSamples, importance: Importance) -> str:
    if not samples.is_labelled:
        return "No labels were given: importance is by how much predictions change, whether or not they are right."
    if samples.is_regression:
        return f"R² of the held-out predictions: {importance.score:.3f}."
    return f"The held-out predictions avoid {importance.score:.0%} of the log loss of guessing."


def _lists(table: pd.DataFrame) -> list[str]:
    selected = table.loc[table["is_selected"] & (table["kind"] != GROUP)].sort_values(by="z", ascending=False)
    lines = ["## What the predictions depend on", ""]
    if len(selected):
        lines += [
            f"Sets without common members that are found at a false discovery rate of {LARGEST_Q:.0%}, and are coherent (most of "
            f"their members alone point the same way): {len(selected)}.", "", *_indented(_shown(selected.head(_IN_SUMMARY))), "",
        ]  # fmt: skip
    else:
        lines += [f"No clade or ASV is found at a false discovery rate of {LARGEST_Q:.0%}.", ""]
    for kind, title in ((ASV, "Single ASVs"), (GROUP, "Your groups")):
        of_kind = table.loc[table["kind"] == kind]
        if len(of_kind):
            found = int((of_kind["q"] <= LARGEST_Q).sum())
            lines += [f"## {title}", "", f"Found at that rate: {found} of {len(of_kind)}.", ""]
            found_first = of_kind.sort_values("q", key=lambda q: q > LARGEST_Q, kind="stable")
            lines += [*_indented(_shown(found_first.head(_IN_SUMMARY))), ""]
    return lines


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    shown = pd.DataFrame({"name": [short_name(str(name)) for name in table["name"]], "ASVs": table["n_asvs"]})
    taxa = [str(taxon) for taxon in table["taxon"]]
    if any(taxa):
        shown.insert(1, "taxon", taxa)
    shown["importance"] = [
        f"{value:.3g} [{low:.2g}, {high:.2g}]"
        for value, low, high in zip(table["importance"], table["low"], table["high"], strict=True)
    ]
    shown["q"] = [f"{value:.3g}" for value in table["q"]]
    more = [f"more of it {direction}" if direction != "unclear" else direction for direction in table["direction"]]
    shown["direction"] = (
        [f"{text} {name}" for text, name in zip(more, table["class"], strict=True)] if "class" in table else more
    )
    shown["ranks"] = [f"{low:.0f}–{high:.0f}" for low, high in zip(table["rank_low"], table["rank_high"], strict=True)]
    shown["in top"] = [f"{share:.0%}" for share in table["in_top"]]
    return shown


def _nuisance_lines(table: pd.DataFrame) -> list[str]:
    lines = []
    columns = (table[name].tolist() for name in ("column", "beyond_truth", "with_truth", "p"))
    for column, beyond, with_truth, p in zip(*columns, strict=True):
        told = f"{column} explains {beyond:.0%} of what predictions hold beyond the truth (p = {p:.3g})"
        lines.append(f"* {told}, and {with_truth:.0%} of the truth itself.{_verdict(beyond, with_truth, p)}")
    return lines


def _verdict(beyond: float, with_truth: float, p: float) -> str:
    """Return what a nuisance column means for the reader, if anything."""
    verdict = " **The model seems to read it.**" if p <= LARGEST_P and beyond > 0 else ""
    if with_truth >= _CONFOUNDED:
        verdict += " **It goes with the truth, so that these samples cannot tell the two apart.**"
    return verdict


def _parts_line(incompleteness: float) -> str:
    return (
        f"{ATTRIBUTIONS} divides each prediction among the first of these sets. The parts add up to the prediction minus the "
        f"reference; the largest error of a sum is {incompleteness:.1g}."
    )


def _agreement_lines(table: pd.DataFrame) -> list[str]:
    means = mean_agreement(table)
    means[["n", "top"]] = means[["n", "top"]].round().astype(int)
    shown = means.rename(columns={"jaccard_index": "Jaccard", "rank_biased_overlap": "rank-biased overlap"})
    return [
        "Means over pairs of lists: Jaccard index and rank-biased overlap of their tops, and rank correlation of all.", "",
        *_indented(shown), "",
    ]  # fmt: skip


def _indented(table: pd.DataFrame) -> list[str]:
    cells = [list(map(str, table.columns)), *([_text(value) for value in row] for row in table.itertuples(index=False))]
    widths = [max(len(row[k]) for row in cells) for k in range(len(cells[0]))]
    return [
        "    " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    ]


def _text(value: object) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.3g}"
    return str(value)
