"""What batches cost: padding in the first epoch, and the measured beside the estimated memory."""

import logging
import sys
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback

from aam.batch import Batch
from aam.training.ranks import ALONE, Ranks

logger = logging.getLogger(__name__)

GB = 1e9


class BatchReport(Callback):
    """Logs once per run how large the batches are and how much of them is padding, and at its end the peak memory.

    Parameters
    ----------
    estimated_bytes
        Estimated peak of a step, on one device.
    ranks
        Whose memory is told.
    """

    def __init__(self, estimated_bytes: float, ranks: Ranks = ALONE) -> None:
        self.estimated_bytes, self.ranks = estimated_bytes, ranks
        self.sizes: list[int] = []
        self.n_real, self.n_padded = 0, 0
        self._before = 0.0

    def state_dict(self) -> dict[str, Any]:
        """Give what was counted."""
        return {"sizes": self.sizes, "n_real": self.n_real, "n_padded": self.n_padded}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting."""
        self.sizes, self.n_real, self.n_padded = (state_dict[name] for name in ("sizes", "n_real", "n_padded"))

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Note the memory in use; the weights are in use already and count as the run's."""
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        weights = sum(weight.numel() * weight.element_size() for weight in pl_module.model.parameters())
        self._before = resident_bytes() - weights

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Batch, batch_idx: int) -> None:
        """Count the first epoch's positions."""
        if trainer.current_epoch == 0:
            lengths = batch.sample_offsets.diff()
            self.sizes.append(len(lengths))
            self.n_real += int(lengths.sum())
            self.n_padded += max([0, *lengths.tolist()]) * len(lengths)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Log the first epoch's batches."""
        if trainer.current_epoch == 0:
            effect = "were" if torch.cuda.is_available() else "would be, on a GPU,"
            logger.info(
                "First epoch: %d batches of %d to %d samples; %.0f %% of the positions in attention among ASVs %s padding.",
                len(self.sizes), min(self.sizes), max(self.sizes), 100 * self.padding, effect,
            )  # fmt: skip

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        """Log the memory."""
        is_on_gpu = torch.cuda.is_available()
        measured = torch.cuda.max_memory_allocated() if is_on_gpu else peak_resident_bytes() - self._before
        grown = [f"{each / GB:.3g}" for each in self.ranks.gather(measured)]
        whose = "this process" if len(grown) == 1 else "the processes"
        logger.info(
            "Memory of training: a step was estimated at %.3g GB%s; %s grew by %s GB at the peak.",
            self.estimated_bytes / GB, "" if len(grown) == 1 else " on one device", whose, ", ".join(grown),
        )  # fmt: skip

    @property
    def padding(self) -> float:
        """Share of the padded positions [B, A] that hold nothing, so far."""
        return 1 - self.n_real / max(1, self.n_padded)


def peak_resident_bytes() -> float:
    """Give the most memory that this process ever held; on systems with the ``resource`` module, else 0."""
    try:
        import resource
    except ImportError:
        return 0.0
    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def resident_bytes() -> float:
    """Give the memory that this process holds; where Linux's ``/proc`` is absent, the most it ever held."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return peak_resident_bytes()
    import resource

    return float(pages * resource.getpagesize())
