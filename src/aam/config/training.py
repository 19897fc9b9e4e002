"""How a model is trained."""

from typing import Annotated, Literal

from pydantic import Field

from aam.config._base import config

DEFAULT_BATCH_SIZE = 8


@config
class TrainingConfig:
    """Optimisation."""

    epochs: Annotated[int, Field(ge=1)] = 50
    """Most passes over the training samples; early stopping may end sooner."""
    samples_per_epoch: Annotated[int, Field(ge=2)] | None = None
    """Training samples in an epoch; the next epoch takes the next ones, until all were seen. None: all. For large studies, to
    validate more often than once in a pass over all samples."""
    batch_size: Annotated[int, Field(ge=1)] | None = None
    """Samples per step; distances are learned between the samples of a batch, so pre-training needs at least 2. None: 8, or with
    --max-memory-gb as many as fit; with both options, at most this many."""
    max_memory_gb: Annotated[float, Field(gt=0)] | None = None
    """Compose batches so that the estimated memory of a step stays within this many GB (10⁹ bytes): weights, gradients, optimiser
    and activations, beside the program (about 0.5 GB) and the study. Batches then differ in their number of samples: the estimate
    counts their distinct ASVs and their richest sample. A sample too large for it is trained on alone. Much memory makes few, large
    batches: pass --batch-size as well to limit them."""
    size_window: Annotated[int, Field(ge=1)] = 1
    """Batches' worth of shuffled samples that are sorted by their number of ASVs before they are cut into batches; 1: not at all.
    8 leaves less than half of the padding above the ASV encoder, but makes the samples of a batch alike, and the model learns
    worse: worth it only where padding is what exhausts memory."""
    gradient_accumulation_steps: Annotated[int, Field(ge=1)] = 1
    """Batches whose gradients are added up before each optimiser step."""
    lr: Annotated[float, Field(gt=0, le=100)] = 3e-4
    """Peak learning rate of AdamW."""
    weight_decay: Annotated[float, Field(ge=0, le=1000)] = 0.01
    """Decoupled weight decay of AdamW."""
    warmup_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of all steps in which the learning rate rises linearly, before it falls along a cosine."""
    gradient_clip: Annotated[float, Field(gt=0)] = 1.0
    """Largest norm of the gradient; larger ones are scaled down to it."""
    patience: Annotated[int, Field(ge=1)] = 10
    """Epochs without a better validation loss after which training stops."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed", "64-true"] = "32-true"
    """Arithmetic of training; the mixed ones need hardware that supports them."""
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the samples held out, where --split is random, stratified or grouped."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Fixes the split, the initial weights, the order of samples, rarefaction, masking and dropout."""

    @property
    def most_samples(self) -> int | None:
        """Most samples of a batch; None for as many as fit into --max-memory-gb."""
        return DEFAULT_BATCH_SIZE if self.batch_size is None and self.max_memory_gb is None else self.batch_size
