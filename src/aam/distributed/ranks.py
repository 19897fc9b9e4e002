"""The processes that train together: started, joined, and ended together if one of them fails."""

import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import torch
import torch.distributed as dist
from torch import nn

from aam.batch import RankSpec
from aam.config.base import command_of, write_yaml
from aam.config.saving import DevicesConfig
from aam.distributed.collective import average_gradients
from aam.distributed.process import STARTER, ProcessRank, locate_process
from aam.errors import AamError

logger = logging.getLogger(__name__)


Value = TypeVar("Value")

GRACE_SECONDS = 15.0
"""Time that a process is given to notice by itself that another has failed, in seconds."""

FAREWELL_SECONDS = 3.0
"""Most time between the end of another process's connections and of itself, in seconds."""


class RunsOnDevices(Protocol):
    """Config of a command that may run on several devices."""

    @property
    def devices(self) -> DevicesConfig:
        """Devices to train on."""
        ...


@dataclass(frozen=True)
class Ranks:
    """The processes that train together, seen from one of them.

    Attributes
    ----------
    process
        Rank of this process.
    strategy
        Parallel strategy; None for a single process.
    shares_asvs
        Whether each distinct ASV of a batch is encoded on one rank only.
    shards_checkpoints
        Whether each rank writes its part of a checkpoint, with FSDP.
    """

    process: ProcessRank = field(default_factory=ProcessRank)
    strategy: Literal["ddp", "fsdp"] | None = None
    shares_asvs: bool = True
    shards_checkpoints: bool = False

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and reports for all."""
        return self.process.rank == 0

    @property
    def part(self) -> RankSpec | None:
        """Part of each batch that this process builds; None for a single process."""
        n_ranks = self.process.n_ranks
        return RankSpec(self.process.rank, n_ranks, self.shares_asvs) if n_ranks > 1 else None

    def with_whole_models(self) -> "Ranks":
        """Return the same ranks with a strategy under which each process holds all weights."""
        return self if self.strategy is None else replace(self, strategy="ddp")

    def gather(self, value: Any) -> list[Any]:
        """Gather a value from each rank, by pickling; return the values in the order of ranks."""
        values = [value] * self.process.n_ranks
        if self.strategy is not None:
            dist.all_gather_object(values, value)
        return values

    def from_first(self, value: Value) -> Value:
        """Broadcast the first rank's value, by pickling; return it on every rank."""
        values = [value]
        if self.strategy is not None:
            dist.broadcast_object_list(values)
        return values[0]

    def average_gradients(self, module: nn.Module) -> None:
        """Average over ranks the gradients of weights that every rank has whole, in place."""
        if self.strategy is not None:
            average_gradients(module.parameters())

    @contextmanager
    def raise_together(self) -> Iterator[None]:
        """Wait at the end of a block until all ranks have come to its end; if one has failed, raise its error on all.

        Raises
        ------
        AamError
            The error that the first failed rank raised, or that names that rank where the error is not aam's.
        """
        failed: Exception | None = None
        try:
            yield
        except Exception as error:
            failed = error
        failures = self.gather(
            None if failed is None else (isinstance(failed, AamError), str(failed), socket.gethostname())
        )
        if failed is not None and (self.strategy is None or not isinstance(failed, AamError)):
            raise failed
        errors = [(rank, *error) for rank, error in enumerate(failures) if error is not None]
        if not errors:
            return
        rank, is_ours, message, host = errors[0]
        if not is_ours:
            raise AamError(f"The process of rank {rank} on {host} failed: {message}")
        raise AamError(message if len(errors) == len(failures) else f"rank {rank} on {host}: {message}")


SINGLE_PROCESS = Ranks()


@contextmanager
def process_group(config: RunsOnDevices) -> Iterator[Ranks]:
    """Join the processes that train together; start those of this machine if no launcher has.

    The first process reports for all: the others log errors only, and are silent about mistakes of the user.

    Yields
    ------
    Ranks
        The processes, seen from this one.

    Raises
    ------
    AamError
        The devices cannot be used as asked, or another process failed.
    """
    process, must_start = locate_process(config.devices, os.environ, torch.cuda.device_count())
    options, strategy = config.devices, config.devices.strategy
    if process.n_ranks == 1:
        if not options.share_asvs:
            logger.warning("--no-share-asvs has no effect on one device.")
        yield SINGLE_PROCESS
        return
    ranks = Ranks(process, "ddp" if strategy == "auto" else strategy, options.share_asvs, options.sharded_checkpoints)
    if not ranks.is_first:
        logging.getLogger("aam").setLevel(logging.ERROR)
        warnings.simplefilter("ignore")
    starter = int(os.environ.get(STARTER, "0"))
    if starter:
        threading.Thread(target=_end_with, args=(starter,), daemon=True).start()
    with _environment(process.environment), _others(config, process if must_start else None):
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        if torch.cuda.is_available():
            torch.cuda.set_device(process.local_rank)
        dist.init_process_group(backend)
        try:
            yield ranks
        except (AamError, KeyboardInterrupt):
            if ranks.is_first:
                raise
            raise SystemExit(2) from None
        except Exception:
            if starter and _is_gone(starter):
                _leave()
            raise
        finally:
            dist.destroy_process_group()


