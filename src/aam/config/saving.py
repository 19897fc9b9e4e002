"""When a training run is saved, and how it is continued."""

from typing import Annotated

from pydantic import Field

from aam.config._base import config

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

    resume: bool = False
    """Continue the run in --output-dir where it was last saved; start it if nothing was saved yet; if it is finished, say so and
    stop. On a CPU the weights become those of a run that was never stopped, to the bit. All options but --checkpoint-minutes,
    --checkpoint-steps, --cache-dir, --num-workers, --validation-plot-samples, those of devices and, without --max-memory-gb,
    --asv-chunk-size and --gradient-checkpointing must be the run's own (--config OUTPUT-DIR/config.yaml gives them), and the files
    must hold the same. A kernel head, which takes seconds, is fitted anew."""
    replay: bool = False
    """Compute the batch once more whose loss was not finite and ended the run in --output-dir, with the weights of that moment, and
    say which losses, which part of the model first, and which samples are not finite. Trains and writes nothing; takes the run's
    own options, as --resume does."""
    checkpoint_minutes: Annotated[float, Field(gt=0)] = 10.0
    """Minutes after which the run is saved to checkpoints/last.ckpt, between two optimiser steps; after each epoch and on Ctrl-C,
    SIGTERM and SIGUSR1 it is saved as well. Under SLURM, SIGUSR1 also puts the job back into the queue."""
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
