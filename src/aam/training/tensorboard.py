"""TensorBoard with training and validation as two runs, so that their curves lie over each other."""

from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from matplotlib.figure import Figure
from torch.utils.tensorboard import SummaryWriter

RUNS = ("train", "validation")


class OverlaidTensorBoard(Logger):
    """Writes ``train/NAME`` and ``validation/NAME`` as one tag ``NAME`` of the runs ``train`` and ``validation``."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._directory = directory
        self.writers = {run: SummaryWriter(str(directory / run)) for run in RUNS}

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
        for full_name, value in metrics.items():
            run, _, name = full_name.partition("/")
            if run in self.writers:
                self.writers[run].add_scalar(name, value, step)

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the resolved config lies beside the logs as config.yaml."""

    def log_figure(self, name: str, figure: Figure, step: int) -> None:
        """Show a picture of the validation samples."""
        self.writers["validation"].add_figure(name, figure, step)

    def finalize(self, status: str) -> None:
        """Flush to disk."""
        for writer in self.writers.values():
            writer.close()