def _warn_of_few_cores(n_processes: int) -> None:
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if n_processes > n_cores and not torch.cuda.is_available():
        logger.warning(
            "--devices %d starts %d processes, and this one may use %d %s: they take turns, which is slower than --devices %d.",
            n_processes, n_processes, n_cores, "core" if n_cores == 1 else "cores", n_cores,
        )  # fmt: skip


def _end_with(starter: int) -> None:
    """End this process, whatever it waits for, once the process that started it is gone."""
    while os.getppid() == starter:
        time.sleep(0.5)
    _leave()


def _is_gone(starter: int) -> bool:
    """Return whether the process that started this one has ended: its connections close a moment before that is seen."""
    until = time.monotonic() + FAREWELL_SECONDS
    while os.getppid() == starter and time.monotonic() < until:
        time.sleep(0.05)
    return os.getppid() != starter


def _leave() -> None:
    sys.stderr.write("aam: the first process has ended, and with it this one.\n")
    os._exit(1)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _others(config: RunsOnDevices, first: ProcessRank | None) -> Iterator[None]:
    """Run the same command in the other processes of this machine, and end them together with this one."""
    if first is None:
        yield
        return
    _warn_of_few_cores(first.n_local)
    n_threads = torch.get_num_threads()
    threads = max(1, n_threads // first.n_local)
    with tempfile.TemporaryDirectory(prefix="aam-") as folder:
        options = Path(folder) / "options.yaml"
        options.write_text(write_yaml(config), encoding="utf-8")
        command = [sys.executable, "-m", "aam", command_of(config), "--config", str(options)]
        processes = []
        for rank in range(1, first.n_local):
            process_rank = ProcessRank(rank, first.n_ranks, rank, first.n_local, first.address, first.port)
            environment = {
                "OMP_NUM_THREADS": str(threads),
                **os.environ,
                **process_rank.environment,
                STARTER: str(os.getpid()),
            }
            processes.append(subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL))
        is_over = threading.Event()
        threading.Thread(target=_watch, args=(processes, is_over), daemon=True).start()
        torch.set_num_threads(threads)
        try:
            yield
        except Exception as error:
            if isinstance(error, AamError) or not _has_failed(processes):
                raise
            raise AamError(_what_failed(processes)) from None
        else:
            _wait(processes)
        finally:
            is_over.set()
            torch.set_num_threads(n_threads)
            _end(processes)


def _watch(processes: list[subprocess.Popen], is_over: threading.Event) -> None:
    """End this process if another has failed and this one, waiting for it, does not notice."""
    while not is_over.wait(1.0):
        if any(process.poll() for process in processes):
            if not is_over.wait(GRACE_SECONDS):
                sys.stderr.write(f"aam: {_what_failed(processes)}\n")
                _end(processes)
                os._exit(2)
            return


def _has_failed(processes: list[subprocess.Popen]) -> bool:
    """Whether another process ends with an error within a moment."""
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline and all(process.poll() is None for process in processes):
        time.sleep(0.05)
    return any(process.poll() for process in processes)


def _wait(processes: list[subprocess.Popen]) -> None:
    if any([process.wait() for process in processes]):
        raise AamError(_what_failed(processes))


def _what_failed(processes: list[subprocess.Popen]) -> str:
    """Describe which of the processes of ranks 1, 2 and so on has failed; a killed one has reported nothing itself."""
    for rank, process in enumerate(processes, 1):
        if process.returncode is not None and process.returncode < 0:
            return (
                f"The process of rank {rank} was ended by {signal.Signals(-process.returncode).name}, as the system does with one "
                "that takes too much memory. --resume goes on from the last checkpoint, if there is one."
            )
    return "One of the processes that train together failed; its message is above."


def _end(processes: list[subprocess.Popen]) -> None:
    for process in processes:
        if process.poll() is None:
            process.terminate()
    for process in processes:
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
