"""Saving of a run so that it continues as if never stopped: when, to which files, and on which signals it stops."""

import copy
import logging
import math
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning.fabric.plugins.io import CheckpointIO
from lightning.pytorch.callbacks import Checkpoint

from aam.config.saving import LAST_CHECKPOINT, SavingConfig
from aam.errors import AamError, StopRequested
from aam.training.best_epoch import Criterion
from aam.training.checkpoints import HEADER, PROGRESS, Identity, Progress, header_of, read_checkpoint, write_checkpoint
from aam.training.strategies import own_part

logger = logging.getLogger(__name__)

HEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)

JOB = "SLURM_JOB_ID"

_NOTED = b"\naam: stopping after this step, to save; Ctrl-C again stops at once.\n"


BEST = "checkpoints/best.ckpt"

_WEIGHTS_ONLY = "optimizer_states"  # what such a checkpoint lacks


class StopSignals:
    """Records a signal that asks to stop, to be acted on between two steps.

    Parameters
    ----------
    is_told
        Whether this process, one of several, tells the user that a signal came.

    Attributes
    ----------
    received
        Number of the first signal that came; None before.
    """

    def __init__(self, is_told: bool = True) -> None:
        self.received: int | None = None
        self._is_told = is_told

    def listen(self) -> None:
        """Install the handlers of the signals; outside the main thread, do nothing."""
        if threading.current_thread() is threading.main_thread():
            for number in HEARD:
                signal.signal(number, self._note)

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.received is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        if self.received is None:
            self.received = number
            if self._is_told:
                os.write(2, _NOTED)  # the logger may be at work on another line


@contextmanager
def earlier_handlers() -> Iterator[None]:
    """Restore at the end of the block the signal handlers from before it."""
    earlier: dict[int, Any] = {number: signal.getsignal(number) for number in HEARD}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in earlier.items():
                signal.signal(number, handler)


def requeue() -> None:
    """Put the job back into SLURM's queue, if SLURM runs it; its script must pass ``--resume``."""
    job = os.environ.get(JOB)
    if job is None:
        return
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, capture_output=True, text=True)
        logger.info("SLURM was asked to run job %s again.", job)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", None) or error
        logger.warning("Job %s could not be put back into SLURM's queue: %s. Submit it again by hand.", job, reason)


@dataclass(frozen=True)
class SavingPlan:
    """Plan by which a run is saved.

    Attributes
    ----------
    identity
        Inputs that determine the run.
    when
        Intervals between two checkpoints; None to keep the best weights only.
    progress
        Progress from which the run continues; None to start anew.
    """

    identity: Identity
    when: SavingConfig | None
    progress: Progress | None = None


class CheckpointFiles(CheckpointIO):
    """Writes, reads and removes the checkpoint files of Lightning.

    A failure to write never ends training, and the last good file stays. It is warned of once, until writing succeeds again. Best
    weights that could not be written are kept in memory, and written before anything else.

    Parameters
    ----------
    identity
        Inputs that determine the run; None if no run will continue from the files.
    """

    def __init__(self, identity: Identity | None) -> None:
        self._identity = identity
        self._unsaved: tuple[Path, dict[str, Any]] | None = None
        self._failing: set[Path] = set()

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint, or warn that it cannot be written."""
        path = Path(path)
        content = {**checkpoint, HEADER: header_of(self._identity or Identity({}, {}, ""))}
        is_best = _WEIGHTS_ONLY not in checkpoint
        if is_best:
            self._unsaved = (path, content)
        elif self._unsaved is not None and not self._write(*self._unsaved):
            return  # what tells of better weights must not be there without them
        if self._write(path, content):
            self._unsaved = None
        elif is_best:
            self._unsaved = (path, copy.deepcopy(content))  # training goes on to change the weights

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Load a checkpoint after its checks; it holds nothing but numbers and names."""
        return read_checkpoint(Path(path))

    def remove_checkpoint(self, path: Any) -> None:
        """Delete a checkpoint, if it exists."""
        Path(path).unlink(missing_ok=True)

    def best(self, path: Path) -> dict[str, Any]:
        """Return the checkpoint of the best weights.

        Raises
        ------
        CheckpointError
            The file was damaged or removed meanwhile.
        """
        return read_checkpoint(path) if self._unsaved is None else self._unsaved[1]

    def _write(self, path: Path, content: dict[str, Any]) -> bool:
        try:
            write_checkpoint(path, content)
        except (OSError, RuntimeError, AamError) as error:
            if path not in self._failing:
                _warn_of_unsaved(path, error)
            self._failing.add(path)
            return False
        if path in self._failing:
            logger.info("The checkpoint %s could be saved again.", path)
        self._failing.discard(path)
        return True


def _warn_of_unsaved(path: Path, error: Exception) -> None:
    kept = "the one before is kept" if path.exists() else "there is none before it"
    cause = error.__context__ if isinstance(error.__context__, OSError) else error  # torch hides what the disk said
    logger.warning(
        "The checkpoint %s could not be saved, %s: %s. Training goes on, and tries again each time.",
        path, kept, str(cause).rstrip("."),
    )  # fmt: skip


