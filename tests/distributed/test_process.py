"""Which process this is: read from what torchrun and srun set, and refused where the options say otherwise."""

import pytest

from aam.cli import main
from aam.config.saving import DevicesConfig
from aam.distributed.process import (
    PATIENCE_SECONDS,
    STARTER,
    ProcessRank,
    is_first_process,
    is_secondary_process,
    locate_process,
    refuse_launched,
    started_by,
    wait_for_first_process,
)
from aam.errors import ConfigError

TORCHRUN = {
    "RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4", "MASTER_ADDR": "node1", "MASTER_PORT": "29500",
}  # fmt: skip
ALONE_BY_TORCHRUN = {**TORCHRUN, "RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
SRUN = {
    "SLURM_STEP_NUM_TASKS": "8", "SLURM_STEP_NUM_NODES": "2", "SLURM_STEP_NODELIST": "gpu[07-08]", "SLURM_JOB_ID": "123456",
    "SLURM_PROCID": "5", "SLURM_LOCALID": "1",
}  # fmt: skip


def test_a_process_alone_is_the_first_of_one():
    process, must_start = locate_process(DevicesConfig(), {}, n_gpus=0)

    assert (process.rank, process.n_ranks, process.n_nodes, must_start) == (0, 1, 1, False)


def test_without_a_launcher_the_devices_of_this_machine_are_started():
    process, must_start = locate_process(DevicesConfig(devices=3), {}, n_gpus=0)

    assert (process.rank, process.n_ranks, process.n_local, must_start) == (0, 3, 3, True)
    assert started_by(process.environment) == ("torchrun", process)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (TORCHRUN, ProcessRank(5, 8, 1, 4, "node1", 29500)),
        (SRUN, ProcessRank(5, 8, 1, 4, "gpu07", 15456)),
        ({**SRUN, "MASTER_PORT": "4711"}, ProcessRank(5, 8, 1, 4, "gpu07", 4711)),
    ],
)
def test_a_launcher_says_which_process_this_is(environment, expected):
    process, must_start = locate_process(DevicesConfig(devices=4, num_nodes=2), environment, n_gpus=4)

    assert (process, process.n_nodes, must_start) == (expected, 2, False)


def test_a_batch_script_without_srun_has_one_process():
    assert started_by({"SLURM_JOB_ID": "1", "SLURM_NTASKS": "4", "SLURM_PROCID": "0"}) is None
    assert started_by({**SRUN, "SLURM_STEP_NUM_TASKS": "1"}) is None


@pytest.mark.parametrize(
    ("options", "environment", "n_gpus", "message"),
    [
        ({"num_nodes": 2}, {}, 0, "--num-nodes 2: "),
        ({"devices": 2}, TORCHRUN, 4, r"--devices 2, .*torchrun .*\b4\b"),
        ({"num_nodes": 3}, SRUN, 4, r"--num-nodes 3, .*srun .*\b2\b"),
        ({}, {**TORCHRUN, "LOCAL_WORLD_SIZE": "3"}, 4, "equally many"),
        ({"devices": 3}, {}, 2, r"\b3 processes .*\b2 GPUs"),
        ({"strategy": "fsdp"}, {}, 1, r"--strategy fsdp .*\bone\b"),
        (
            {"strategy": "fsdp"},
            ALONE_BY_TORCHRUN,
            0,
            r"--strategy fsdp .*\bone\b",
        ),
    ],
)
def test_what_contradicts_is_refused(options, environment, n_gpus, message):
    with pytest.raises(ConfigError, match=message):
        locate_process(DevicesConfig(**options), environment, n_gpus)


def test_a_launcher_of_several_processes_is_refused_where_one_is_enough():
    with pytest.raises(ConfigError, match="torchrun started 8 processes"):
        refuse_launched(TORCHRUN)
    refuse_launched({})
    refuse_launched(ALONE_BY_TORCHRUN)


def test_the_first_process_speaks_for_all():
    assert [is_first_process(of) for of in ({}, TORCHRUN, {"RANK": "0"}, {"SLURM_PROCID": "1"})] == [
        True,
        False,
        True,
        False,
    ]


@pytest.fixture
def waited(monkeypatch):
    """Let no time pass; give the times that were waited for."""
    seconds = []
    monkeypatch.setattr("aam.distributed.process.time.sleep", seconds.append)
    return seconds


@pytest.mark.parametrize(
    ("environment", "is_secondary"),
    [
        ({}, False),
        ({**TORCHRUN, "RANK": "4", "LOCAL_RANK": "0"}, False),
        ({**TORCHRUN, STARTER: "1"}, False),
        ({**SRUN, "SLURM_LOCALID": "0"}, False),
        (TORCHRUN, True),
        (SRUN, True),
    ],
)
def test_asking_whether_a_process_is_secondary_takes_no_time(environment, is_secondary, waited):
    assert is_secondary_process(environment) == is_secondary

    assert waited == []


def test_waiting_for_the_first_process_has_an_end(waited):
    assert not wait_for_first_process()

    assert waited == [PATIENCE_SECONDS]


@pytest.mark.parametrize(("local_rank", "n_waits"), [("0", 0), ("1", 1)])
def test_only_a_secondary_process_waits_before_it_tells_of_a_mistake(local_rank, n_waits, waited, monkeypatch, capsys):
    for name, value in {**TORCHRUN, "LOCAL_RANK": local_rank}.items():
        monkeypatch.setenv(name, value)

    assert main(["cache"]) == 2

    assert len(waited) == n_waits
    assert "aam cache: " in capsys.readouterr().err


@pytest.mark.parametrize("is_ended", [True, False])
def test_another_process_tells_of_a_mistake_only_if_the_launcher_lets_it_live(is_ended, waited, monkeypatch, capsys):
    def end(seconds):
        raise KeyboardInterrupt

    if is_ended:
        monkeypatch.setattr("aam.distributed.process.time.sleep", end)
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)

    assert main(["cache"]) == 2

    assert ("aam cache: " in capsys.readouterr().err) == (not is_ended)
