"""One training run: the trainer, its callbacks, and the best weights at the end."""

import copy
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping
from torch.utils.data import DataLoader

from aam.batch import Batch
from aam.config.training import TrainingConfig
from aam.data.batching.batches import EpochSampler
from aam.distributed.ranks import SINGLE_PROCESS, Ranks
from aam.training.attention_plots import AttentionPlots
from aam.training.best_epoch import Criterion
from aam.training.memory import memory_is_explained
from aam.training.module import TrainingModule
from aam.training.nonfinite import REPORT, NonFiniteReport
from aam.training.plots import ValidationPlots
from aam.training.precision import (
    accelerator,
    autocast,
    device_type,
    kernel_of_attention,
    lightning_precision,
    weight_type,
)
from aam.training.progress import OverlaidTensorBoard, progress
from aam.training.rate_finder import find_learning_rate
from aam.training.reports import ThroughputReport
from aam.training.saving import BEST, CheckpointFiles, Saving, SavingPlan, StopSignals, earlier_handlers
from aam.training.strategies import on_devices, read_weights

logger = logging.getLogger(__name__)

WRITTEN = ("checkpoints", "tensorboard", "plots", REPORT)
"""Files and folders that a run writes into the output directory."""

EXPECTED_WARNINGS = (
    "does not have many workers",  # batches are made faster than they are trained on
    "in eval mode at the start of training",  # a frozen base stays in it
    "isinstance.treespec, LeafSpec.",  # lightning 2.6 with torch 2.13
    "your dataloader is not resumable",  # its sampler is
    "sync_dist=True",  # every rank logs the value of all ranks
    "returned a view tensor",  # FSDP; nothing of ours is changed in place
    "was called before the ``update`` method",  # a rank without validation samples
    "Detected an existing checkpoint",  # parts of the best weights so far, with --sharded-checkpoints
)


@dataclass(frozen=True)
class FitSummary:
    """Result of a training run.

    Attributes
    ----------
    epochs
        Number of epochs that were trained.
    best_epoch
        Number of the epoch whose weights are kept, from 1.
    metrics
        Validation losses and metrics of that epoch, by name.
    """

    epochs: int
    best_epoch: int
    metrics: dict[str, float]


@dataclass(frozen=True)
class _Run:
    """Directory, options and ranks of one training run."""

    output_dir: Path
    config: TrainingConfig
    plan: SavingPlan | None
    ranks: Ranks
    files: CheckpointFiles


def fit(
    module: TrainingModule,
    loaders: tuple[DataLoader[Batch], DataLoader[Batch]],
    output_dir: Path,
    config: TrainingConfig,
    callbacks: Sequence[Callback] = (),
    plan: SavingPlan | None = None,
    ranks: Ranks = SINGLE_PROCESS,
) -> FitSummary:
    """Train a module, and load the weights of the best epoch into it.

    Writes ``checkpoints/best.ckpt``, ``tensorboard/`` and ``plots/`` into ``output_dir``; with a plan also
    ``checkpoints/last.ckpt``, and continues from there if the plan has progress. Of several ranks, the first writes.

    Parameters
    ----------
    module, config, callbacks
        Module to train, which is changed, options of training, and callbacks beside those of every run.
    loaders
        Loaders of training and of validation batches; on several ranks, each loads its part of every batch.
    output_dir, plan
        Directory of the run, and plan by which it is saved; None to save its best weights only.
    ranks
        Ranks that train together.

    Returns
    -------
    FitSummary
        Number of epochs, the best one, and its scores.
    """
    run = _Run(output_dir, config, plan, ranks, CheckpointFiles(None if plan is None else plan.identity))
    with warnings.catch_warnings(), _stopping_reaches_the_caller(), kernel_of_attention(config):
        _silence_lightning()
        module.train().to(weight_type(config))
        trained = copy.deepcopy(module) if ranks.strategy == "fsdp" else module  # the copy is taken to parts
        if config.compile:
            trained.model.asv_encoder.transformer.compile_blocks()
        progress = None if plan is None else plan.progress
        if progress is not None and progress.is_finished:
            epochs = progress.epoch
        else:
            with memory_is_explained(ranks.is_first):
                if config.find_lr and progress is None:
                    module.training_config = replace(config, lr=_find_rate(module, loaders[0], run), find_lr=False)
                epochs = _train(trained, loaders, run, callbacks)
        best_epoch = _take_best(module.float(), run)
        scores = _judge(config, ranks.with_whole_models()).validate(module, loaders[1], verbose=False)[0]
    metrics = {name.removeprefix("validation/"): value for name, value in scores.items()}
    return FitSummary(epochs, best_epoch + 1, metrics)


