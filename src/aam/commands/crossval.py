"""``aam crossval``: train and score anew in each fold, beside baselines on the same folds."""

import logging
import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from aam.config.crossval import CrossvalConfig
from aam.crossval.folds import CrossvalSamples, Fold, read_crossval_samples
from aam.crossval.methods import AAM, Functions, Method, methods_of
from aam.crossval.report import (
    Columns,
    draw_summary,
    format_score,
    summary_table,
    write_folds,
    write_predictions,
    write_scores,
    write_text,
)
from aam.crossval.summary import FoldScore, HeldOut, score_folds, summarise
from aam.data.rarefaction import fixed_rarefaction
from aam.explanation.findings import Compared, explain_samples
from aam.explanation.held_out import HeldOutSamples
from aam.explanation.nuisance import DEPTH
from aam.explanation.results.summary import SUMMARY
from aam.labels.groups import warn_of_depth
from aam.labels.target import Predictions
from aam.metrics.scores import SCORES
from aam.runs.pretrained import load_pretrained, model_config_of
from aam.runs.resources import read_given_tree, warn_of_off_target
from aam.runs.results import EVALUATION_RESULTS, EXPLANATION
from aam.storage.output import check_output_directory, start_output_directory
from aam.uncertainty import INTERVAL

logger = logging.getLogger(__name__)


COVERAGE = "coverage"
"""Metric of the fraction of held-out samples whose truth lies in the interval or set."""


def crossval(config: CrossvalConfig) -> None:
    """Run ``aam crossval``, whose other spelling is ``aam evaluate --folds``."""
    output = config.output.output_dir
    check_output_directory(config)
    pretrained = load_pretrained(config.transfer.pretrained) if config.folds.aam else None
    user_config = config
    if pretrained is not None:
        config = replace(config, model=model_config_of(pretrained[0], config.model))
    samples = read_crossval_samples(config)
    tree = read_given_tree(config, samples.study) if config.folds.explain and config.distance.tree else None
    warn_of_off_target(config.taxonomy.taxonomy, samples.study)
    functions: Functions | None = {} if config.folds.explain else None
    methods = methods_of(config, pretrained, samples, functions)
    start_output_directory(user_config, EVALUATION_RESULTS)
    write_folds(output, samples)
    target = samples.target
    logger.info(
        "%s of %s: %d samples of %d groups, %d folds, methods: %s.",
        target.task.capitalize(), target.column, samples.study.n_samples, len(set(samples.groups)),
        sum(1 for _ in samples), ", ".join(methods),
    )  # fmt: skip
    if fixed_rarefaction(config.sampling, config.training.seed) is None:
        warn_of_depth(target.column, samples.study.depths, samples.truth, target.task)
    predictions, columns, coverage = predict_held_out(samples, methods)
    held_out = HeldOut(target.task, samples.truth, samples.groups, samples.folds, predictions)
    reference = AAM if AAM in methods and len(methods) > 1 else None
    folds = score_folds(held_out)
    coverage_text = describe_coverage(coverage)
    summaries = summarise(held_out, folds, reference, config.training.seed)
    write_predictions(output, samples, held_out, columns)
    write_scores(output, samples, [*folds, *coverage], summaries)
    draw_summary(output, held_out, folds, summaries, target.column)
    table = summary_table(held_out, folds, summaries, reference)
    write_text(output, samples, f"{table}{coverage_text}", reference)
    logger.info("\n%s%s\n\nResults: %s", table, coverage_text, output)
    if functions is not None:
        directory = output / EXPLANATION
        directory.mkdir()
        first, *others = (held_out_samples(samples, functions, repeat) for repeat in range(len(samples.folds)))
        compared = Compared(repeats={f"repeat {number}": other for number, other in enumerate(others, 2)})
        taxonomy = config.taxonomy.taxonomy
        explain_samples(first, samples.study, tree, taxonomy, config.explanation, directory, compared)
        logger.info("Explanation: %s", directory / SUMMARY)


