"""On what a model is trained: one device or several, on one machine or several."""

from typing import Annotated, Literal

from pydantic import Field

from aam.config._base import config


@config
class DevicesConfig:
    """Training on several devices together: GPUs, or processes on CPUs. Results differ in the last digits only."""

    strategy: Literal["auto", "ddp", "fsdp"] = "auto"
    """How several devices train together. ddp: each holds the whole model; fsdp: each holds a share of the weights, gradients and
    optimiser state, for models that one device cannot hold. auto: ddp."""
    devices: Annotated[int, Field(ge=1)] | None = None
    """Devices of this machine to train on, a process for each; --batch-size and --max-memory-gb are of all of them together. None:
    as many as torchrun or srun has started processes for, else 1."""
    num_nodes: Annotated[int, Field(ge=1)] | None = None
    """Machines that train together; start aam on each with torchrun or srun. None: as many as these use."""
    sharded_checkpoints: bool = False
    """With --strategy fsdp, let each process write its part of a checkpoint, which is then a directory: faster for large models.
    Any number of processes reads either kind."""
    share_asvs: bool = True
    """Encode each distinct ASV of a batch on one device and send its vector to the others; else each encodes all that its samples
    hold, which takes longer, but less from the network."""
