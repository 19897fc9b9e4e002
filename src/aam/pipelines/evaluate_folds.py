"""``aam evaluate --folds``: train and score anew in each fold, beside baselines on the same folds."""

import logging
import time
from collections.abc import Mapping

import numpy as np

from aam.comparison.scores import SCORES
from aam.comparison.summary import HeldOut, score_folds, summarise
from aam.config.folds import EvaluateFoldsConfig
from aam.io.output_directory import check_output_directory, start_output_directory
from aam.pipelines.fold_methods import AAM, Method, methods_of
from aam.pipelines.fold_records import (
    draw_summary,
    summary_table,
    write_folds,
    write_predictions,
    write_scores,
    write_text,
)
from aam.pipelines.inference import EVALUATION_RESULTS
from aam.pipelines.network import load_pretrained, shape_of
from aam.pipelines.participants import Fold, Participants, read_participants

logger = logging.getLogger(__name__)


def evaluate_folds(config: EvaluateFoldsConfig) -> None:
    """Run the command."""
    output = config.output.output_dir
    check_output_directory(config)
    pretrained = load_pretrained(config.transfer.pretrained) if config.folds.aam else None
    shape = config.model if pretrained is None else shape_of(pretrained, config.model)
    participants = read_participants(config, shape.max_bp)
    methods = methods_of(config, shape, pretrained, participants)
    start_output_directory(config, EVALUATION_RESULTS)
    write_folds(output, participants)
    target = participants.target
    logger.info(
        "%s of %s: %d samples of %d groups, %d folds, methods: %s.",
        target.task.capitalize(), target.column, participants.study.n_samples, len(set(participants.groups)),
        sum(1 for _ in participants), ", ".join(methods),
    )  # fmt: skip
    predictions = predict_held_out(participants, methods)
    held_out = HeldOut(target.task, participants.truth, participants.groups, participants.folds, predictions)
    reference = AAM if AAM in methods and len(methods) > 1 else None
    folds = score_folds(held_out)
    lines = summarise(held_out, folds, reference, config.training.seed)
    write_predictions(output, participants, held_out)
    write_scores(output, participants, folds, lines)
    draw_summary(output, held_out, folds, lines, target.column)
    table = summary_table(held_out, lines, reference)
    write_text(output, participants, table, reference)
    logger.info("\n%s\n\nResults: %s", table, output)


def predict_held_out(participants: Participants, methods: Mapping[str, Method]) -> dict[str, np.ndarray]:
    """Let every method predict every sample while it is held out, [R, S] or [R, S, C]; log one line per fold."""
    folds = list(participants)
    shape = participants.folds.shape
    if participants.target.task == "classification":
        shape = (*shape, len(participants.target.classes))
    predictions = {name: np.full(shape, np.nan) for name in methods}
    begin = time.monotonic()
    for done, fold in enumerate(folds, start=1):
        for name, method in methods.items():
            predictions[name][fold.repeat, fold.test] = method(fold)
        minutes = (time.monotonic() - begin) / done * (len(folds) - done) / 60
        logger.info("%s; %s", _line(participants, fold, predictions), _time_left(done == len(folds), minutes))
    return predictions


def _line(participants: Participants, fold: Fold, predictions: dict[str, np.ndarray]) -> str:
    score = next(iter(SCORES[participants.target.task].values()))
    truth = participants.truth[fold.test]
    scores = ", ".join(
        f"{name} {score.compute(predicted[fold.repeat, fold.test], truth):.3f}"
        for name, predicted in predictions.items()
    )
    name = participants.fold_names[fold.number]
    return f"Repeat {fold.repeat + 1} of {len(participants.folds)}, fold {name}: {score.label} {scores}"


def _time_left(is_last: bool, minutes: float) -> str:
    if is_last:
        return "done."
    return f"about {minutes:.0f} min left." if minutes >= 1 else "less than a minute left."