class Saving(Checkpoint):
    """Saves the best weights after an epoch, and the whole run between two steps.

    The run is saved when it is due, after each epoch, and when a signal asks to stop. By then all effects of a step are logged and
    counted, so that nothing of it is done twice.

    Parameters
    ----------
    output_dir
        Directory of the run.
    when
        Intervals between two checkpoints; None to keep the best weights only.
    signals
        Signals that ask to stop.
    criterion
        Number of the validation that chooses the best epoch.
    clock
        Function that returns the time in seconds.
    """

    def __init__(
        self,
        output_dir: Path,
        when: SavingConfig | None,
        signals: StopSignals,
        criterion: Criterion,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.best_path, self.last_path = output_dir / BEST, output_dir / LAST_CHECKPOINT
        self.best = math.inf
        self._has_best, self._criterion = False, criterion
        self._when, self._signals, self._clock = when, signals, clock
        self._saved_at, self._saved_steps = 0.0, 0
        self._next: Progress = Progress(0, 0, 0)

    def state_dict(self) -> dict[str, Any]:
        """Return the cost of the best epoch so far, for a checkpoint."""
        return {"best": self.best, "has_best": self._has_best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the cost of the best epoch so far."""
        self.best, self._has_best = state_dict["best"], state_dict["has_best"]

    def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Add the progress of the run, and set Lightning's counters to it."""
        checkpoint[PROGRESS] = asdict(self._next)
        settle_counters(
            checkpoint["loops"]["fit_loop"], is_between_epochs=not self._next.batch, is_epoch_trained=trainer.validating
        )

    def on_load_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Restore the progress that is saved already."""
        self._next = Progress(**checkpoint[PROGRESS])

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Start the clock, listen to signals, and remove temporary files of writers that were killed."""
        self._saved_at, self._saved_steps = self._clock(), trainer.global_step
        if self._when is None:
            return
        self._signals.listen()
        if trainer.is_global_zero:
            for path in (self.best_path, self.last_path):
                for leftover in path.parent.glob(f".{path.stem}-????????{path.suffix}"):
                    leftover.unlink(missing_ok=True)

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Save the run after the epoch that has ended."""
        progress = Progress(trainer.current_epoch, 0, trainer.global_step)
        if progress != self._next:
            self._save(trainer, progress)
        self._stop_if_asked(trainer)

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Save the run between two optimiser steps, if that is due."""
        if batch_idx and batch_idx % trainer.accumulate_grad_batches == 0:
            self._save_if_due(trainer, Progress(trainer.current_epoch, batch_idx, trainer.global_step))

    def on_validation_batch_start(self, trainer: Any, *args: Any, **kwargs: Any) -> None:
        """Save the run after the epoch's last step, if that is due."""
        self._save_if_due(trainer, Progress(trainer.current_epoch, trainer.num_training_batches, trainer.global_step))

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Save the weights if no epoch was better."""
        cost = self._criterion.cost(trainer.callback_metrics)
        if math.isinf(cost) and trainer.is_global_zero:
            logger.warning(
                "Epoch %d has no finite %s and counts as the worst.", trainer.current_epoch + 1, self._criterion.name
            )
        if cost < self.best or not self._has_best:
            self.best, self._has_best = cost, True
            trainer.save_checkpoint(self.best_path, weights_only=True)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Save the finished run."""
        self._save(trainer, Progress(trainer.current_epoch, 0, trainer.global_step, is_finished=True))
        self._stop_if_asked(trainer)

    def _save_if_due(self, trainer: Any, progress: Progress) -> None:
        if self._when is None:
            return
        is_asked = self._signals.received is not None
        is_late = self._clock() - self._saved_at >= 60 * self._when.checkpoint_minutes
        n_steps = progress.steps - self._saved_steps
        is_due = is_late or (self._when.checkpoint_steps is not None and n_steps >= self._when.checkpoint_steps)
        if n_steps and trainer.strategy.reduce_boolean_decision(is_due or is_asked, all=False):
            self._save(trainer, progress)
        self._stop_if_asked(trainer)

    def _save(self, trainer: Any, progress: Progress) -> None:
        if self._when is None:
            return
        is_finite = all(bool(own_part(weight).isfinite().all()) for weight in trainer.lightning_module.parameters())
        if not trainer.strategy.reduce_boolean_decision(is_finite):
            return  # the last good checkpoint is worth more; the next step stops the run
        self._next = progress
        for tracker in trainer.loggers:
            tracker.save()
        trainer.save_checkpoint(self.last_path)
        self._saved_at, self._saved_steps = self._clock(), progress.steps

    def _stop_if_asked(self, trainer: Any) -> None:
        """Stop all processes if one of them received a signal."""
        if self._when is None:
            return
        received = torch.tensor(self._signals.received or 0, device=trainer.strategy.root_device)
        number = int(trainer.strategy.reduce(received, reduce_op="max"))
        if not number:
            return
        if trainer.is_global_zero:
            logger.info("Saved after %s.", self._next)
            if number == signal.SIGUSR1:
                requeue()
        trainer.strategy.barrier()  # who starts processes ends the others as soon as one has stopped
        raise StopRequested(number)


def settle_counters(loops: dict[str, Any], is_between_epochs: bool, is_epoch_trained: bool) -> None:
    """Set Lightning's counters in a checkpoint, some of which count work that has begun, to the work that is done.

    Parameters
    ----------
    loops
        State of Lightning's loops; changed in place.
    is_between_epochs
        Whether the next epoch has not begun.
    is_epoch_trained
        Whether all batches of the epoch are done, and its validation follows.
    """
    batches, validation = loops["epoch_loop.batch_progress"], loops["epoch_loop.val_loop.batch_progress"]
    batches["is_last_batch"] = is_epoch_trained
    for part in ("total", "current"):
        done = batches[part]["completed"]
        batches[part] |= {"ready": done, "started": done, "processed": done}
        if is_between_epochs:
            epochs = loops["epoch_progress"][part]
            loops["epoch_progress"][part] = dict.fromkeys(epochs, epochs["processed"])
        if is_epoch_trained:  # what Lightning takes for a validation that was cut off, and does again
            validation[part] |= {"ready": 1, "started": 1, "processed": 0, "completed": 0}
