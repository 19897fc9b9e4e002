"""The tables, the figure and the text that a comparison over folds leaves behind."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aam.crossval.folds import CrossvalSamples
from aam.crossval.summary import FoldScore, HeldOut, MethodSummary
from aam.figures import draw_methods
from aam.io.metadata import write_tsv
from aam.runs.results import truth_columns
from aam.storage.atomic import atomic_path, write_text_atomic

FOLDS, RESULTS, PREDICTIONS, SUMMARY, PICTURE, TEXT = (
    "folds.tsv", "results.tsv", "predictions.tsv", "summary.tsv", "summary.png", "summary.md",
)  # fmt: skip

NO_SCORE = "no score"

Columns = dict[str, np.ndarray]
"""What a method says of samples beside its prediction, by column: objects [R, S], None where it says nothing."""

_LEGEND = (
    '"folds" is the mean ± standard deviation over folds; "pooled" scores all held-out predictions of a repeat together, and is '
    'the mean over repeats; "95 %" comes from 1,000 bootstrap draws of whole groups.'
)

_LEGEND_OF_DIFFERENCES = (
    " The last column is the pooled score of {reference} minus that of the method, on the same draws: where the interval spans 0, "
    "these samples do not show which is better."
)


def write_folds(directory: Path, crossval_samples: CrossvalSamples) -> None:
    """Write the fold of each sample; of one repeat, ``--fold-file`` reads it back."""
    ids, names = list(crossval_samples.study.sample_ids), np.array(crossval_samples.fold_names)
    if len(crossval_samples.folds) == 1:
        write_tsv(directory / FOLDS, {"sample-id": ids, "fold": names[crossval_samples.folds[0]]})
        return
    columns = {f"fold-of-repeat-{repeat + 1}": names[number] for repeat, number in enumerate(crossval_samples.folds)}
    write_tsv(directory / FOLDS, {"sample-id": ids, **columns})


def write_predictions(
    directory: Path, crossval_samples: CrossvalSamples, held_out: HeldOut, others: Mapping[str, Columns]
) -> None:
    """Write one row per sample, repeat and method, in the target's own units or class names; ``others`` by method."""
    target, names = crossval_samples.target, np.array(crossval_samples.fold_names)
    ids, truth = list(crossval_samples.study.sample_ids), truth_columns(target, crossval_samples.truth)["truth"]
    is_regression = target.task == "regression"
    columns: dict[str, list[Any]] = {
        name: [] for name in ("sample-id", "repeat", "fold", "method", "prediction", "truth")
    }
    columns |= {f"probability:{name}": [] for name in target.classes}
    columns |= {name: [] for of_method in others.values() for name in of_method}
    further = list(dict.fromkeys(name for of_method in others.values() for name in of_method))
    for method, repeats in held_out.predictions.items():
        for repeat, predicted in enumerate(repeats):
            columns["sample-id"] += ids
            columns["repeat"] += [repeat + 1] * len(ids)
            columns["fold"] += names[crossval_samples.folds[repeat]].tolist()
            columns["method"] += [method] * len(ids)
            columns["truth"] += list(truth)
            columns["prediction"] += list(
                predicted if is_regression else (target.classes[k] for k in predicted.argmax(axis=1))
            )
            for k, name in enumerate(target.classes):
                columns[f"probability:{name}"] += predicted[:, k].tolist()
            for name in further:
                known = others[method].get(name)
                columns[name] += [None] * len(ids) if known is None else known[repeat].tolist()
    write_tsv(directory / PREDICTIONS, columns)


def write_scores(
    directory: Path, crossval_samples: CrossvalSamples, folds: list[FoldScore], lines: list[MethodSummary]
) -> None:
    """Write the score of every fold, and a line per method and metric."""
    write_tsv(
        directory / RESULTS,
        {
            "method": [one.method for one in folds],
            "repeat": [one.repeat + 1 for one in folds],
            "fold": [crossval_samples.fold_names[one.fold] for one in folds],
            "metric": [one.metric for one in folds],
            "value": [one.value for one in folds],
        },
    )
    has_differences = any(line.difference is not None for line in lines)
    names = [name for name in MethodSummary.__annotations__ if has_differences or not name.startswith("difference")]
    write_tsv(directory / SUMMARY, {name: [getattr(line, name) for line in lines] for name in names})


