"""How training tells where it is: a bar in a terminal, a line per epoch elsewhere, and curves in TensorBoard."""

import logging
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
"""How long a run is silent before its first line within an epoch, and between two lines after that."""


def progress() -> Callback:
    """Choose the bar where somebody can watch it, else the lines."""
    return EpochBar() if sys.stderr.isatty() else EpochLines()


class EpochBar(TQDMProgressBar):
    """A bar per epoch with the loss terms; validation draws none of its own."""

    def init_validation_tqdm(self) -> Any:
        """Hide the bar of the few validation batches, which would wipe the epoch's; a bar disabled later has been drawn."""
        return Tqdm(disable=True)

    def on_train_start(self, *args: Any) -> None:
        """Give the bar its length, also where a run goes on within an epoch."""
        super().on_train_start(*args)
        self.train_progress_bar.reset(int(self.total_train_batches))

    def get_metrics(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Show the loss terms and scores, without the logger's version number."""
        shown = super().get_metrics(*args, **kwargs)
        shown.pop("v_num", None)
        return shown


class EpochLines(ProgressBar):
    """One log line per epoch, and within an epoch one a minute at most.

    Parameters
    ----------
    clock
        Gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._epoch_began = self._next_line = 0.0
        self._n_before = 0

    def disable(self) -> None:
        """Do nothing: lines are few."""

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin to count; a run may go on within an epoch."""
        self._epoch_began = self._clock()
        self._next_line = self._epoch_began + FIRST_LINE_SECONDS
        self._n_before = trainer.fit_loop.epoch_loop.batch_progress.current.completed

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Note when the epoch began."""
        self._epoch_began, self._n_before = self._clock(), 0

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, *args: Any
    ) -> None:
        """Log where the epoch is, if nothing was logged for long."""
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
        shown = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
        logger.info("Epoch %d of at most %d: %s", trainer.current_epoch + 1, trainer.max_epochs, shown)
        self._next_line = self._clock() + QUIET_SECONDS


RUNS = ("train", "validation")


class OverlaidTensorBoard(Logger):
    """Writes ``train/NAME`` and ``validation/NAME`` as one tag ``NAME`` of the runs ``train`` and ``validation``.

    Curves are not worth a run: if they cannot be written, it warns once, and training goes on without them.

    Parameters
    ----------
    directory
        Where curves go.
    first_step
        Of a run that is continued: what an earlier process wrote from here on is hidden, for it is done again.
    """

    def __init__(self, directory: Path, first_step: int | None = None) -> None:
        super().__init__()
        self._directory = directory
        self.writers: dict[str, SummaryWriter] = {}
        self._try(lambda: self._open(first_step))

    @property
    def name(self) -> str:
        """Folder of the logs."""
        return self._directory.name

    @property
    def version(self) -> str:
        """There is one version in a run's directory."""
        return ""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Write scalars; names without a known run are the trainer's own bookkeeping and are left out."""
        self._try(lambda: self._add_scalars(metrics, step))

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the resolved config lies beside the logs as config.yaml."""

    def log_figure(self, name: str, figure: Figure, step: int) -> None:
        """Show a picture of the validation samples."""
        if self.writers:
            self._try(lambda: self.writers["validation"].add_figure(name, figure, step))

    def save(self) -> None:
        """Flush to disk."""
        self._try(lambda: [writer.flush() for writer in self.writers.values()])

    def finalize(self, status: str) -> None:
        """Flush to disk, and close."""
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
