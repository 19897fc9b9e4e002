"""How a model is trained."""

from typing import Annotated, Literal

from pydantic import Field

from aam.config._base import config


@config
class TrainingConfig:
    """Optimisation."""

    epochs: Annotated[int, Field(ge=1)] = 50
    """Most passes over the training samples; early stopping may end sooner."""
    batch_size: Annotated[int, Field(ge=1)] = 8
    """Samples per step; distances are learned between the samples of a batch, so pre-training needs at least 2."""
    gradient_accumulation_steps: Annotated[int, Field(ge=1)] = 1
    """Batches whose gradients are added up before each optimiser step."""
    lr: Annotated[float, Field(gt=0)] = 3e-4
    """Peak learning rate of AdamW."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
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
    seed: Annotated[int, Field(ge=0)] = 0
    """Fixes the split, the initial weights, the order of samples, rarefaction, masking and dropout."""
