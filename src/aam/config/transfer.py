"""How a pre-trained model is taken further."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from aam.config._base import config, flag_of

_OF_THE_BASE = ("layer_decay", "unfreeze_epochs")


@config
class StartConfig:
    """What pre-training begins with."""

    pretrained: Path | None = None
    """Directory of an earlier 'aam pretrain' to go on from, on this study: its shape replaces the options of the model, and its
    weights the random ones. So a model of a large public study learns the ASVs of your own, without labels, in fewer epochs. None:
    start from random weights."""


@config
class TransferConfig:
    """Start from a pre-trained model."""

    pretrained: Path | None = None
    """Directory that 'aam pretrain' wrote; its shape replaces the options of the model. None: start from random weights."""
    freeze_base: bool = False
    """Keep the pre-trained part as it is and train the heads only: fast, and safer on few samples."""

    head_lr: Annotated[float, Field(gt=0, le=100)] | None = None
    """Peak learning rate of the heads. None: --lr. Heads begin with random weights: on a pre-trained base, ten times --lr is
    usual."""
    category_lr: Annotated[float, Field(gt=0, le=100)] | None = None
    """Peak learning rate of what --categorical-columns and --numeric-columns add: vectors of categories, and how they meet the
    microbes. None: as the heads. A category that few samples have is in few steps, and may need a higher one."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Each block of the base learns at this times the rate of the block above it: below 1, 0.8 for example, what is nearer to the
    nucleotides, and more general, changes less."""
    unfreeze_epochs: Annotated[int, Field(ge=0)] = 0
    """Epochs in which only the heads learn; then the uppermost block of the base joins them, after as many again the next below,
    and so on. 0: all learn from the start. Blocks that are not reached within --epochs stay as they were."""

    @model_validator(mode="after")
    def _nothing_to_freeze(self) -> "TransferConfig":
        if self.freeze_base and self.pretrained is None:
            raise ValueError("--freeze-base keeps pre-trained weights: pass --pretrained DIRECTORY as well.")
        if self.unfreeze_epochs and self.pretrained is None:
            raise ValueError(
                "--unfreeze-epochs lets a pre-trained base rest at first: pass --pretrained DIRECTORY as well."
            )
        moves_the_base = [flag_of(name) for name in _OF_THE_BASE if getattr(self, name) != getattr(type(self), name)]
        if self.freeze_base and moves_the_base:
            raise ValueError(f"--freeze-base leaves nothing to {' and '.join(moves_the_base)}: leave out one of them.")
        return self
