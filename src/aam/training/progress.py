"""How training tells where it is: a bar in a terminal, a line per epoch, and within a long one, elsewhere."""

import logging
import sys
import time
from collections.abc import Callable
from typing import Any

from lightning.pytorch.callbacks import Callback, ProgressBar, TQDMProgressBar
from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm

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
