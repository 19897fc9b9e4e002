"""Results of a comparison over folds: tables, figure and text."""

import math
from collections import Counter
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

GUESS = "guess"
"""Method that predicts one value for all samples by its nature."""

Columns = dict[str, np.ndarray]
"""Further columns of a method's predictions, such as the ends of intervals, by name: object [R, S], None where absent."""

_LEGEND = (
    '"folds" is the mean ± standard deviation over folds; "pooled" scores all held-out predictions of a repeat together, and is '
    'the mean over repeats; "95 %" comes from 1,000 bootstrap draws of whole groups.'
)

_LEGEND_OF_DIFFERENCES = (
    " The last column is the pooled score of {reference} minus that of the method, on the same draws: where the interval spans 0, "
    "these samples do not show which is better."
)


def write_folds(directory: Path, samples: CrossvalSamples) -> None:
    """Write the fold of each sample; ``--fold-file`` reads it back if there is one repeat."""
    ids, names = list(samples.study.sample_ids), np.array(samples.fold_names)
    if len(samples.folds) == 1:
        write_tsv(directory / FOLDS, {"sample-id": ids, "fold": names[samples.folds[0]]})
        return
    columns = {
        f"fold-of-repeat-{repeat + 1}": names[fold_of_sample] for repeat, fold_of_sample in enumerate(samples.folds)
    }
    write_tsv(directory / FOLDS, {"sample-id": ids, **columns})


def write_predictions(
    directory: Path, samples: CrossvalSamples, held_out: HeldOut, others: Mapping[str, Columns]
) -> None:
    """Write the predictions, one row per sample, repeat and method, in the target's own units or class names.

    Parameters
    ----------
    directory
        Output directory.
    samples
        The samples, and their folds.
    held_out
        Predictions of each sample while it was held out.
    others
        Further columns, by method and name.
    """
    target, names = samples.target, np.array(samples.fold_names)
    ids, truth = list(samples.study.sample_ids), truth_columns(target, samples.truth)["truth"]
    is_regression = target.task == "regression"
    columns: dict[str, list[Any]] = {
        name: [] for name in ("sample-id", "repeat", "fold", "method", "prediction", "truth")
    }
    columns |= {f"probability:{name}": [] for name in target.classes}
    columns |= {name: [] for of_method in others.values() for name in of_method}
    other_names = list(dict.fromkeys(name for of_method in others.values() for name in of_method))
    for method, repeats in held_out.predictions.items():
        for repeat, predicted in enumerate(repeats):
            columns["sample-id"] += ids
            columns["repeat"] += [repeat + 1] * len(ids)
            columns["fold"] += names[samples.folds[repeat]].tolist()
            columns["method"] += [method] * len(ids)
            columns["truth"] += list(truth)
            columns["prediction"] += list(
                predicted if is_regression else (target.classes[k] for k in predicted.argmax(axis=1))
            )
            for k, name in enumerate(target.classes):
                columns[f"probability:{name}"] += predicted[:, k].tolist()
            for name in other_names:
                cells = others[method].get(name)
                columns[name] += [None] * len(ids) if cells is None else cells[repeat].tolist()
    write_tsv(directory / PREDICTIONS, columns)


def write_scores(
    directory: Path, samples: CrossvalSamples, folds: list[FoldScore], summaries: list[MethodSummary]
) -> None:
    """Write the score of every fold, and the summary of every method and metric."""
    write_tsv(
        directory / RESULTS,
        {
            "method": [score.method for score in folds],
            "repeat": [score.repeat + 1 for score in folds],
            "fold": [samples.fold_names[score.fold] for score in folds],
            "metric": [score.metric for score in folds],
            "value": [score.value for score in folds],
        },
    )
    has_differences = any(summary.difference is not None for summary in summaries)
    names = [name for name in MethodSummary.__annotations__ if has_differences or not name.startswith("difference")]
    write_tsv(directory / SUMMARY, {name: [getattr(summary, name) for summary in summaries] for name in names})


def draw_summary(
    directory: Path, held_out: HeldOut, folds: list[FoldScore], summaries: list[MethodSummary], column: str
) -> None:
    """Draw the first metric of each method, in each fold and pooled; the best method is on top, as in the table."""
    metric, score = next(iter(held_out.scores.items()))
    pooled = {summary.method: summary.pooled for summary in summaries if summary.metric == metric}
    order = sorted(pooled, key=lambda method: pooled[method], reverse=not score.is_loss)
    values = {
        method: [of_fold.value for of_fold in folds if (of_fold.method, of_fold.metric) == (method, metric)]
        for method in order
    }
    figure = draw_methods(values, pooled, f"{score.label} of {column}, held out")
    with atomic_path(directory / PICTURE) as temporary:
        figure.savefig(temporary, format="png")


