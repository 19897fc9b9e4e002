"""One training run: the trainer, its callbacks, and the best weights at the end."""

import copy
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from torch.utils.data import DataLoader

from aam.batch import Batch
from aam.config.training import TrainingConfig
from aam.nn.attention import attention_kernel
from aam.training.module import TrainingModule
from aam.training.plots import ValidationPlots
from aam.training.precision import resolve_precision
from aam.training.progress import progress
from aam.training.ranks import ALONE, Ranks
from aam.training.sharding import read_weights
from aam.training.strategy import on_devices
from aam.training.tensorboard import OverlaidTensorBoard
from aam.training.throughput import ThroughputReport

logger = logging.getLogger(__name__)

MONITORED = "validation/loss"
WRITTEN = ("checkpoints", "tensorboard", "plots")
"""What a run writes into the output directory."""

EXPECTED_WARNINGS = (
    "does not have many workers",  # batches are made faster than they are trained on
    "in eval mode at the start of training",  # a frozen base stays in it
    "isinstance.treespec, LeafSpec.",  # lightning 2.6 with torch 2.13
    "sync_dist=True",  # every rank logs the value of all ranks
    "returned a view tensor",  # FSDP; nothing of ours is changed in place
    "was called before the ``update`` method",  # a rank without validation samples
)


@dataclass(frozen=True)
class FitSummary:
    """How a run went.

    Attributes
    ----------
    epochs
        Epochs that were trained.
    best_epoch
        Epoch whose weights are kept, from 0.
    metrics
        Its validation losses and metrics, by name.
    """

    epochs: int
    best_epoch: int
    metrics: dict[str, float]


def fit(
    module: TrainingModule,
    train: DataLoader[Batch],
    validation: DataLoader[Batch],
    output_dir: Path,
    config: TrainingConfig,
    callbacks: Sequence[Callback] = (),
    ranks: Ranks = ALONE,
) -> FitSummary:
    """Train, and leave the weights of the best epoch in the module.

    Writes ``checkpoints/best.ckpt`` and ``last.ckpt``, ``tensorboard/`` and ``plots/`` into ``output_dir``; of several ranks, the
    first does.
    """
    tensorboard = OverlaidTensorBoard(output_dir / "tensorboard") if ranks.is_first else None
    directory = output_dir / "checkpoints"
    best = ModelCheckpoint(directory, filename="best", monitor=MONITORED, enable_version_counter=False)
    last = ModelCheckpoint(directory, filename="last", enable_version_counter=False)
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    kernel = attention_kernel(config.attn_implementation, torch.device(_device()), _dtype(config))
    with warnings.catch_warnings(), _stopping_reaches_the_caller(), kernel:
        for message in EXPECTED_WARNINGS:
            warnings.filterwarnings("ignore", f".*{message}.*")
        plots = ValidationPlots(output_dir / "plots", tensorboard, config.validation_plot_samples, config.seed, ranks)
        report = ThroughputReport(config.num_workers, ranks)
        trainer = _trainer(config, ranks, tensorboard, [best, last, plots, report, *callbacks])
        module.train().to(torch.float64 if config.precision == "64-true" else torch.float32)
        trained = copy.deepcopy(module) if ranks.strategy == "fsdp" else module  # the copy is taken to parts
        if config.compile:
            trained.model.asv_encoder.transformer.compile_blocks()
        trainer.fit(trained, train, validation)
        saved = read_weights(Path(best.best_model_path), module.float())
        scores = _judge(config, ranks.with_whole_models()).validate(module, validation, verbose=False)[0]
    metrics = {name.removeprefix("validation/"): value for name, value in scores.items()}
    return FitSummary(trainer.current_epoch, int(saved["epoch"]), metrics)


@contextmanager
def _stopping_reaches_the_caller() -> Iterator[None]:
    """Raise the KeyboardInterrupt that Lightning, having cleaned up, makes exit code 1 of."""
    try:
        yield
    except SystemExit as stop:
        if isinstance(stop.__context__, KeyboardInterrupt):
            raise stop.__context__ from None
        raise


def _trainer(
    config: TrainingConfig, ranks: Ranks, tensorboard: OverlaidTensorBoard | None, callbacks: list[Callback]
) -> lightning.Trainer:
    return lightning.Trainer(
        accelerator=_accelerator(),
        **on_devices(ranks),
        max_epochs=config.epochs,
        precision=_arithmetic(config),
        accumulate_grad_batches=config.gradient_accumulation_steps,
        logger=tensorboard or False,
        callbacks=[
            *callbacks,
            EarlyStopping(MONITORED, patience=config.patience),
            *([progress()] if ranks.is_first else []),
        ],
        enable_progress_bar=ranks.is_first,
        log_every_n_steps=1,
        num_sanity_val_steps=0,
        enable_model_summary=False,
    )


def _judge(config: TrainingConfig, ranks: Ranks) -> lightning.Trainer:
    """Make a trainer that only scores the best weights, and leaves no trace."""
    return lightning.Trainer(
        accelerator=_accelerator(),
        **on_devices(ranks),
        precision=_arithmetic(config),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def _arithmetic(config: TrainingConfig) -> Any:
    """Name Lightning's precision; its 64-true refuses frozen batches, so the module is converted by hand for it."""
    return "32-true" if config.precision == "64-true" else resolve_precision(config.precision)


def _dtype(config: TrainingConfig) -> torch.dtype:
    """Give the arithmetic of attention; on a CPU it is never half precision."""
    precision = resolve_precision(config.precision)
    if precision == "64-true":
        return torch.float64
    is_half = precision != "32-true" and torch.cuda.is_available()
    return {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}[precision] if is_half else torch.float32


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _accelerator() -> str:
    return "gpu" if torch.cuda.is_available() else "cpu"
