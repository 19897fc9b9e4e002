"""How fast a run was, how much of its time it waited for batches, and what to do about that."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lightning.pytorch.callbacks import Callback

from aam.batch import Batch
from aam.training.ranks import ALONE, Ranks

logger = logging.getLogger(__name__)

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
        self, n_workers: int | None = None, ranks: Ranks = ALONE, clock: Callable[[], float] = time.perf_counter
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