def summary_table(
    held_out: HeldOut, folds: list[FoldScore], summaries: list[MethodSummary], reference: str | None
) -> str:
    """Return a table of the first two metrics of each method as text, best first.

    Parameters
    ----------
    held_out
        Predictions of each sample while it was held out.
    folds
        Scores in each fold.
    summaries
        Summary of each method and metric.
    reference
        Method whose differences from the others, in the first metric, are shown; None for none.
    """
    (metric, score), (second, other) = list(held_out.scores.items())[:2]
    by_metric = {
        name: {summary.method: summary for summary in summaries if summary.metric == name} for name in (metric, second)
    }
    main = by_metric[metric]
    order = sorted(main, key=lambda method: main[method].pooled, reverse=not score.is_loss)
    header = ["method", f"{score.label}, folds", "pooled", "95 %", other.label]
    rows = [
        [
            method,
            _over_folds(main[method]),
            format_score(main[method].pooled),
            NO_SCORE if math.isnan(main[method].low) else f"{main[method].low:.3f} to {main[method].high:.3f}",
            f"{by_metric[second][method].pooled:.4g}",
            *([] if reference is None else [_difference(main[method])]),
        ]
        for method in order
    ]
    if reference is not None:
        header.append(f"{reference} minus it, 95 %")
    widths = [max(map(len, cells)) for cells in zip(header, *rows, strict=True)]
    lines = [_align(row, widths) for row in (header, *rows)]
    lines += _with_one_prediction(held_out, metric, folds)
    for name in (metric, second):
        lines += _without_score(held_out.scores[name].label, [fold for fold in folds if fold.metric == name])
    return "\n".join(lines)


def _without_score(label: str, folds: list[FoldScore]) -> list[str]:
    """Return lines that say in how many folds a metric has no value, and why."""
    all_folds = {(fold.repeat, fold.fold) for fold in folds}
    without = {(fold.repeat, fold.fold) for fold in folds if math.isnan(fold.value)}
    if not without:
        return []
    if without == all_folds:
        return ["", f"{NO_SCORE}: {label} has no value in any fold, as each holds out samples of one value only."]
    return [
        "",
        f"{label} has no value in {len(without)} of {len(all_folds)} folds, which hold out samples of one value only, "
        "and is not part of their mean.",
    ]


def _with_one_prediction(held_out: HeldOut, metric: str, folds: list[FoldScore]) -> list[str]:
    """Return lines that name methods, beside the guess, which predict one value in a fold, so that ranks are not defined.

    A fold of samples of one value, for which the main metric is not defined either, is not counted.
    """
    defined = {
        (fold.method, fold.repeat, fold.fold) for fold in folds if fold.metric == metric and not math.isnan(fold.value)
    }
    lines = []
    for name in (name for name in ("spearman",) if name in held_out.scores):
        without = Counter(
            fold.method
            for fold in folds
            if fold.metric == name and math.isnan(fold.value) and (fold.method, fold.repeat, fold.fold) in defined
        )
        lines += [
            f"{held_out.scores[name].label} of {method} has no value in {n} of {sum(of == method for of, *_ in defined)} folds, in "
            "which it predicts one value for all samples, and is not part of its mean."
            for method, n in without.items()
            if method != GUESS
        ]
    return ["", *lines] if lines else []


def format_score(score: float) -> str:
    """Return a score with three decimals, or `NO_SCORE` for NaN."""
    return NO_SCORE if math.isnan(score) else f"{score:.3f}"


def _over_folds(summary: MethodSummary) -> str:
    spread = " (one fold)" if math.isnan(summary.sd) else f" ± {summary.sd:.3f}"
    return NO_SCORE if math.isnan(summary.mean) else f"{summary.mean:.3f}{spread}"


def _difference(summary: MethodSummary) -> str:
    if summary.difference is None:
        return ""
    return f"{summary.difference:+.3f} [{summary.difference_low:+.3f}, {summary.difference_high:+.3f}]"


def _align(row: list[str], widths: list[int]) -> str:
    first, *others = zip(row, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]).rstrip()


def write_text(directory: Path, samples: CrossvalSamples, table: str, reference: str | None) -> None:
    """Write ``summary.md``: what was compared on which samples, the table, and how to read it."""
    repeats, folds = len(samples.folds), len(samples.fold_names)
    n_groups, n_samples = len(set(samples.groups)), samples.study.n_samples
    target = samples.target
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
