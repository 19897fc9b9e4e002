"""``aam crossval``: train and score anew in each fold, beside baselines on the same folds."""

import logging
import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from aam.config.crossval import CrossvalConfig
from aam.crossval.folds import CrossvalSamples, Fold, read_crossval_samples
from aam.crossval.methods import AAM, Method, methods_of
from aam.crossval.report import (
    Columns,
    draw_summary,
    summary_table,
    write_folds,
    write_predictions,
    write_scores,
    write_text,
    written,
)
from aam.crossval.summary import FoldScore, HeldOut, score_folds, summarise
from aam.data.rarefaction import fixed_rarefaction
from aam.labels.groups import warn_of_depth
from aam.labels.target import Predictions
from aam.metrics.scores import SCORES
from aam.runs.pretrained import load_pretrained, model_config_of
from aam.runs.results import EVALUATION_RESULTS
from aam.storage.output import check_output_directory, start_output_directory
from aam.uncertainty import INTERVAL

logger = logging.getLogger(__name__)


COVERAGE = "coverage"


def crossval(config: CrossvalConfig) -> None:
    """Run the command."""
    output = config.output.output_dir
    check_output_directory(config)
    pretrained = load_pretrained(config.transfer.pretrained) if config.folds.aam else None
    asked = config
    if pretrained is not None:
        config = replace(config, model=model_config_of(pretrained[0], config.model))
    crossval_samples = read_crossval_samples(config)
    methods = methods_of(config, pretrained, crossval_samples)
    start_output_directory(asked, EVALUATION_RESULTS)
    write_folds(output, crossval_samples)
    target = crossval_samples.target
    logger.info(
        "%s of %s: %d samples of %d groups, %d folds, methods: %s.",
        target.task.capitalize(), target.column, crossval_samples.study.n_samples, len(set(crossval_samples.groups)),
        sum(1 for _ in crossval_samples), ", ".join(methods),
    )  # fmt: skip
    if fixed_rarefaction(config.sampling, config.training.seed) is None:
        warn_of_depth(target.column, crossval_samples.study.depths, crossval_samples.truth, target.task)
    predictions, columns, coverage = predict_held_out(crossval_samples, methods)
    held_out = HeldOut(
        target.task, crossval_samples.truth, crossval_samples.groups, crossval_samples.folds, predictions
    )
    reference = AAM if AAM in methods and len(methods) > 1 else None
    folds = score_folds(held_out)
    sureness = mean_coverage(coverage)
    lines = summarise(held_out, folds, reference, config.training.seed)
    write_predictions(output, crossval_samples, held_out, columns)
    write_scores(output, crossval_samples, [*folds, *coverage], lines)
    draw_summary(output, held_out, folds, lines, target.column)
    table = summary_table(held_out, lines, reference)
    write_text(output, crossval_samples, f"{table}{sureness}", reference)
    logger.info("\n%s%s\n\nResults: %s", table, sureness, output)


def predict_held_out(
    crossval_samples: CrossvalSamples, methods: Mapping[str, Method]
) -> tuple[dict[str, np.ndarray], dict[str, Columns], list[FoldScore]]:
    """Let every method predict every sample while it is held out, [R, S] or [R, S, C]; log one line per fold.

    Also gives what else methods say of a sample, such as intervals, by method and column, and how often these held the truth.
    """
    folds = list(crossval_samples)
    shape = crossval_samples.folds.shape
    if crossval_samples.target.task != "regression":
        shape = (*shape, len(crossval_samples.target.classes))
    predictions = {name: np.full(shape, np.nan) for name in methods}
    columns: dict[str, Columns] = {name: {} for name in methods}
    begin, coverage = time.monotonic(), []
    for done, fold in enumerate(folds, start=1):
        for name, method in methods.items():
            predicted = method(fold)
            predictions[name][fold.repeat, fold.test] = predicted.values
            for column, values in predicted.columns.items():
                empty = np.full(crossval_samples.folds.shape, None, dtype=object)
                columns[name].setdefault(column, empty)[fold.repeat, fold.test] = values
            coverage += _coverage(name, fold, predicted, crossval_samples.truth[fold.test])
        minutes = (time.monotonic() - begin) / done * (len(folds) - done) / 60
        logger.info("%s; %s", _line(crossval_samples, fold, predictions), _time_left(done == len(folds), minutes))
    return predictions, columns, coverage


def mean_coverage(scores: list[FoldScore]) -> str:
    """Say how often intervals or sets held the truth, over all folds; nothing where no method has them."""
    values = [one.value for one in scores if one.metric == COVERAGE]
    if not values:
        return ""
    return f"\n\nIntervals or sets of {AAM} hold the truth of {np.mean(values):.1%} of the held-out samples (mean over folds)."


def _coverage(name: str, fold: Fold, predicted: Predictions, truth: np.ndarray) -> list[FoldScore]:
    if predicted.chosen is not None:
        inside, size, of_size = predicted.chosen[np.arange(len(truth)), truth], predicted.chosen.sum(axis=1), "set_size"
    elif all(name in predicted.columns for name in INTERVAL):
        lower, upper = (np.asarray(predicted.columns[side], dtype=np.float64) for side in INTERVAL)
        inside, size, of_size = (lower <= truth) & (truth <= upper), upper - lower, "interval_width"
    else:
        return []
    found = {COVERAGE: float(inside.mean()), of_size: float(size.mean())}
    return [FoldScore(name, fold.repeat, fold.number, metric, value) for metric, value in found.items()]


def _line(crossval_samples: CrossvalSamples, fold: Fold, predictions: dict[str, np.ndarray]) -> str:
    score = next(iter(SCORES[crossval_samples.target.task].values()))
    truth = crossval_samples.truth[fold.test]
    scores = ", ".join(
        f"{name} {written(score.compute(predicted[fold.repeat, fold.test], truth))}"
        for name, predicted in predictions.items()
    )
    name = crossval_samples.fold_names[fold.number]
    return f"Repeat {fold.repeat + 1} of {len(crossval_samples.folds)}, fold {name}: {score.label} {scores}"


def _time_left(is_last: bool, minutes: float) -> str:
    if is_last:
        return "done."
    return f"about {minutes:.0f} min left." if minutes >= 1 else "less than a minute left."
