"""When a training run is saved and how it is continued; on which devices it runs."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from aam.config.base import config
from aam.config.options import ANY_HEAD, DEVICES, IN_TRAINING, SAVING, Topic, only_with
from aam.config.training import TrainingConfig

LAST_CHECKPOINT = "checkpoints/last.ckpt"
"""In a run's directory, what ``--resume`` continues."""

MEMBERS = "members"
"""In a run's directory, that of the directories of an ensemble's networks: ``1``, ``2``, …"""

CHANGEABLE = (
    "output-dir", "overwrite", "resume", "replay", "checkpoint-minutes", "checkpoint-steps", "cache-dir", "num-workers",
    "validation-plot-samples", "strategy", "devices", "num-nodes", "share-asvs", "sharded-checkpoints",
)  # fmt: skip
"""Flags that may differ when a run is continued: they change no weight, or, those of devices, its last digits. Of paths, what they
lead to may not differ."""

SAVES_MEMORY = ("asv-chunk-size", "gradient-checkpointing")
"""Flags that may differ as well, for a run that memory did not hold, unless --max-memory-gb composes batches by what they cost."""


@config
class SavingConfig:
    """When a training run is saved, and how it is continued."""

    topic: ClassVar[Topic] = SAVING
    is_network_only: ClassVar[bool] = True

    resume: Annotated[bool, IN_TRAINING, ANY_HEAD] = False
    """Continue the run in --output-dir where it was last saved; start it if nothing was saved yet. If it is finished, say so
    and stop. On a CPU the weights become those of a run that was never stopped, to the bit. All options but
    --checkpoint-minutes, --checkpoint-steps, --cache-dir, --num-workers, --validation-plot-samples, those of devices and,
    without --max-memory-gb, --asv-chunk-size and --gradient-checkpointing must be the run's own (--config
    OUTPUT-DIR/config.yaml gives them), and the files must hold the same. A kernel head, which takes seconds, is fitted anew."""
    replay: Annotated[bool, ANY_HEAD] = False
    """Compute the batch once more whose loss was not finite and ended the run in --output-dir. With the weights of that moment,
    say which losses, which part of the model first, and which samples are not finite. Trains and writes nothing; takes the
    run's own options, as --resume does."""
    checkpoint_minutes: Annotated[float, Field(gt=0)] = 10.0
    """Minutes after which the run is saved to checkpoints/last.ckpt, between two optimiser steps. After each epoch and on
    Ctrl-C, SIGTERM and SIGUSR1 it is saved as well. Under SLURM, SIGUSR1 also puts the job back into the queue."""
    checkpoint_steps: Annotated[int, Field(ge=1)] | None = None
    """Optimiser steps after which the run is saved as well. None: only by minutes."""


def check_saving(saving: SavingConfig, overwrite: bool) -> None:
    """Refuse to continue a run and to replace it, or to look into it, at once."""
    if saving.replay and (saving.resume or overwrite):
        raise ValueError(
            f"--replay only looks at the run in --output-dir: leave out {'--resume' if saving.resume else '--overwrite'}."
        )
    if saving.resume and overwrite:
        raise ValueError(
            "--resume continues the run in --output-dir and --overwrite replaces it: pass one of them (--no-overwrite undoes "
            "what a --config file says)."
        )


_FSDP = only_with("{flag} has no effect without {needed}: leave it out, or pass both.", strategy="fsdp")


@config
class DevicesConfig:
    """Training on several devices together: GPUs, or processes on CPUs. Results differ in the last digits only."""

    topic: ClassVar[Topic] = DEVICES
    is_network_only: ClassVar[bool] = True

    strategy: Literal["auto", "ddp", "fsdp"] = "auto"
    """How several devices train together. ddp: each holds the whole model; fsdp: each holds a share of the weights, gradients and
    optimiser state, for models that one device cannot hold. auto: ddp."""
    devices: Annotated[Annotated[int, Field(ge=1)] | None, IN_TRAINING] = None
    """Devices of this machine to train on, a process for each. --batch-size and --max-memory-gb are of all of them together.
    None: as many as torchrun or srun has started processes for, else 1."""
    num_nodes: Annotated[int, Field(ge=1)] | None = None
    """Machines that train together; start aam on each with torchrun or srun. None: as many as these use."""
    sharded_checkpoints: Annotated[bool, _FSDP] = False
    """Let each process write its part of the best weights, into a directory, with --strategy fsdp: faster for large models.
    Such a run cannot be continued with --resume."""
    share_asvs: bool = True
    """Encode each distinct ASV of a batch on one device and send its vector to the others. --no-share-asvs: each encodes all
    that its samples hold, which takes longer, but less from the network."""


def check_devices(devices: DevicesConfig, training: TrainingConfig, saving: SavingConfig) -> None:
    """Check that arithmetic, optimiser and checkpoints suit how devices train together."""
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
