"""Predict the validation samples just as ``aam predict`` does, and write what it would."""

import numpy as np

from aam.config.commands import TrainConfig
from aam.data.predicted import Predicted
from aam.inference.kernel_reader import KernelReader
from aam.inference.metrics import evaluate_predicted
from aam.inference.read_samples import SampleReader
from aam.io.table_tsv import write_tsv
from aam.pipelines.pool import LabelledStudy
from aam.pipelines.records import draw_target, points_to_draw, prediction_columns, truth_columns


def validate(config: TrainConfig, reader: SampleReader | KernelReader, labelled: LabelledStudy) -> dict[str, object]:
    """Predict, write the table and the picture; give the metrics."""
    rows = np.flatnonzero(labelled.held)
    facts = {name: fact[rows] for name, fact in labelled.facts.items()}
    return score(config, reader.predicted(labelled.study.select_samples(rows), facts), labelled)


def score(config: TrainConfig, predicted: Predicted, labelled: LabelledStudy) -> dict[str, object]:
    """Do the same with what was predicted of the validation samples."""
    rows, output = np.flatnonzero(labelled.held), config.output.output_dir
    study, truth, target = labelled.study.select_samples(rows), labelled.truth[rows], labelled.target
    columns = prediction_columns(target, study.sample_ids, predicted.values)
    truths = truth_columns(target, truth)
    write_tsv(output / "validation_predictions.tsv", {**columns, **predicted.columns, **truths})
    metrics = evaluate_predicted(target, predicted, truth)
    points = points_to_draw(config.training.validation_plot_samples, config.training.seed)
    draw_target(output / "plots" / "target.png", target, predicted.values, truth, metrics, points)
    return metrics
