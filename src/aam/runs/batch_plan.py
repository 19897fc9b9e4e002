"""The batches of each epoch and of validation, planned from the options of training, and their memory."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from aam.batch import Batch
from aam.config.model import ModelConfig
from aam.config.training import TrainingConfig
from aam.data.batching.augmentation import Mixing
from aam.data.batching.batch_composition import Batcher, ByMemory, BySamples
from aam.data.batching.batches import BatchMaker, BatchPlan, EpochSampler, plans_of
from aam.data.batching.memory import ExpectedASVs, MemoryEstimate
from aam.data.rarefaction import EVALUATION
from aam.errors import ConfigError, name_some
from aam.training.losses import CALIBRATION_SAMPLES

logger = logging.getLogger(__name__)


GB = 1e9

MOST_ESTIMATED = 1000
"""Number of batches, those with the most ASVs, whose memory is estimated to find the largest estimate."""


@dataclass(frozen=True)
class BatchSource:
    """Everything that batches are made from.

    Attributes
    ----------
    maker
        Maker of the batches.
    training, validation
        Indices of the study's training and validation samples, int64.
    estimate
        Estimate of the memory that a batch takes.
    digest
        Digest of the study.
    """

    maker: BatchMaker
    training: np.ndarray
    validation: np.ndarray
    estimate: MemoryEstimate
    digest: str


@dataclass(frozen=True)
class BatchSchedule:
    """The batches of a run.

    Attributes
    ----------
    sampler
        Sampler of the training batches, epoch by epoch.
    validation
        Validation batches.
    estimated_bytes
        Estimated peak of the memory of training, from the batches of the first epoch, in bytes.
    training
        Options of training, with the number of batches whose gradients are accumulated.
    """

    sampler: EpochSampler
    validation: list[BatchPlan]
    estimated_bytes: float
    training: TrainingConfig


def memory_estimate(
    model: nn.Module,
    model_config: ModelConfig,
    maker: BatchMaker,
    training: TrainingConfig,
    is_base_frozen: bool = False,
) -> MemoryEstimate:
    """Return the estimate of the memory of a run.

    Parameters
    ----------
    model, model_config
        The model that is trained, and its shape.
    maker
        Maker of its batches.
    training
        Options of training.
    is_base_frozen
        Whether the encoder's weights stay as they are.
    """
    masking = maker.masking
    return MemoryEstimate(
        config=model_config,
        n_weights=sum(weight.numel() for weight in model.parameters()),
        n_positions=maker.study.tokens.longest,
        share_read_again=0.0 if masking.nuc_mask_ratio is None else masking.nuc_asv_fraction,
        sample_passes=1 + (masking.count_mask_ratio is not None) + (masking.asv_mask_ratio is not None),
        precision=training.precision,
        is_base_frozen=is_base_frozen,
    )


def calibration_batch(batch_source: BatchSource) -> Batch:
    """Return a batch of the first training samples, from which scales of new weights are calibrated."""
    indices = batch_source.training[:CALIBRATION_SAMPLES]
    return batch_source.maker[BatchPlan("calibration", tuple(indices.tolist()))]


def schedule_batches(batch_source: BatchSource, training: TrainingConfig) -> BatchSchedule:
    """Plan the batches of a run.

    Parameters
    ----------
    batch_source
        What batches are made from.
    training
        Options of training, with a number as the batch size.

    Returns
    -------
    BatchSchedule
        The batches.

    Raises
    ------
    ConfigError
        ``--max-memory-gb`` does not even hold the weights.
    """
    sizes = size_samples(batch_source, training)
    if training.max_memory_gb is None:
        batcher = BySamples(training.most_samples or 1)
    else:
        batcher = replace(sizes, most=training.most_samples)
        _check_budget(batcher)
    sampler = sample_epochs(batch_source, training, batcher)
    _, shape = costliest_batch(sizes, sampler.plans(0), MOST_ESTIMATED)
    estimated = batch_source.estimate.fixed + batch_source.estimate.of_batch(*shape)
    validation = plans_of(batcher.cut(batch_source.validation), EVALUATION)
    return BatchSchedule(sampler, validation, estimated, _with_accumulation(training, sampler))


def size_samples(batch_source: BatchSource, training: TrainingConfig) -> ByMemory:
    """Return the number of ASVs of each sample, in a batcher that limits memory.

    The numbers are expected values where ``--max-memory-gb`` makes them decide, and else upper bounds, which need no reads.
    """
    maker = batch_source.maker
    n_mixed = 2 if any(isinstance(step, Mixing) for step in maker.augmentations.values()) else 1
    expected = ExpectedASVs(maker.study, maker.drawing.depth, maker.drawing.token_limit, n_mixed)
    if training.max_memory_gb is None:
        return ByMemory(expected, expected.most(), batch_source.estimate, np.inf)
    lengths = expected.lengths(np.arange(maker.study.n_samples))
    return ByMemory(expected, lengths, batch_source.estimate, training.max_memory_gb * GB)


def sample_epochs(batch_source: BatchSource, training: TrainingConfig, batcher: Batcher) -> EpochSampler:
    """Return the sampler of training batches, which a batcher cuts from each epoch's samples."""
    seed, n_epochs = training.seed, training.epochs
    return EpochSampler(batch_source.training, batcher, seed, batch_source.digest, n_epochs, training.samples_per_epoch)


