"""``aam train --ensemble``: networks that were each trained without a part of the samples, and how sure they may be together."""

import dataclasses
import logging
import shutil
from functools import partial
from pathlib import Path

import numpy as np

from aam.config.commands import TrainConfig
from aam.config.model import ModelConfig
from aam.config.saving import LAST_CHECKPOINT
from aam.data.splits import VALIDATION
from aam.inference.ensemble_calibration import LeftOut
from aam.inference.model_directory import save_model
from aam.io.table_tsv import write_tsv
from aam.pipelines.ensemble import (
    Member,
    Trained,
    bring_together,
    divide_members,
    fit_members,
    predict_held,
    warn_of_coverage,
    with_batch_size_of,
)
from aam.pipelines.network import with_batch_size, wrap
from aam.pipelines.pool import LabelledStudy
from aam.pipelines.pretrained import Pretrained
from aam.pipelines.records import prediction_columns, summarise, truth_columns, write_metrics, write_splits
from aam.pipelines.replaying import replay
from aam.pipelines.rescuing import rescued
from aam.pipelines.resuming import State, failed_place, places_of_run, saving_plan, start_or_continue
from aam.pipelines.validation import score
from aam.training.ranks import Ranks
from aam.training.saving import SavingPlan

logger = logging.getLogger(__name__)

LEFT_OUT = "out_of_fold_predictions.tsv"
"""What each network says of the samples that it was trained without."""


def train_ensemble(
    config: TrainConfig,
    shape: ModelConfig,
    pretrained: Pretrained | None,
    labelled: LabelledStudy,
    state: State,
    written: list[str],
    ranks: Ranks,
) -> None:
    """Train the members one after another, calibrate, validate and save them.

    Parameters
    ----------
    config, shape
        What the user asked for, and what a pre-trained model made of it.
    pretrained
        What all members begin with, if anything.
    labelled
        Samples to train on and to validate.
    state
        Of the run.
    written
        What an earlier run may have left in the output directory.
    ranks
        Who trains together.
    """
    encoder = None if pretrained is None else pretrained[0]
    places = places_of_run(config)
    with ranks.agreed():
        members = divide_members(config, labelled, places)
        first = members[0].plan(shape, encoder)
    if state == "failed":
        _replay(dataclasses.replace(config, model=shape), members, pretrained, ranks)
        return
    warn_of_coverage(config, [labelled])
    batch_size = with_batch_size(first, ranks).training.batch_size
    members = with_batch_size_of(members, batch_size)
    settled = dataclasses.replace(
        config, model=shape, training=dataclasses.replace(config.training, batch_size=batch_size)
    )
    with ranks.agreed():
        if ranks.is_first:
            start_or_continue(settled, state, written)
            write_splits(config.output.output_dir / "splits.tsv", labelled.pool.study.sample_ids, labelled.parts)
    trained = fit_members(members, shape, encoder, partial(_plan_saving, settled, ranks), ranks)
    if ranks.is_first:
        _write(settled, labelled, trained)


def _plan_saving(config: TrainConfig, ranks: Ranks, place: Path, digest: str) -> SavingPlan:
    """Plan how a member is saved; of one that saved nothing, remove what is there."""
    state: State = "saved" if (place / LAST_CHECKPOINT).exists() else "unsaved"
    plan = saving_plan(config, state, digest, place)
    if ranks.is_first and state == "unsaved":
        shutil.rmtree(place, ignore_errors=True)
    return plan


def _replay(config: TrainConfig, members: list[Member], pretrained: Pretrained | None, ranks: Ranks) -> None:
    (member,) = (each for each in members if each.config.output.output_dir == failed_place(config))
    network = member.plan(config.model, None if pretrained is None else pretrained[0])
    replay(config, wrap(network), network.material, ranks)


def _write(config: TrainConfig, labelled: LabelledStudy, trained: list[Trained]) -> None:
    """Leave the ensemble, its scores and its predictions."""
    output = config.output.output_dir
    model, description, left_out = bring_together(config, labelled, trained)
    with rescued(model, description):
        _write_left_out(output / LEFT_OUT, labelled, trained, left_out)
        metrics = score(config, predict_held(config, labelled, model, description), labelled)
        metrics |= {name: [each.description.metrics[name] for each in trained] for name in ("epochs", "best_epoch")}
        write_metrics(output, metrics)
        save_model(output / "model", model, dataclasses.replace(description, metrics=metrics))
    logger.info("Validation of %s: %s.", labelled.target.column, summarise(metrics, labelled.target))
    logger.info("Model: %s", output / "model")


def _write_left_out(path: Path, labelled: LabelledStudy, trained: list[Trained], left_out: LeftOut) -> None:
    rows = np.sort(np.concatenate([each.member.rows(VALIDATION) for each in trained]))
    ids = labelled.pool.study.select_samples(rows).sample_ids
    columns = prediction_columns(labelled.target, ids, left_out.predicted.values)
    numbers = {"member": left_out.members + 1}
    write_tsv(
        path, {**columns, **left_out.predicted.columns, **numbers, **truth_columns(labelled.target, left_out.truth)}
    )
