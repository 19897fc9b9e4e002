"""Progress of training: a bar in a terminal, a line per epoch elsewhere, and curves in TensorBoard."""

import logging
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import Callback, ProgressBar, TQDMProgressBar
from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm
from lightning.pytorch.loggers import Logger
from matplotlib.figure import Figure
from torch.utils.tensorboard import SummaryWriter

logger = logging.getLogger(__name__)

FIRST_LINE_SECONDS, QUIET_SECONDS = 20.0, 60.0
"""Seconds without a line before the first one within an epoch, and between two lines after that."""


RUNS = ("train", "validation")


def progress() -> Callback:
    """Build the progress callback: a bar if standard error is a terminal, else lines."""
    return EpochBar() if sys.stderr.isatty() else EpochLines()


class EpochBar(TQDMProgressBar):
    """Progress bar for each epoch with the loss terms; validation draws no bar of its own."""

    def init_validation_tqdm(self) -> Any:
        """Return a hidden bar for validation, as a visible one would wipe the epoch's; a bar disabled later is already drawn."""
        return Tqdm(disable=True)

    def on_train_start(self, *args: Any) -> None:
        """Set the length of the bar, also where a run continues within an epoch."""
        super().on_train_start(*args)
        self.train_progress_bar.reset(int(self.total_train_batches))

    def get_metrics(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the loss terms and scores to show, without the logger's version number."""
        shown = super().get_metrics(*args, **kwargs)
        shown.pop("v_num", None)
        return {name: "not defined" if _is_undefined(name, value) else value for name, value in shown.items()}


class EpochLines(ProgressBar):
    """Logs a line per epoch, and within an epoch at most one a minute.

    Parameters
    ----------
    clock
        Function that returns the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._epoch_began = self._next_line = 0.0
        self._n_before = 0

    def disable(self) -> None:
        """Do nothing: lines are few."""

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Start to count batches, also where a run continues within an epoch."""
        self._epoch_began = self._clock()
        self._next_line = self._epoch_began + FIRST_LINE_SECONDS
        self._n_before = trainer.fit_loop.epoch_loop.batch_progress.current.completed

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Store the time at which the epoch began."""
        self._epoch_began, self._n_before = self._clock(), 0

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, *args: Any
    ) -> None:
        """Log the batch number and the time left, if nothing was logged for long."""
        now, done, total = self._clock(), batch_idx + 1, self.total_train_batches
        if now < self._next_line or done == total:
            return
        self._next_line = now + QUIET_SECONDS
        minutes = (now - self._epoch_began) / (done - self._n_before) * (total - done) / 60
        logger.info(
            "Epoch %d: batch %d of %d, %s.", trainer.current_epoch + 1, done, total,
            f"about {minutes:.0f} min left in this epoch" if minutes >= 1 else "less than a minute left in this epoch",
        )  # fmt: skip

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Log the epoch's losses and scores."""
        metrics = self.get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
        shown = ", ".join(describe_value(name, value) for name, value in metrics.items())
        logger.info("Epoch %d of at most %d: %s", trainer.current_epoch + 1, trainer.max_epochs, shown)
        self._next_line = self._clock() + QUIET_SECONDS


def _is_undefined(name: str, value: Any) -> bool:
    """Return whether a score has no value, as a score of samples of one class has none. Losses always have one."""
    return isinstance(value, float) and math.isnan(value) and not name.endswith("loss")


def describe_value(name: str, value: Any) -> str:
    """Return a loss or score with its name, in words if it has no value.

    Examples
    --------
    >>> describe_value("validation/target_auroc", float("nan"))
    'validation/target_auroc not defined (one class or value)'
    """
    return f"{name} not defined (one class or value)" if _is_undefined(name, value) else f"{name} {value:.4g}"


class OverlaidTensorBoard(Logger):
    """Writes ``train/NAME`` and ``validation/NAME`` as one tag ``NAME`` of the runs ``train`` and ``validation``.

    If curves cannot be written, the logger warns once, and training continues without them.

    Parameters
    ----------
    directory
        Directory to write curves to.
    first_step
        First step of a continued run: values that an earlier process wrote from it on are hidden, as they are computed again.
    """

    def __init__(self, directory: Path, first_step: int | None = None) -> None:
        super().__init__()
        self._directory = directory
        self.writers: dict[str, SummaryWriter] = {}
        self._try(lambda: self._open(first_step))

    @property
    def name(self) -> str:
        """Name of the folder of the logs."""
        return self._directory.name

    @property
    def version(self) -> str:
        """Empty, as a run's directory has a single version."""
        return ""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Write scalars; names without one of the two runs are the trainer's own bookkeeping and are left out."""
        self._try(lambda: self._add_scalars(metrics, step))

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the resolved config is saved beside the logs as config.yaml."""

    def log_figure(self, name: str, figure: Figure, step: int) -> None:
        """Write a picture of the validation samples."""
        if self.writers:
            self._try(lambda: self.writers["validation"].add_figure(name, figure, step))

    def save(self) -> None:
        """Flush curves to disk."""
        self._try(lambda: [writer.flush() for writer in self.writers.values()])

    def finalize(self, status: str) -> None:
        """Flush curves to disk, and close the files."""
        self._try(lambda: [writer.close() for writer in self.writers.values()])

    def _open(self, first_step: int | None) -> None:
        self.writers = {run: SummaryWriter(str(self._directory / run), purge_step=first_step) for run in RUNS}

    def _add_scalars(self, metrics: dict[str, float], step: int | None) -> None:
        for full_name, value in metrics.items():
            run, _, name = full_name.partition("/")
            if run in self.writers:
                self.writers[run].add_scalar(name, value, step)

    def _try(self, write: Callable[[], object]) -> None:
        try:
            write()
        except OSError as error:
            self.writers = {}
            logger.warning(
                "%s cannot be written: %s. Training goes on without curves.", self._directory, error.strerror or error
            )
