"""On what a model is trained: one device or several, on one machine or several."""

from typing import Annotated, Literal

from pydantic import Field

from aam.config._base import config
from aam.config.saving import SavingConfig
from aam.config.training import TrainingConfig


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
    """With --strategy fsdp, let each process write its part of the best weights, into a directory: faster for large models. Such
    a run cannot be continued with --resume."""
    share_asvs: bool = True
    """Encode each distinct ASV of a batch on one device and send its vector to the others; else each encodes all that its samples
    hold, which takes longer, but less from the network."""


def check_devices(devices: DevicesConfig, training: TrainingConfig, saving: SavingConfig) -> None:
    """Check that arithmetic, optimiser and checkpoints suit how devices train together."""
    if devices.sharded_checkpoints and devices.strategy != "fsdp":
        raise ValueError("--sharded-checkpoints has no effect without --strategy fsdp: leave it out, or pass both.")
    if devices.sharded_checkpoints and (saving.resume or saving.replay):
        flag = "--resume" if saving.resume else "--replay"
        raise ValueError(f"{flag} reads checkpoints that are one file: leave out --sharded-checkpoints.")
    if devices.strategy != "fsdp":
        return
    if training.precision == "16-mixed":
        raise ValueError("--strategy fsdp does not scale losses for --precision 16-mixed: pass bf16-mixed or 32-true.")
    if training.optimizer == "muon":
        raise ValueError(
            "--optimizer muon needs whole matrices, which --strategy fsdp divides: pass --optimizer adamw, or --strategy ddp."
        )
    if training.ema_decay is not None:
        raise ValueError(
            "--ema-decay averages whole weights, which --strategy fsdp divides: leave it out, or pass --strategy ddp."
        )
    if training.batch_size == "auto":
        raise ValueError(
            "--batch-size auto tries steps with the whole model, which --strategy fsdp divides: pass a number, or --strategy ddp."
        )
    if training.find_lr:
        raise ValueError(
            "--find-lr tries rates with the whole model, which --strategy fsdp divides: leave it out and pass --lr, or pass "
            "--strategy ddp."
        )
