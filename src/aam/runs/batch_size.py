"""``--batch-size auto``: the largest number of samples whose batches fit into memory."""

import copy
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from aam.config.objectives import OBJECTIVES
from aam.config.training import TrainingConfig
from aam.data.batching.batch_composition import ByMemory, BySamples
from aam.data.batching.batches import BatchPlan
from aam.distributed.ranks import Ranks
from aam.errors import ConfigError
from aam.runs.batch_plan import GB, BatchSource, costliest_batch, sample_epochs, size_samples
from aam.training.memory import available_bytes
from aam.training.module import TrainingModule
from aam.training.precision import device_type
from aam.training.trials import free_on_gpu, largest_that_fits, trying

logger = logging.getLogger(__name__)

SPARE = {"cpu": 0.2, "cuda": 0.1}
"""Fraction of the free memory that is not used: runs were measured to exceed the estimate by up to a fifth; on a GPU, where the
costliest batch is tried, it is for what other batches, other programs and fragmentation take."""
BATCHES = 1000
"""Number of planned batches, of the first epochs, among which the costliest is sought."""
ESTIMATED_SAMPLES = 2000
"""Number of samples, in those of these batches with the most ASVs, whose distinct ASVs are counted."""


def choose_batch_size(
    training: TrainingConfig, batch_source: BatchSource, module: Callable[[], TrainingModule], ranks: Ranks
) -> TrainingConfig:
    """Return the options of training with a number in place of ``--batch-size auto``, the same on all ranks.

    Parameters
    ----------
    training, batch_source
        Options of training, and what batches are made from.
    module
        Function that returns the module to be trained; a copy of it takes steps on a GPU.
    ranks
        The processes that train together; all must call this.

    Raises
    ------
    ConfigError
        Memory holds no batch.
    """
    if training.batch_size != "auto":
        return training
    search = _Search(batch_source, training, size_samples(batch_source, training), ranks)
    largest, budget = search.by_trying(module()) if device_type() == "cuda" else search.by_estimate()
    n_samples = search.nearest_to_target(largest)
    limits = "the most that is asked for, which fits" if largest == search.most else f"at most {largest:,} fit"
    logger.info(
        "--batch-size auto: batches of %d samples, %d an epoch; %s into %.2f GB, the free memory with %.0f %% to spare%s.",
        n_samples, len(search.plans(n_samples)[0]), limits, budget / GB, 100 * SPARE[device_type()],
        "" if training.max_memory_gb is None else f", and into --max-memory-gb {training.max_memory_gb:g}",
    )  # fmt: skip
    return replace(training, batch_size=n_samples)


@dataclass(frozen=True)
class _Search:
    """Search for the largest batch that fits into memory."""

    batch_source: BatchSource
    training: TrainingConfig
    sizes: ByMemory
    ranks: Ranks

    @property
    def least(self) -> int:
        """Fewest samples of a batch: two if an objective compares pairs of samples, else one."""
        names = self.batch_source.maker.targets.keys() & OBJECTIVES.keys()
        return 2 if any(OBJECTIVES[name].needs_pairs for name in names) else 1

    @property
    def most(self) -> int:
        """Most samples of a batch: those of an epoch, or of a step of the optimiser."""
        limits = (
            len(self.batch_source.training),
            self.training.samples_per_epoch,
            self.training.target_effective_batch_size,
        )
        return max(self.least, min(limit for limit in limits if limit is not None))

    def by_estimate(self) -> tuple[int, float]:
        """Return the most samples by the estimate, on the machine with the least memory, and the budget in bytes."""
        process, estimate, shares = self.ranks.process, self.batch_source.estimate, self.ranks.shares_asvs
        budget = (1 - SPARE["cpu"]) * available_bytes() / process.n_local

        def fits(n_samples: int) -> bool:
            _, shape = self.costliest(n_samples)
            of_rank = estimate.fixed + estimate.of_share(*shape, process.n_ranks, shares)
            return self._is_allowed(shape) and of_rank <= budget

        of_ranks = self.ranks.gather((largest_that_fits(fits, self.least, self.most) or 0, budget))
        return self._checked(*min(of_ranks))

    def by_trying(self, module: TrainingModule) -> tuple[int, float]:
        """Return the most samples by steps on the costliest batches, and the budget in bytes."""
        budget = min(self.ranks.gather((1 - SPARE["cuda"]) * free_on_gpu()))
        maker = replace(self.batch_source.maker, part=self.ranks.part)
        with trying(copy.deepcopy(module), budget, self.ranks) as is_held:

            def fits(n_samples: int) -> bool:
                indices, shape = self.costliest(n_samples)
                return self._is_allowed(shape) and is_held(maker[BatchPlan(0, tuple(indices.tolist()))])

            largest = largest_that_fits(fits, self.least, self.most)
        return self._checked(largest or 0, budget)

    def costliest(self, n_samples: int) -> tuple[np.ndarray, tuple[float, float]]:
        """Return the indices of the samples, and the shape, of the costliest batch of a run with this batch size."""
        plans = [plan for epoch in self.plans(n_samples) for plan in epoch]
        return costliest_batch(self.sizes, plans, max(1, ESTIMATED_SAMPLES // n_samples))

    def plans(self, n_samples: int) -> list[list[BatchPlan]]:
        """Plan the batches of the first epochs with this batch size."""
        sampler = sample_epochs(self.batch_source, self.training, BySamples(n_samples))
        n_epochs = min(self.training.epochs, math.ceil(BATCHES / len(sampler)))
        return [sampler.plans(epoch) for epoch in range(n_epochs)]

    def nearest_to_target(self, largest: int) -> int:
        """Return a batch size up to the largest that fits, of which batches add up to ``--target-effective-batch-size``."""
        wanted = self.training.target_effective_batch_size
        return largest if wanted is None else max(self.least, math.ceil(wanted / math.ceil(wanted / largest)))

    def _is_allowed(self, shape: tuple[float, float]) -> bool:
        """Return whether the estimate of a whole batch stays within ``--max-memory-gb``."""
        limit, estimate = self.training.max_memory_gb, self.batch_source.estimate
        return limit is None or estimate.fixed + estimate.of_batch(*shape) <= limit * GB

    def _checked(self, largest: int, budget: float) -> tuple[int, float]:
        """Return both; raise if not even the smallest batch fits."""
        if not largest:
            limit = self.training.max_memory_gb
            into = f"{budget / GB:.2f} GB, the free memory with some to spare"
            if limit is not None and limit * GB < budget:
                into = f"--max-memory-gb {limit:g}: raise it, or leave it out"
            raise ConfigError(
                f"--batch-size auto: not even a batch of {self.least} fits into {into}. Or pass a smaller --asv-chunk-size, "
                "--token-limit, --rarefy-depth or --embedding-dim, or --gradient-checkpointing."
            )
        return largest, budget
