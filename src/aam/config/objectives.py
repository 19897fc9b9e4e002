"""What the model learns from, and how much each part weighs."""

from typing import Annotated

from pydantic import Field, model_validator

from aam.config._base import config


@config
class PretrainingObjectivesConfig:
    """Self-supervised losses and their weights."""

    penalty: Annotated[float, Field(ge=0, le=1e6)] = 1.0
    """Weight of the distances between samples; 0 leaves them out."""
    nuc_penalty: Annotated[float, Field(ge=0, le=1e6)] = 1.0
    """Weight of the masked nucleotides; 0 leaves them out."""
    nuc_mask_ratio: Annotated[float, Field(gt=0, lt=1)] = 0.15
    """Share of a sequence's nucleotides that are masked."""
    nuc_asv_fraction: Annotated[float, Field(gt=0, le=1)] = 0.25
    """Share of a batch's distinct ASVs that are also read with masked nucleotides; time grows with it."""

    @model_validator(mode="after")
    def _something_to_learn(self) -> "PretrainingObjectivesConfig":
        if not self.penalty and not self.nuc_penalty:
            raise ValueError("--penalty 0 and --nuc-penalty 0 leave nothing to learn: raise one of them.")
        return self


@config
class SupervisedObjectivesConfig:
    """Losses of fine-tuning and their weights."""

    target_penalty: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    """Weight of the metadata column's loss."""
    count_penalty: Annotated[float, Field(ge=0, le=1e6)] = 0.1
    """Weight of predicting an ASV's abundance from the rest of its sample; 0 leaves it out."""
    count_mask_ratio: Annotated[float, Field(gt=0, lt=1)] = 0.15
    """Share of a sample's ASVs whose abundance is hidden for that loss."""
    penalty: Annotated[float, Field(ge=0, le=1e6)] = 1.0
    """Weight of the distances between samples, where --tree or --distances is given; 0 leaves them out."""
