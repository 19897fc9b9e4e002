"""Signals that ask a run to stop: the step is finished and saved first, and a second Ctrl-C stops at once."""

import logging
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

logger = logging.getLogger(__name__)

HEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
JOB = "SLURM_JOB_ID"
_NOTED = b"\naam: stopping after this step, to save; Ctrl-C again stops at once.\n"


class StopSignals:
    """Notes that a signal came, for whoever asks between two steps.

    Parameters
    ----------
    is_told
        Whether the user is told so, by one of several processes.

    Attributes
    ----------
    received
        Number of the first signal that came, if any.
    """

    def __init__(self, is_told: bool = True) -> None:
        self.received: int | None = None
        self._is_told = is_told

    def listen(self) -> None:
        """Hear the signals from now on; only the main thread can."""
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
    """Leave behind whatever handlers of the signals there were."""
    earlier: dict[int, Any] = {number: signal.getsignal(number) for number in HEARD}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in earlier.items():
                signal.signal(number, handler)


def requeue() -> None:
    """Under SLURM, put the job back into the queue; its script must pass ``--resume``."""
    job = os.environ.get(JOB)
    if job is None:
        return
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, capture_output=True, text=True)
        logger.info("SLURM was asked to run job %s again.", job)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", None) or error
        logger.warning("Job %s could not be put back into SLURM's queue: %s. Submit it again by hand.", job, reason)