def draw_summary(
    directory: Path, held_out: HeldOut, folds: list[FoldScore], lines: list[MethodSummary], column: str
) -> None:
    """Draw the scores by the first metric, in each fold and pooled, the best method on top as in the table."""
    metric, score = next(iter(held_out.scores.items()))
    pooled = {line.method: line.pooled for line in lines if line.metric == metric}
    order = sorted(pooled, key=lambda method: pooled[method], reverse=not score.is_loss)
    values = {method: [one.value for one in folds if (one.method, one.metric) == (method, metric)] for method in order}
    figure = draw_methods(values, pooled, f"{score.label} of {column}, held out")
    with atomic_path(directory / PICTURE) as temporary:
        figure.savefig(temporary, format="png")


def summary_table(held_out: HeldOut, lines: list[MethodSummary], reference: str | None) -> str:
    """Lay out the first two metrics of each method as text, best first; differences are of the first metric."""
    (metric, score), (second, other) = list(held_out.scores.items())[:2]
    by_metric = {name: {line.method: line for line in lines if line.metric == name} for name in (metric, second)}
    main = by_metric[metric]
    order = sorted(main, key=lambda method: main[method].pooled, reverse=not score.is_loss)
    header = ["method", f"{score.label}, folds", "pooled", "95 %", other.label]
    rows = [
        [
            method,
            _over_folds(main[method]),
            f"{main[method].pooled:.3f}",
            f"{main[method].low:.3f} to {main[method].high:.3f}",
            f"{by_metric[second][method].pooled:.4g}",
            *([] if reference is None else [_difference(main[method])]),
        ]
        for method in order
    ]
    if reference is not None:
        header.append(f"{reference} minus it, 95 %")
    widths = [max(map(len, cells)) for cells in zip(header, *rows, strict=True)]
    lines_of_text = [_aligned(row, widths) for row in (header, *rows)]
    if any(math.isnan(line.mean) for line in main.values()):
        lines_of_text += [
            "",
            f"{NO_SCORE}: {score.label} has no value in any fold, as each holds out samples of one value only.",
        ]
    return "\n".join(lines_of_text)


def written(score: float) -> str:
    """Write a score, or that there is none."""
    return NO_SCORE if math.isnan(score) else f"{score:.3f}"


def _over_folds(line: MethodSummary) -> str:
    spread = " (one fold)" if math.isnan(line.sd) else f" ± {line.sd:.3f}"
    return NO_SCORE if math.isnan(line.mean) else f"{line.mean:.3f}{spread}"


def _difference(line: MethodSummary) -> str:
    if line.difference is None:
        return ""
    return f"{line.difference:+.3f} [{line.difference_low:+.3f}, {line.difference_high:+.3f}]"


def _aligned(row: list[str], widths: list[int]) -> str:
    first, *others = zip(row, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]).rstrip()


def write_text(directory: Path, crossval_samples: CrossvalSamples, table: str, reference: str | None) -> None:
    """Describe what was compared on what, and how to read it."""
    repeats, folds = len(crossval_samples.folds), len(crossval_samples.fold_names)
    n_groups, n_samples = len(set(crossval_samples.groups)), crossval_samples.study.n_samples
    target = crossval_samples.target
    how_often = f"{folds} folds" + (f", divided {repeats} times" if repeats > 1 else "")
    units = f"{n_samples} samples" + (f" of {n_groups} groups" if n_groups < n_samples else "")
    text = (
        f"# {target.column}: {target.task}, {how_often}\n\n"
        f"{units}. Every method learned from the training part of each fold alone, hyper-parameters included, and predicted the "
        "samples that were held out.\n\n"
        + "\n".join(f"    {line}" for line in table.splitlines())
        + f"\n\n{_LEGEND}{'' if reference is None else _LEGEND_OF_DIFFERENCES.format(reference=reference)}\n"
        + f"\nFiles: `{SUMMARY}` (all metrics), `{PICTURE}`, `{RESULTS}` (each fold), `{PREDICTIONS}`, `{FOLDS}`, `config.yaml`.\n"
    )
    write_text_atomic(directory / TEXT, text)
