"""How training tells where it is: a bar in a terminal, a line per epoch elsewhere."""

import logging
import sys
from typing import Any

from lightning.pytorch.callbacks import Callback, ProgressBar, TQDMProgressBar
from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm

logger = logging.getLogger(__name__)


def progress() -> Callback:
    """Choose the bar where somebody can watch it, else the lines."""
    return EpochBar() if sys.stderr.isatty() else EpochLines()


class EpochBar(TQDMProgressBar):
    """A bar per epoch with the loss terms; validation draws none of its own."""

    def init_validation_tqdm(self) -> Any:
        """Hide the bar of the few validation batches, which would wipe the epoch's; a bar disabled later has been drawn."""
        return Tqdm(disable=True)

    def get_metrics(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Show the loss terms and scores, without the logger's version number."""
        shown = super().get_metrics(*args, **kwargs)
        shown.pop("v_num", None)
        return shown


class EpochLines(ProgressBar):
    """One log line per epoch."""

    def disable(self) -> None:
        """Do nothing: lines are few."""

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Log the epoch's losses and scores."""
        metrics = self.get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
        shown = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
        logger.info("Epoch %d of at most %d: %s", trainer.current_epoch + 1, trainer.max_epochs, shown)
