"""Reports of a run: size and memory of its batches, its speed, and the time that it waited for batches."""

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


MUCH_WAITING = 0.1
"""Fraction of the time spent waiting from which on the report suggests another number of workers."""


class BatchReport(Callback):
    """Logs once per run the sizes of batches and the fraction of padding in them, and at its end the peak memory.

    Parameters
    ----------
    estimated_bytes
        Estimated peak memory of a step, on one device, in bytes.
    ranks
        Ranks whose memory is logged.
    """

    def __init__(self, estimated_bytes: float, ranks: Ranks = SINGLE_PROCESS) -> None:
        self.estimated_bytes, self.ranks = estimated_bytes, ranks
        self.sizes: list[int] = []
        self.n_real, self.n_padded = 0, 0
        self._before = 0.0

    def state_dict(self) -> dict[str, Any]:
        """Return the counts so far, for a checkpoint."""
        return {"sizes": self.sizes, "n_real": self.n_real, "n_padded": self.n_padded}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the counts of a checkpoint."""
        self.sizes, self.n_real, self.n_padded = (state_dict[name] for name in ("sizes", "n_real", "n_padded"))

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Note the memory in use; the weights are in use already and count as the run's."""
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        weights = sum(weight.numel() * weight.element_size() for weight in pl_module.model.parameters())
        self._before = resident_bytes() - weights

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Batch, batch_idx: int) -> None:
        """Count the padded and the real positions of the first epoch's batches."""
        if trainer.current_epoch == 0:
            lengths = batch.sample_offsets.diff()
            self.sizes.append(len(lengths))
            self.n_real += int(lengths.sum())
            self.n_padded += max([0, *lengths.tolist()]) * len(lengths)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Log the sizes of the first epoch's batches."""
        if trainer.current_epoch == 0:
            effect = "were" if torch.cuda.is_available() else "would be, on a GPU,"
            logger.info(
                "First epoch: %d batches of %d to %d samples; %.0f %% of the positions in attention among ASVs %s padding.",
                len(self.sizes), min(self.sizes), max(self.sizes), 100 * self.padding, effect,
            )  # fmt: skip

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        """Log the estimated and the measured memory."""
        is_on_gpu = torch.cuda.is_available()
        n_bytes = torch.cuda.max_memory_allocated() if is_on_gpu else peak_resident_bytes() - self._before
        growth = [f"{n_bytes_of_rank / GB:.3g}" for n_bytes_of_rank in self.ranks.gather(n_bytes)]
        processes = "this process" if len(growth) == 1 else "the processes"
        logger.info(
            "Memory of training: a step was estimated at %.3g GB%s; %s grew by %s GB at the peak.",
            self.estimated_bytes / GB, "" if len(growth) == 1 else " on one device", processes, ", ".join(growth),
        )  # fmt: skip

    @property
    def padding(self) -> float:
        """Fraction of the padded positions [B, A] that hold no ASV, so far."""
        return 1 - self.n_real / max(1, self.n_padded)


def peak_resident_bytes() -> float:
    """Return the peak resident memory of this process in bytes; 0 on systems without the ``resource`` module."""
    try:
        import resource
    except ImportError:
        return 0.0
    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def resident_bytes() -> float:
    """Return the resident memory of this process in bytes; without Linux's ``/proc``, its peak."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return peak_resident_bytes()
    import resource

    return float(pages * resource.getpagesize())


@dataclass(frozen=True)
class Throughput:
    """Work and time of one rank.

    Attributes
    ----------
    n_samples, n_asvs
        Number of samples, and of distinct ASVs that the rank has encoded, summed over batches.
    seconds, waited
        Time in training epochs, and the part of it between a step's end and the next batch, in seconds.
    """

    n_samples: int
    n_asvs: int
    seconds: float
    waited: float


class ThroughputReport(Callback):
    """Logs at the end the samples and distinct ASVs trained on per second, and the time that training waited for batches.

    Parameters
    ----------
    n_workers
        Number of processes that build batches, as the user asked.
    ranks
        Ranks whose throughput is summed.
    clock
        Function that returns the time in seconds.
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
        """Start the time of waiting for the first batch."""
        self._epoch_began = self._step_ended = self._clock()

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Batch, batch_idx: int) -> None:
        """Add the time that was waited for the batch, and count its samples and ASVs."""
        self._waited += self._clock() - self._step_ended
        self._n_samples += batch.n_samples
        self._n_asvs += len(batch.features if batch.share is None else batch.share.encoded)

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Batch, batch_idx: int, *args: Any
    ) -> None:
        """Start the time of waiting for the next batch."""
        self._step_ended = now = self._clock()
        self._seconds += now - self._epoch_began
        self._epoch_began = now

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        """Log the throughput of all ranks together."""
        throughput = Throughput(self._n_samples, self._n_asvs, self._seconds, self._waited)
        throughputs = [rank for rank in self.ranks.gather(throughput) if rank.seconds > 0]
        if throughputs:
            logger.info(describe(throughputs, self.n_workers))


def describe(ranks: list[Throughput], n_workers: int | None) -> str:
    """Describe the throughput of all ranks together in a sentence, with advice if they waited much.

    Examples
    --------
    >>> print(describe([Throughput(80, 1000, 10.0, 0.5)], None))
    Training: 8 samples and 100 distinct ASVs per second; 5 % of the time went by waiting for batches.
    """
    seconds, waiting = max(rank.seconds for rank in ranks), max(rank.waited / rank.seconds for rank in ranks)
    sample_rate, asv_rate = (
        sum(rank.n_samples for rank in ranks) / seconds,
        sum(rank.n_asvs for rank in ranks) / seconds,
    )
    processes = f" by {len(ranks)} processes" if len(ranks) > 1 else ""
    sentence = (
        f"Training: {sample_rate:.3g} samples and {asv_rate:.3g} distinct ASVs per second{processes}; "
        f"{100 * waiting:.0f} % of the time went by waiting for batches."
    )
    if waiting < MUCH_WAITING:
        return sentence
    if not n_workers:
        return f"{sentence} They are made by the process that trains: pass --num-workers 2, or more, if cores are free."
    return (
        f"{sentence} Pass more than --num-workers {n_workers} if cores are free; a --token-limit makes batches cheaper."
    )
