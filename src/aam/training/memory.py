"""Whether memory holds a step: the bytes that are free, and one answer on all ranks."""

import gc
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from aam.distributed.collective import OutOfMemoryElsewhereError, raise_if_any_rank_ran_out_of_memory
from aam.errors import AamError

logger = logging.getLogger(__name__)

_GROUPS = (
    # folder of the hierarchy, its controller in /proc/self/cgroup, limit, usage, and what of that can be given back at once
    ("sys/fs/cgroup", "", "memory.max", "memory.current", "inactive_file"),
    ("sys/fs/cgroup/memory", "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)

ADVICE = (
    "For a new run, pass a smaller --batch-size (auto finds one; --target-effective-batch-size keeps the steps of the optimiser as "
    "large), --token-limit or --rarefy-depth. To continue this one, pass --resume with more --devices or, unless it has "
    "--max-memory-gb, with a smaller --asv-chunk-size or --gradient-checkpointing: they change no more than the last digits."
)
"""Advice to the user whose memory does not hold a step."""

_OF_A_CPU = "can't allocate memory"


def available_bytes(root: Path = Path("/")) -> float:
    """Compute the bytes of memory that this process may still take.

    SLURM, Docker and systemd limit memory by control groups. Both versions are read, and limits of enclosing groups count, too.

    Parameters
    ----------
    root
        Directory that holds ``proc`` and ``sys``.

    Returns
    -------
    float
        Bytes; without Linux's ``/proc``, all memory of the machine.
    """
    return min(_available_on_machine(root), *(_available_in_groups(root) or [float("inf")]))


def _available_on_machine(root: Path) -> float:
    try:
        lines = (root / "proc/meminfo").read_text(encoding="ascii").splitlines()
        return 1024.0 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def _available_in_groups(root: Path) -> list[float]:
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    available = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for folder, controller, *names in _GROUPS:
            if controller in controllers.split(","):
                innermost = root / folder / path.lstrip("/")
                groups = [innermost, *innermost.parents[: len(Path(path.lstrip("/")).parts)]]
                available += [_available_in_group(group, *names) for group in groups]
    return available


def _available_in_group(group: Path, limit: str, usage: str, reclaimable: str) -> float:
    """Return the bytes that one group leaves; infinity where it sets no limit, or cannot be seen from inside a container."""
    try:
        limit_bytes = float((group / limit).read_text(encoding="ascii"))
        used_bytes = int((group / usage).read_text(encoding="ascii"))
        statistics = dict(line.split() for line in (group / "memory.stat").read_text(encoding="ascii").splitlines())
    except (OSError, ValueError):  # the limit is the word max
        return float("inf")
    return max(0.0, limit_bytes - used_bytes + int(statistics.get(reclaimable, 0)))


class StepTooLargeError(AamError):
    """Memory does not hold a step."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory of a GPU or of this machine did not suffice."""
    is_named = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return is_named or (isinstance(error, RuntimeError) and _OF_A_CPU in str(error))


def fits(step: Callable[[], object], has_others: bool = False) -> bool:
    """Run a step; if memory does not hold it, free all that it allocated.

    Parameters
    ----------
    step
        Function to run. The caller undoes its changes, such as gradients, if it does not come to its end.
    has_others
        Whether other ranks run the step, too: then the answer is False on all of them if it is False on one.

    Returns
    -------
    bool
        Whether memory held the step.
    """
    try:
        step()
        if has_others:
            raise_if_any_rank_ran_out_of_memory()
        return True
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        if has_others and not isinstance(error, OutOfMemoryElsewhereError):
            raise_if_any_rank_ran_out_of_memory(is_out_of_memory=True)
    gc.collect()  # the error, and through it the step's tensors, are let go of only here
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return False


@contextmanager
def memory_is_explained(is_first: bool) -> Iterator[None]:
    """Raise with advice if memory runs out in a block for which nothing else is left to try.

    Parameters
    ----------
    is_first
        Whether this rank reports for all. Another rank logs the advice itself: the others end because it did, without knowing why.

    Raises
    ------
    StepTooLargeError
        Memory ran out.
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        explained = StepTooLargeError(f"Memory does not hold a step. {ADVICE}")
        if not is_first:
            logger.error("aam: %s", explained)
        raise explained from None
