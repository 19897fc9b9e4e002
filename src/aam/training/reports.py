"""What batches cost, how fast a run was, and how much of its time it waited for batches."""

import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback

from aam.batch import Batch
from aam.distributed.ranks import SINGLE_PROCESS, Ranks

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

    def __init__(self, estimated_bytes: float, ranks: Ranks = SINGLE_PROCESS) -> None:
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


MUCH_WAITING = 0.1
"""Share of the time from which on more or fewer workers are worth a thought."""


@dataclass(frozen=True)
class Throughput:
    """What one rank has done.

    Attributes
    ----------
    n_samples, n_asvs
        Samples, and distinct ASVs that it has encoded, of all batches.
    seconds, waited
        Time in training epochs, and the part of it between a step's end and the next batch.
    """

    n_samples: int
    n_asvs: int
    seconds: float
    waited: float


class ThroughputReport(Callback):
    """Logs at the end how many samples and distinct ASVs were trained on per second, and what the data held up.

    Parameters
    ----------
    n_workers
        Processes that make batches, as asked for.
    ranks
        Whose throughput is added up.
    clock
        Gives seconds.
    """

    def __init__(
        self,
        n_workers: int | None = None,
        ranks: Ranks = SINGLE_PROCESS,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.n_workers, self.ranks = n_workers, ranks
        self._clock = clock
        self._n_samples = self._n_asvs = 0
        self._seconds = self._waited = 0.0
        self._epoch_began = self._step_ended = 0.0

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin to wait for the first batch."""
        self._epoch_began = self._step_ended = self._clock()

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Batch, batch_idx: int) -> None:
        """Note how long the batch was waited for, and what is in it."""
        self._waited += self._clock() - self._step_ended
        self._n_samples += batch.n_samples
        self._n_asvs += len(batch.features if batch.share is None else batch.share.encoded)

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Batch, batch_idx: int, *args: Any
    ) -> None:
        """Begin to wait for the next batch."""
        self._step_ended = now = self._clock()
        self._seconds += now - self._epoch_began
        self._epoch_began = now

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        """Log."""
        own = Throughput(self._n_samples, self._n_asvs, self._seconds, self._waited)
        found = [each for each in self.ranks.gather(own) if each.seconds > 0]
        if found:
            logger.info(describe(found, self.n_workers))


def describe(ranks: list[Throughput], n_workers: int | None) -> str:
    """Say how fast all ranks were together, and what to change if they waited.

    Examples
    --------
    >>> print(describe([Throughput(80, 1000, 10.0, 0.5)], None))
    Training: 8 samples and 100 distinct ASVs per second; 5 % of the time went by waiting for batches.
    """
    seconds, share = max(rank.seconds for rank in ranks), max(rank.waited / rank.seconds for rank in ranks)
    samples, asvs = sum(rank.n_samples for rank in ranks) / seconds, sum(rank.n_asvs for rank in ranks) / seconds
    by = f" by {len(ranks)} processes" if len(ranks) > 1 else ""
    said = (
        f"Training: {samples:.3g} samples and {asvs:.3g} distinct ASVs per second{by}; {100 * share:.0f} % of the time went by "
        "waiting for batches."
    )
    if share < MUCH_WAITING:
        return said
    if not n_workers:
        return f"{said} They are made by the process that trains: pass --num-workers 2, or more, if cores are free."
    return f"{said} Pass more than --num-workers {n_workers} if cores are free; a --token-limit makes batches cheaper."
