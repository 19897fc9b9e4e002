"""``aam pretrain``: learn from a study without labels."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from aam.config.base import flatten
from aam.config.commands import PretrainConfig
from aam.data.augmentation import augmentations_of
from aam.data.batches import BatchMaker, Drawing, loader
from aam.data.rarefaction import drop_shallow_samples, resolve_depth
from aam.data.study import Study
from aam.data.study_build import read_study
from aam.distributed.ranks import Ranks, process_group
from aam.inference.description import ModelDescription
from aam.inference.model_directory import save_model
from aam.labels.splits import TRAIN, VALIDATION, split_unlabelled
from aam.models.build import build_encoder
from aam.models.sequence_encoder import SequenceEncoder
from aam.objectives.objective import Settings
from aam.runs.batch_plan import BatchSchedule, BatchSource, calibration_batch, memory_estimate, schedule_batches
from aam.runs.batch_size import choose_batch_size
from aam.runs.pretrained import Pretrained, copy_encoder_weights, copy_objective_weights, load_pretrained, shape_of
from aam.runs.replay import replay
from aam.runs.resources import choose_objective_settings, read_resources, score_lines, trivial_scores, with_targets
from aam.runs.results import write_metrics, write_splits
from aam.runs.resume import (
    saving_elsewhere_on_failure,
    saving_plan,
    say_finished,
    start_or_continue,
    state_on_all_ranks,
    with_saved_batch_size,
)
from aam.storage.names import Names
from aam.training.best_epoch import criterion_of
from aam.training.fit import WRITTEN, FitSummary, fit
from aam.training.losses import LossBalance, calibrate_encoder, calibrate_objectives
from aam.training.module import TrainingModule
from aam.training.reports import BatchReport
from aam.training.saving import SavingPlan

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlannedEncoder:
    """An encoder that is ready to be fitted; `prepare_module` and training change its weights.

    Attributes
    ----------
    model, description
        As they will be saved.
    material
        What its batches are made of.
    parts
        Part of each sample of the study.
    is_fresh
        Whether its encoder has random weights.
    new_objectives
        Names of those that no pre-trained model had.
    """

    model: SequenceEncoder
    description: ModelDescription
    batch_source: BatchSource
    parts: np.ndarray
    is_fresh: bool
    new_objectives: frozenset[str]


def pretrain(config: PretrainConfig) -> None:
    """Run the command."""
    with process_group(config) as ranks:
        state = state_on_all_ranks(config, ranks)
        if state == "finished":
            with ranks.raise_together():
                if ranks.is_first:
                    say_finished(with_saved_batch_size(config, state))
            return
        with ranks.raise_together():
            config = with_saved_batch_size(config, state)
            planned = plan_encoder(config)
        build_module = partial(_build_module, config, planned)
        if state == "failed":
            replay(config, build_module(), planned.batch_source, ranks)
            return
        config = replace(config, training=choose_batch_size(config.training, planned.batch_source, build_module, ranks))
        with ranks.raise_together():
            batches = schedule_batches(planned.batch_source, config.training)
            plan = saving_plan(config, state, planned.description.study_digest)
            if ranks.is_first:
                start_or_continue(config, state, [*WRITTEN, "model", "metrics.json", "metrics.tsv", "splits.tsv"])
                sample_ids = planned.batch_source.maker.study.sample_ids
                write_splits(config.output.output_dir / "splits.tsv", sample_ids, planned.parts)
        summary = _fit(config, planned, batches, plan, ranks)
        if ranks.is_first:
            _write(config, planned, batches, summary)


def plan_encoder(config: PretrainConfig) -> PlannedEncoder:
    """Build an encoder, and gather what its batches are made of; nothing is written yet."""
    pretrained = load_pretrained(config.start.pretrained)
    if pretrained is not None:
        config = replace(config, model=shape_of(pretrained[0], config.model))
    study, maker, table_ids = _prepare(config)
    parts = split_unlabelled(study, table_ids, config.split.full, config.training)
    rows, held = np.flatnonzero(parts == TRAIN), np.flatnonzero(parts == VALIDATION)
    resources = read_resources(config, config.weights, study, rows)
    settings = choose_objective_settings(config.weights, config.objectives, resources)
    torch.manual_seed(config.training.seed)
    model = build_encoder(config.model, list(config.weights), settings)
    criterion_of(config.training.best_metric, model.active_objectives())  # refuses before anything is written
    new = frozenset(settings) if pretrained is None else _go_on_from(pretrained, model, settings, config)
    maker = with_targets(maker, model.active_objectives(), config.objectives, resources)
    digest = study.digest()
    estimate = memory_estimate(model, config.model, maker, config.training)
    batch_source = BatchSource(maker, rows, held, estimate, digest)
    description = ModelDescription(
        model=config.model,
        objectives=tuple(config.weights),
        objective_settings=settings,
        depth=maker.drawing.depth,
        token_limit=config.sampling.token_limit,
        seed=config.training.seed,
        study_digest=digest,
        options=flatten(config),
    )
    return PlannedEncoder(model, description, batch_source, parts, pretrained is None, new)


def _go_on_from(
    pretrained: Pretrained, model: SequenceEncoder, settings: Mapping[str, Settings], config: PretrainConfig
) -> frozenset[str]:
    """Give the model the weights of a pre-trained one; give the names of the objectives that it did not have."""
    copy_encoder_weights(model, pretrained[0])
    new = copy_objective_weights(model, pretrained, settings)
    objectives = f"; new objectives: {', '.join(sorted(new))}" if new else " and its objectives"
    logger.info("Pre-training goes on from the encoder of %s%s.", config.start.pretrained, objectives)
    return new


def prepare_module(config: PretrainConfig, planned: PlannedEncoder) -> TrainingModule:
    """Bring the new model to its sizes, and wrap it for training."""
    some = calibration_batch(planned.batch_source)
    if planned.is_fresh:
        calibrate_encoder(planned.model, some)
    else:
        calibrate_objectives(planned.model, some, sorted(planned.new_objectives))
    module = _build_module(config, planned)
    module.calibrate(some)
    return module


def _build_module(config: PretrainConfig, planned: PlannedEncoder) -> TrainingModule:
    balance = LossBalance(config.weights, config.objectives.loss_balancing)
    return TrainingModule(planned.model, config.weights, config.training, balance=balance)


def _fit(
    config: PretrainConfig, planned: PlannedEncoder, batches: BatchSchedule, plan: SavingPlan, ranks: Ranks
) -> FitSummary:
    """Train, and leave the weights of the best epoch in the model."""
    module, maker = prepare_module(config, planned), planned.batch_source.maker
    n_workers = config.training.num_workers
    train, held = (loader(maker, plans, n_workers, ranks.part) for plans in (batches.sampler, batches.validation))
    report = BatchReport(batches.estimated_bytes, ranks)
    return fit(module, (train, held), config.output.output_dir, batches.training, [report], plan, ranks)


def _write(config: PretrainConfig, planned: PlannedEncoder, batches: BatchSchedule, summary: FitSummary) -> None:
    """Leave the model and its scores."""
    output, model, maker = config.output.output_dir, planned.model, planned.batch_source.maker
    metrics = {
        **summary.metrics,
        **trivial_scores(model.active_objectives(), maker, batches.sampler.plans(0), batches.validation),
        "epochs": summary.epochs,
        "best_epoch": summary.best_epoch,
        "n": int((planned.parts == VALIDATION).sum()),
    }
    options = planned.description.options | flatten(config.training)
    description = replace(planned.description, metrics=metrics, options=options)
    with saving_elsewhere_on_failure(model, description):
        write_metrics(output, metrics)
        save_model(output / "model", model, description)
    _report(summary, score_lines(model.active_objectives(), metrics), config)


def _prepare(config: PretrainConfig) -> tuple[Study, BatchMaker, Names]:
    study = read_study(config.study, config.model.max_bp)
    table_ids = study.sample_ids
    depth = resolve_depth(config.sampling.rarefy_depth, study.depths)
    logger.info("Rarefaction: %s.", "none" if depth is None else f"{depth:,} reads per sample")
    study = drop_shallow_samples(study, depth)
    drawing = Drawing(depth, config.sampling.token_limit, config.training.seed)
    return study, BatchMaker(study, drawing, augmentations=augmentations_of(config.augmentation)), table_ids


def _report(summary: FitSummary, scores: list[str], config: PretrainConfig) -> None:
    output = config.output.output_dir
    logger.info(
        "Validation, epoch %d, the best of %d: loss %.4g.\n%s\nAll scores: %s", summary.best_epoch, summary.epochs,
        summary.metrics["loss"], "\n".join(f"  {line}" for line in scores), output / "metrics.tsv",
    )  # fmt: skip
    logger.info("Model: %s", output / "model")
