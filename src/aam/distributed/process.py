"""Rank of this process among several: as torchrun or SLURM set it, or as aam starts them by itself."""

import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

from aam.config.saving import DevicesConfig
from aam.errors import ConfigError

STARTER = "AAM_STARTED_BY"
"""Environment variable with the process id of the aam that started this process as one of several."""

PATIENCE_SECONDS = 15.0
"""Time that the first process of a machine is given to report a mistake that the others have found already, in seconds."""


@dataclass(frozen=True)
class ProcessRank:
    """Rank of a process among those that train together.

    Attributes
    ----------
    rank, n_ranks
        Rank of this process among all, from 0, and the number of processes.
    local_rank, n_local
        Rank of this process on its machine, from 0, and the number of processes there.
    address, port
        Address and port at which the process of rank 0 listens.
    """

    rank: int = 0
    n_ranks: int = 1
    local_rank: int = 0
    n_local: int = 1
    address: str = "127.0.0.1"
    port: int = 0

    @property
    def n_nodes(self) -> int:
        """Number of machines."""
        return self.n_ranks // self.n_local

    @property
    def environment(self) -> dict[str, str]:
        """The same values as the environment variables that torchrun sets, by name."""
        numbers = {"RANK": self.rank, "WORLD_SIZE": self.n_ranks, "LOCAL_RANK": self.local_rank}
        numbers |= {"LOCAL_WORLD_SIZE": self.n_local, "MASTER_PORT": self.port}
        return {"MASTER_ADDR": self.address, **{name: str(value) for name, value in numbers.items()}}


def started_by(environment: Mapping[str, str]) -> tuple[str, ProcessRank] | None:
    """Read from environment variables which launcher started this process as one of several.

    Returns
    -------
    tuple of str and ProcessRank, or None
        ``"torchrun"`` or ``"srun"``, and the rank of this process; None without a launcher, or if srun started only one.
    """
    if {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} <= environment.keys():
        rank, n_ranks, local_rank, n_local, port = (
            int(environment[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_PORT")
        )
        return "torchrun", ProcessRank(rank, n_ranks, local_rank, n_local, environment["MASTER_ADDR"], port)
    n_tasks = int(environment.get("SLURM_STEP_NUM_TASKS", 1))  # of srun alone; a batch script without it has no step
    if n_tasks == 1:
        return None
    from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

    n_local = n_tasks // int(environment["SLURM_STEP_NUM_NODES"])
    address = SLURMEnvironment.resolve_root_node_address(environment["SLURM_STEP_NODELIST"])
    port = 15000 + int(environment["SLURM_JOB_ID"]) % 1000
    rank, local_rank = int(environment["SLURM_PROCID"]), int(environment["SLURM_LOCALID"])
    return "srun", ProcessRank(rank, n_tasks, local_rank, n_local, address, int(environment.get("MASTER_PORT", port)))


def locate_process(config: DevicesConfig, environment: Mapping[str, str], n_gpus: int) -> tuple[ProcessRank, bool]:
    """Find the rank of this process among those that train together.

    Returns
    -------
    tuple of ProcessRank and bool
        Rank of this process, and whether it has to start the others, as no launcher did.

    Raises
    ------
    ConfigError
        The options contradict how processes were started, or the machine.
    """
    started = started_by(environment)
    if started is None:
        if (config.num_nodes or 1) > 1:
            raise ConfigError(
                f"--num-nodes {config.num_nodes}: aam starts processes on its own machine only. Start it on each machine with "
                "torchrun or srun; docs/explanation/bigger-runs.md shows how."
            )
        n_local = config.devices or 1
        process, must_start = ProcessRank(n_ranks=n_local, n_local=n_local, port=_free_port()), n_local > 1
    else:
        launcher, process = started
        must_start = False
        for flag, n_asked, n_started in (
            ("--devices", config.devices, process.n_local),
            ("--num-nodes", config.num_nodes, process.n_nodes),
        ):
            if n_asked not in (None, n_started):
                raise ConfigError(
                    f"{flag} {n_asked}, but {launcher} has started aam for {n_started}: leave {flag} out, or agree."
                )
        if process.n_ranks != process.n_nodes * process.n_local:
            raise ConfigError(f"{launcher} has started {process.n_ranks} processes, not equally many on each machine.")
    if n_gpus and process.n_local > n_gpus:
        raise ConfigError(f"{process.n_local} processes on a machine with {n_gpus} GPUs: use at most one for each.")
    if config.strategy == "fsdp" and process.n_ranks == 1:
        raise ConfigError(
            "--strategy fsdp divides the model among devices, and there is one: pass --devices with the number to use, or leave "
            "--strategy out."
        )
    return process, must_start


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def refuse_launched(environment: Mapping[str, str]) -> None:
    """Raise if a launcher started several processes of a command that uses one: each would write over the others.

    Raises
    ------
    ConfigError
        A launcher started several processes.
    """
    launcher, process = started_by(environment) or ("", ProcessRank())
    if process.n_ranks > 1:
        raise ConfigError(f"{launcher} started {process.n_ranks} processes of a command that uses one: run it alone.")


def is_first_process(environment: Mapping[str, str]) -> bool:
    """Whether this process is the first of those that torchrun, SLURM or aam started together, or the only one."""
    return environment.get("RANK", environment.get("SLURM_PROCID", "0")) == "0"


def is_secondary_process(environment: Mapping[str, str]) -> bool:
    """Whether a launcher started this process beside another one, the first of this machine.

    The first process of a machine reports a mistake that all have found. A process that aam itself started does not count as
    secondary: it reports at once.
    """
    _, process = started_by(environment) or ("", ProcessRank())
    return process.local_rank != 0 and STARTER not in environment


def wait_for_first_process() -> bool:
    """Wait up to `PATIENCE_SECONDS` for the first process of this machine to report a mistake and for the launcher to end this one.

    A launcher ends all processes once one has failed. If it does not, this process alone has found the mistake.

    Returns
    -------
    bool
        Whether the launcher has ended this process; the mistake is then reported already.
    """
    try:
        time.sleep(PATIENCE_SECONDS)
    except KeyboardInterrupt:  # by which the launcher ends it
        return True
    return False