def held_out_samples(samples: CrossvalSamples, functions: Functions, repeat: int) -> HeldOutSamples:
    """Return the samples of a repeat, each with the model of its fold, to explain them."""
    ids = list(samples.study.sample_ids)
    depth = pd.Series(samples.study.depths.astype(float), index=ids, name=DEPTH)
    models = [(functions[fold.repeat, fold.number], fold.test) for fold in samples if fold.repeat == repeat]
    nuisance = {DEPTH: depth, **samples.nuisance}
    feature_ids = samples.study.feature_ids
    return HeldOutSamples(samples.target, ids, feature_ids, samples.truth, samples.groups, models, nuisance)


def predict_held_out(
    samples: CrossvalSamples, methods: Mapping[str, Method]
) -> tuple[dict[str, np.ndarray], dict[str, Columns], list[FoldScore]]:
    """Predict every sample with every method while it is held out; log one line per fold.

    Parameters
    ----------
    samples
        The samples, and their folds.
    methods
        Methods by name.

    Returns
    -------
    predictions : dict[str, np.ndarray]
        Values [R, S], or class probabilities [R, S, C], by method.
    columns : dict[str, Columns]
        Further columns, such as the ends of intervals, by method.
    coverage : list[FoldScore]
        Coverage and mean size of intervals or sets in each fold, of methods that have them.
    """
    folds = list(samples)
    shape = samples.folds.shape
    if samples.target.task != "regression":
        shape = (*shape, len(samples.target.classes))
    predictions = {name: np.full(shape, np.nan) for name in methods}
    columns: dict[str, Columns] = {name: {} for name in methods}
    begin, coverage = time.monotonic(), []
    for done, fold in enumerate(folds, start=1):
        for name, method in methods.items():
            predicted = method(fold)
            predictions[name][fold.repeat, fold.test] = predicted.values
            for column, values in predicted.columns.items():
                empty = np.full(samples.folds.shape, None, dtype=object)
                columns[name].setdefault(column, empty)[fold.repeat, fold.test] = values
            coverage += _coverage(name, fold, predicted, samples.truth[fold.test])
        minutes = (time.monotonic() - begin) / done * (len(folds) - done) / 60
        logger.info("%s; %s", _progress_line(samples, fold, predictions), _time_left(done == len(folds), minutes))
    return predictions, columns, coverage


def describe_coverage(scores: list[FoldScore]) -> str:
    """Return a sentence about the coverage of intervals or sets over all folds; empty if no method has them."""
    values = [score.value for score in scores if score.metric == COVERAGE]
    if not values:
        return ""
    return f"\n\nIntervals or sets of {AAM} hold the truth of {np.mean(values):.1%} of the held-out samples (mean over folds)."


def _coverage(name: str, fold: Fold, predicted: Predictions, truth: np.ndarray) -> list[FoldScore]:
    if predicted.chosen is not None:
        inside, size, size_metric = (
            predicted.chosen[np.arange(len(truth)), truth],
            predicted.chosen.sum(axis=1),
            "set_size",
        )
    elif all(name in predicted.columns for name in INTERVAL):
        lower, upper = (np.asarray(predicted.columns[side], dtype=np.float64) for side in INTERVAL)
        inside, size, size_metric = (lower <= truth) & (truth <= upper), upper - lower, "interval_width"
    else:
        return []
    values = {COVERAGE: float(inside.mean()), size_metric: float(size.mean())}
    return [FoldScore(name, fold.repeat, fold.number, metric, value) for metric, value in values.items()]


def _progress_line(samples: CrossvalSamples, fold: Fold, predictions: dict[str, np.ndarray]) -> str:
    score = next(iter(SCORES[samples.target.task].values()))
    truth = samples.truth[fold.test]
    scores = ", ".join(
        f"{name} {format_score(score.compute(predicted[fold.repeat, fold.test], truth))}"
        for name, predicted in predictions.items()
    )
    name = samples.fold_names[fold.number]
    return f"Repeat {fold.repeat + 1} of {len(samples.folds)}, fold {name}: {score.label} {scores}"


def _time_left(is_last: bool, minutes: float) -> str:
    if is_last:
        return "done."
    return f"about {minutes:.0f} min left." if minutes >= 1 else "less than a minute left."