def costliest_batch(sizes: ByMemory, plans: Sequence[BatchPlan], most: int) -> tuple[np.ndarray, tuple[float, float]]:
    """Find the batch with the largest estimate of memory.

    Parameters
    ----------
    sizes
        Number of ASVs of each sample, and the estimate.
    plans
        The batches.
    most
        Number of batches, those with the most ASVs, that are estimated.

    Returns
    -------
    indices : np.ndarray
        Indices of the samples of the batch, int64.
    shape : tuple[float, float]
        Shape of the batch, as `ByMemory.shape_of` returns it.
    """
    batches = [np.array(plan.samples) for plan in plans]
    largest = sorted(batches, key=lambda batch: sizes.lengths[batch].sum())[-most:]
    indices = np.concatenate(largest)
    lengths = sizes.lengths.copy()
    lengths[indices] = sizes.expected.lengths(indices)
    shapes = [replace(sizes, lengths=lengths).shape_of(batch) for batch in largest]
    costliest = max(range(len(shapes)), key=lambda k: sizes.estimate.of_batch(*shapes[k]))
    return largest[costliest], shapes[costliest]


def _with_accumulation(training: TrainingConfig, sampler: EpochSampler) -> TrainingConfig:
    """Return options that accumulate as many batches as come nearest to ``--target-effective-batch-size``."""
    wanted, n_batches = training.target_effective_batch_size, len(sampler)
    if wanted is None:
        return training
    n_samples = sampler.n_in_epoch / n_batches
    fewer = min(n_batches, max(1, int(wanted / n_samples)))
    n_steps = min(fewer, min(n_batches, fewer + 1), key=lambda n: abs(n * n_samples - wanted))
    logger.info(
        "--target-effective-batch-size %d: a step of the optimiser takes %s of %.3g samples on average: %.3g.",
        wanted, "1 batch" if n_steps == 1 else f"{n_steps} batches", n_samples, n_steps * n_samples,
    )  # fmt: skip
    return replace(training, gradient_accumulation_steps=n_steps, target_effective_batch_size=None)


def _check_budget(by_memory: ByMemory) -> None:
    """Refuse a memory budget that does not hold the model, and warn of samples that it does not hold even alone."""
    estimate, budget = by_memory.estimate, by_memory.budget
    if estimate.fixed > budget:
        raise ConfigError(
            f"--max-memory-gb {budget / GB:g} is less than the {estimate.fixed / GB:.2f} GB that weights, gradients and "
            "optimiser take before any sample. Raise it, or choose a smaller --embedding-dim."
        )
    sizes = [estimate.fixed + estimate.of_batch(length, length) for length in by_memory.lengths.tolist()]
    too_large = [index for index, size in enumerate(sizes) if size > budget]
    if too_large:
        names: Collection[str] = [by_memory.expected.study.sample_ids[index] for index in too_large]
        logger.warning(
            "%d of %d samples are estimated to need up to %.2f GB even alone, more than --max-memory-gb %g, and are trained on "
            "alone: %s. A smaller --token-limit, --asv-chunk-size or --rarefy-depth, or --gradient-checkpointing, needs less.",
            len(too_large), len(sizes), max(sizes) / GB, budget / GB, name_some(names),
        )  # fmt: skip
