"""``aam pretrain``: learn from a study without labels."""

import logging

import numpy as np
import torch

from aam.config._base import flatten
from aam.config.commands import PretrainConfig
from aam.data.augmentations.augmenter import augmentations_of
from aam.data.batches import BatchMaker, BatchPlan, Drawing, loader
from aam.data.rarefaction import drop_shallow_samples, resolve_depth
from aam.data.splits import TRAIN, VALIDATION
from aam.data.study import Study
from aam.inference.model_directory import ModelDescription, save_model
from aam.io.names import Names
from aam.models.build import build_encoder
from aam.pipelines.composing import compose, memory_estimate
from aam.pipelines.objectives import settle_objectives, trivial_scores, with_targets
from aam.pipelines.reading import read_study
from aam.pipelines.records import write_metrics, write_splits
from aam.pipelines.resources import read_resources
from aam.pipelines.resuming import saving_plan, say_finished, start_or_continue, state_of_run
from aam.pipelines.splitting import split_unlabelled
from aam.training.balancing import LossBalance
from aam.training.calibration import CALIBRATION_SAMPLES, calibrate_encoder
from aam.training.fit import WRITTEN, FitSummary, fit
from aam.training.module import TrainingModule
from aam.training.resources import BatchReport

logger = logging.getLogger(__name__)


def pretrain(config: PretrainConfig) -> None:
    """Run the command."""
    output, seed = config.output.output_dir, config.training.seed
    state = state_of_run(config)
    if state == "finished":
        say_finished(config)
        return
    study, maker, table_ids = _prepare(config)
    parts = split_unlabelled(study, table_ids, config.split.full, config.training)
    rows, held = np.flatnonzero(parts == TRAIN), np.flatnonzero(parts == VALIDATION)
    resources = read_resources(config, config.weights, study, rows)
    settings = settle_objectives(config.weights, config.objectives, resources)
    torch.manual_seed(seed)
    model = build_encoder(config.model, list(config.weights), settings)
    maker = with_targets(maker, model.active_objectives(), config.objectives, resources)
    digest = study.digest()
    estimate = memory_estimate(model, config.model, maker, config.training)
    batches = compose(maker, rows, held, estimate, config.training, digest)
    plan = saving_plan(config, state, digest)
    start_or_continue(config, state, [*WRITTEN, "model", "metrics.json", "metrics.tsv", "splits.tsv"])
    write_splits(output / "splits.tsv", study.sample_ids, parts)
    some = maker[BatchPlan("calibration", tuple(rows[:CALIBRATION_SAMPLES].tolist()))]
    calibrate_encoder(model, some)
    balance = LossBalance(config.weights, config.objectives.loss_balancing)
    module = TrainingModule(model, config.weights, config.training, balance=balance)
    module.calibrate(some)
    n_workers = config.training.num_workers
    loaders = loader(maker, batches.sampler, n_workers), loader(maker, batches.validation, n_workers)
    summary = fit(module, *loaders, output, config.training, [BatchReport(batches.estimated_bytes)], plan)
    metrics = {
        **summary.metrics,
        **trivial_scores(model.active_objectives(), maker, batches.sampler.plans(0), batches.validation),
        "epochs": summary.epochs,
        "best_epoch": summary.best_epoch,
        "n": len(held),
    }
    write_metrics(output, metrics)
    description = ModelDescription(
        model=config.model,
        objectives=tuple(config.weights),
        objective_settings=settings,
        depth=maker.drawing.depth,
        token_limit=config.sampling.token_limit,
        seed=seed,
        study_digest=digest,
        options=flatten(config),
        metrics=metrics,
    )
    save_model(output / "model", model, description)
    _report(summary, config)


def _prepare(config: PretrainConfig) -> tuple[Study, BatchMaker, Names]:
    study = read_study(config.study, config.model.max_bp)
    table_ids = study.sample_ids
    depth = resolve_depth(config.sampling.rarefy_depth, study.depths)
    logger.info("Rarefaction: %s.", "none" if depth is None else f"{depth:,} reads per sample")
    study = drop_shallow_samples(study, depth)
    drawing = Drawing(depth, config.sampling.token_limit, config.training.seed)
    return study, BatchMaker(study, drawing, augmentations=augmentations_of(config.augmentation)), table_ids


def _report(summary: FitSummary, config: PretrainConfig) -> None:
    shown = ", ".join(f"{name} {value:.4g}" for name, value in summary.metrics.items())
    logger.info("Validation, best of %d epochs (%d): %s.", summary.epochs, summary.best_epoch + 1, shown)
    logger.info("Model: %s", config.output.output_dir / "model")
