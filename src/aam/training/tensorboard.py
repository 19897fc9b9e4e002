"""TensorBoard with training and validation as two runs, so that their curves lie over each other."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from matplotlib.figure import Figure
from torch.utils.tensorboard import SummaryWriter

logger = logging.getLogger(__name__)

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
