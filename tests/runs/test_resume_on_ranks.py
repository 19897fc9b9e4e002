"""Commands on two processes that are stopped and continued, there or in one process, end as a run that was never stopped."""

import os
import re
import signal
from pathlib import Path

import pytest
import torch

from helpers import commands
from helpers.commands import QUIET, TINY, simulate, stop_at

SHAPE = [*TINY, "--epochs", "2", "--batch-size", "6", "--rarefy-depth", "none"]
VARIED = ["--dropout", "0.2", "--asv-dropout", "0.2", "--precision", "32-true"]
EXACT = ["--dropout", "0", "--precision", "64-true"]

pytestmark = [
    pytest.mark.multi_process,
    pytest.mark.slow,
    QUIET,
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Simulate a study."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("resuming-on-ranks")
    simulate(folder / "study", 28, 30, 20)
    return folder


@pytest.fixture(scope="module")
def exact(folder):
    """Train in one process, in double precision and without dropout."""
    assert pretrain(folder, folder / "exact", *EXACT) == 0
    return weights(folder / "exact")


def pretrain(folder, output, *options):
    return commands.pretrain(folder / "study", output, *SHAPE, *options)


def stop_this_process():
    os.kill(os.getpid(), signal.SIGTERM)


def stop_the_other_process():
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            if b"pretrain" in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(int(child), signal.SIGTERM)


def weights(output):
    return torch.load(output / "checkpoints/last.ckpt", weights_only=True)["state_dict"]


def test_two_processes_that_were_stopped_and_continued_give_the_same_bits(folder, tmp_path, monkeypatch, capfd):
    two = [*VARIED, "--devices", "2"]
    assert pretrain(folder, tmp_path / "whole", *two) == 0
    with monkeypatch.context() as patch:
        stop_at(patch, 0, 1, stop_this_process)
        assert pretrain(folder, tmp_path / "o", *two) == 128 + signal.SIGTERM
    said = capfd.readouterr().err

    assert pretrain(folder, tmp_path / "o", *two, "--resume") == 0

    assert said.count("stopping after this step") == said.count("Saved after 0 epochs and 2 batches (2 steps).") == 1
    assert said.count("stopped by SIGTERM") == 1
    assert "last.ckpt after 0 epochs and 2 batches (2 steps).\n" in capfd.readouterr().err
    for name in ("model/model.safetensors", "metrics.json", "splits.tsv"):
        assert (tmp_path / "o" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_a_signal_to_any_process_stops_all_and_one_process_goes_on(
    strategy, folder, exact, tmp_path, monkeypatch, capfd
):
    with monkeypatch.context() as patch:
        stop_at(patch, 0, 1, stop_the_other_process)
        assert pretrain(folder, tmp_path, *EXACT, "--devices", "2", "--strategy", strategy) == 128 + signal.SIGTERM
    assert re.search(r"Saved after 0 epochs and \d batches", capfd.readouterr().err)

    assert pretrain(folder, tmp_path, *EXACT, "--resume") == 0

    assert re.search(r"processes 2 .* 1\b", capfd.readouterr().err)
    torch.testing.assert_close(weights(tmp_path), exact, rtol=0, atol=1e-10)


def test_weights_in_parts_go_on_in_parts_even_if_some_were_never_used(folder, exact, tmp_path, monkeypatch):
    """Where no ASV is hidden, the vector of hidden ones has no gradient, and the optimiser no state of it."""
    parts = [*EXACT, "--devices", "2", "--strategy", "fsdp"]
    with monkeypatch.context() as patch:
        stop_at(patch, 0, 1, stop_this_process)
        assert pretrain(folder, tmp_path, *parts) == 128 + signal.SIGTERM

    assert pretrain(folder, tmp_path, *parts, "--resume") == 0

    torch.testing.assert_close(weights(tmp_path), exact, rtol=0, atol=1e-10)


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_what_one_process_began_two_go_on_with(strategy, folder, exact, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_at(patch, 0, 1, stop_this_process)
        assert pretrain(folder, tmp_path, *EXACT) == 128 + signal.SIGTERM

    assert pretrain(folder, tmp_path, *EXACT, "--resume", "--devices", "2", "--strategy", strategy) == 0

    torch.testing.assert_close(weights(tmp_path), exact, rtol=0, atol=1e-10)


def test_a_finished_run_is_left_alone_and_another_is_refused_once(folder, exact, capfd):
    assert pretrain(folder, folder / "exact", *EXACT, "--resume", "--devices", "2") == 0
    assert capfd.readouterr().err.count("nothing was done") == 1

    assert pretrain(folder, folder / "exact", *EXACT, "--resume", "--devices", "2", "--lr", "0.1") == 2

    assert capfd.readouterr().err.count("--lr was 0.0003 and is 0.1") == 1


def test_two_processes_find_the_rate_that_one_finds(folder, tmp_path, capfd):
    found = []
    for name, devices in (("one", "1"), ("two", "2")):
        assert pretrain(folder, tmp_path / name, *EXACT, "--find-lr", "--devices", devices) == 0
        assert (tmp_path / name / "plots/find_lr.png").is_file()
        found.append(re.findall(r"falls most steeply at --lr (\S+)", capfd.readouterr().err))

    assert len(found[0]) == 1
    assert found[0] == found[1]
    torch.testing.assert_close(weights(tmp_path / "two"), weights(tmp_path / "one"), rtol=0, atol=1e-10)