def _silence_lightning() -> None:
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in EXPECTED_WARNINGS:
        warnings.filterwarnings("ignore", f".*{message}.*")


def _train(
    module: TrainingModule,
    loaders: tuple[DataLoader[Batch], DataLoader[Batch]],
    run: _Run,
    callbacks: Sequence[Callback],
) -> int:
    """Train from the start, or from the saved progress; return the number of epochs."""
    when, progress = (None, None) if run.plan is None else (run.plan.when, run.plan.progress)
    train, validation = loaders
    config, output_dir, ranks = run.config, run.output_dir, run.ranks
    first_step = None
    if progress is not None:
        assert isinstance(train.sampler, EpochSampler)
        train.sampler.start_at(progress.epoch, progress.batch)
        first_step = progress.steps
    tensorboard = OverlaidTensorBoard(output_dir / "tensorboard", first_step) if ranks.is_first else None
    plots = ValidationPlots(output_dir / "plots", tensorboard, config.validation_plot_samples, config.seed, ranks)
    saving = Saving(output_dir, when, StopSignals(is_told=ranks.is_first), module.criterion)
    watching: list[Callback] = []
    if run.plan is not None:
        sample_ids = train.dataset.study.sample_ids  # type: ignore[attr-defined]
        watching.append(NonFiniteReport(output_dir, sample_ids, ranks, keeps_weights=when is not None))
    if config.attention_plots and ranks.shards_checkpoints:
        logger.warning("--attention-plots is left out: with --strategy fsdp no rank has a whole layer.")
    elif config.attention_plots and tensorboard is not None:
        watching.append(AttentionPlots(plots, tensorboard, validation.dataset.study))  # type: ignore[attr-defined]
    report = ThroughputReport(config.num_workers, ranks)
    trainer = _trainer(
        run, tensorboard, [saving, plots, report, *watching, *callbacks, _early_stopping(config, module.criterion)]
    )
    with earlier_handlers():
        ckpt_path = None if progress is None else saving.last_path
        trainer.fit(module, train, validation, ckpt_path=ckpt_path, weights_only=True)
    return trainer.current_epoch


def _find_rate(module: TrainingModule, train: DataLoader[Batch], run: _Run) -> float:
    picture = run.output_dir / "plots" / "find_lr.png"
    return find_learning_rate(module, train, torch.device(device_type()), autocast(run.config), picture, run.ranks)


def _take_best(module: TrainingModule, run: _Run) -> int:
    """Load the weights of the best epoch, which the first rank reads for all; return its number, from 0."""
    path, ranks = run.output_dir / BEST, run.ranks
    if ranks.shards_checkpoints:
        return int(read_weights(path, module)["epoch"])
    weights_and_epoch: Any = None
    with ranks.raise_together():
        if ranks.is_first:
            saved = run.files.best(path)
            weights_and_epoch = saved["state_dict"], int(saved["epoch"])
    weights, epoch = ranks.from_first(weights_and_epoch)
    module.load_state_dict(weights)
    return epoch


@contextmanager
def _stopping_reaches_the_caller() -> Iterator[None]:
    """Raise the KeyboardInterrupt that Lightning turns into exit code 1 after cleaning up."""
    try:
        yield
    except SystemExit as stop:
        if isinstance(stop.__context__, KeyboardInterrupt):
            raise stop.__context__ from None
        raise


def _early_stopping(config: TrainingConfig, criterion: Criterion) -> EarlyStopping:
    """Build the callback that stops after the patience, or at once if the loss is not finite; an epoch may lack a score."""
    return EarlyStopping(
        criterion.logged_as,
        patience=config.patience,
        mode="max" if criterion.is_higher_better else "min",
        strict=False,
        check_finite=criterion.name.endswith("loss"),
    )


def _trainer(run: _Run, tensorboard: OverlaidTensorBoard | None, callbacks: list[Callback]) -> lightning.Trainer:
    config = run.config
    bar = [progress()] if run.ranks.is_first else []
    return lightning.Trainer(
        accelerator=accelerator(),
        **on_devices(run.ranks, run.files),
        max_epochs=config.epochs,
        precision=lightning_precision(config),
        accumulate_grad_batches=config.gradient_accumulation_steps or 1,
        logger=tensorboard or False,
        callbacks=[*callbacks, *bar],
        enable_progress_bar=run.ranks.is_first,
        log_every_n_steps=1,
        num_sanity_val_steps=0,
        enable_model_summary=False,
    )


def _judge(config: TrainingConfig, ranks: Ranks) -> lightning.Trainer:
    """Build a trainer that only validates the best weights and writes nothing."""
    return lightning.Trainer(
        accelerator=accelerator(),
        **on_devices(ranks),
        precision=lightning_precision(config),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
