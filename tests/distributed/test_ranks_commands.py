"""Whole commands on two processes: what they leave is what one leaves, and a mistake is one message."""

import json
import os
import re
import select
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file

from helpers.commands import QUIET, TINY, labels_of, run, simulate, study_of

SHORT = [*TINY, "--epochs", "1", "--batch-size", "9", "--dropout", "0", "--precision", "64-true"]

pytestmark = [
    pytest.mark.multi_process,
    pytest.mark.slow,
    QUIET,
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Simulate a study."""
    folder = tmp_path_factory.mktemp("devices")
    simulate(folder / "study", 30, 40, 20, "--subjects", "30")
    return folder


def options(folder, name):
    return [*study_of(folder, "tree"), "--output-dir", str(folder / name), *SHORT]


def train(folder, name, *more):
    labels = [*labels_of(folder / "study/metadata.tsv", "disease"), "--head", "network"]
    return run("train", *options(folder, name), *labels, *more)


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_training_on_two_processes_leaves_what_one_leaves(strategy, folder):
    more = ["--sharded-checkpoints"] if strategy == "fsdp" else []
    if not (folder / "one").exists():
        assert train(folder, "one") == 0

    assert train(folder, strategy, "--devices", "2", "--strategy", strategy, *more) == 0

    one, two = folder / "one", folder / strategy
    assert {path.name for path in two.iterdir()} == {path.name for path in one.iterdir()}
    assert {path.name for path in (two / "plots").iterdir()} == {path.name for path in (one / "plots").iterdir()}
    expected, found = (json.loads((path / "metrics.json").read_text()) for path in (one, two))
    numbers = [name for name, value in expected.items() if isinstance(value, int | float)]
    assert {name: found[name] for name in numbers} == pytest.approx(
        {name: expected[name] for name in numbers}, rel=1e-6
    )
    first, second = (load_file(path / "model/model.safetensors") for path in (one, two))
    for name, weight in first.items():
        np.testing.assert_allclose(second[name], weight, rtol=1e-6, atol=1e-7, err_msg=name)
    predicted = [pd.read_csv(path / "validation_predictions.tsv", sep="\t") for path in (one, two)]
    pd.testing.assert_frame_equal(*predicted, rtol=1e-5)


@pytest.mark.parametrize(
    "how", [["--strategy", "ddp"], ["--strategy", "fsdp"], ["--strategy", "fsdp", "--sharded-checkpoints"]]
)
def test_an_ensemble_on_two_processes_is_that_of_one(how, folder):
    alone, together = folder / "alone", folder / f"together{''.join(how)}"
    if not alone.exists():
        assert train(folder, "alone", "--ensemble", "2") == 0

    assert train(folder, together.name, "--ensemble", "2", "--devices", "2", *how) == 0

    assert {path.name for path in together.iterdir()} == {path.name for path in alone.iterdir()}
    for name in ("validation_predictions.tsv", "out_of_fold_predictions.tsv"):
        pd.testing.assert_frame_equal(*(pd.read_csv(path / name, sep="\t") for path in (alone, together)), rtol=1e-5)
    for number in ("1", "2"):
        first, second = (load_file(path / "model/members" / number / "model.safetensors") for path in (alone, together))
        for name, weight in first.items():
            np.testing.assert_allclose(second[name], weight, rtol=1e-6, atol=1e-7, err_msg=name)


def test_a_mistake_is_told_once_and_leaves_nothing(folder, capfd):
    arguments = options(folder, "nothing")
    arguments[arguments.index("--tree") + 1] = str(folder / "absent.nwk")

    assert run("pretrain", *arguments, "--devices", "2") == 2

    shown = capfd.readouterr().err
    assert shown.count("absent.nwk") == 1
    assert "Traceback" not in shown
    assert not (folder / "nothing").exists()


@pytest.mark.parametrize(("cores", "told"), [({0}, 1), ({0, 1}, 0)])
def test_processes_that_take_turns_on_a_core_are_told_of_once(cores, told, folder, monkeypatch, capfd):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: cores, raising=False)
    no_taxonomy = folder / "no_taxonomy.tsv"
    no_taxonomy.touch()
    arguments = [*options(folder, "nothing"), "--taxonomy", str(no_taxonomy), "--encoder-type", "taxonomy"]

    assert run("pretrain", *arguments, "--devices", "2") == 2

    assert len(re.findall(r"--devices 2 .*\b2 processes.*\b1 core\b", capfd.readouterr().err)) == told


@pytest.mark.parametrize(
    "wrong", [["--devices", "3"], ["--batch-size", "1"]], ids=["of the launcher", "of the options"]
)
def test_what_all_processes_of_a_launcher_find_wrong_is_told_once(wrong, folder):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "aam"]

    shown = subprocess.run(
        [*launcher, "pretrain", *options(folder, "nothing"), *wrong],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert shown.stderr.count("aam pretrain: ") == shown.stderr.count(f"aam pretrain: {wrong[0]}") == 1
    assert re.findall(r"exitcode +: (\d+)", shown.stderr) == ["2", "2"]
    assert not (folder / "nothing").exists()


def test_a_kernel_head_takes_one_process(folder, capfd):
    labels = [*labels_of(folder / "study/metadata.tsv", "disease"), "--head", "kernel"]
    kept = [flag for flag in options(folder, "kernel") if flag not in SHORT]

    assert run("train", *kept, *labels, "--devices", "2") == 2

    assert len(re.findall(r"kernel head .*one process", capfd.readouterr().err)) == 1


@contextmanager
def run_that_goes_on(folder, name):
    """Start a long run on two processes; give the first one, once both train, and the number of the second."""
    command = [sys.executable, "-m", "aam", "pretrain", *options(folder, name), "--epochs", "100000", "--devices", "2"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stderr:
                if line.startswith("Epoch 1 "):
                    break
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            (second,) = (int(child) for child in children if b"--config" in Path(f"/proc/{child}/cmdline").read_bytes())
            yield process, second
        finally:
            process.kill()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in Linux's /proc")
def test_a_process_that_is_killed_is_told_of(folder):
    with run_that_goes_on(folder, "killed") as (process, second):
        os.kill(second, signal.SIGKILL)
        _, said = process.communicate(timeout=120)

    assert process.returncode == 2
    assert re.search(r"rank 1 .*SIGKILL", said)
    assert "Traceback" not in said


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits for another's child as Linux can")
def test_no_process_outlives_the_first(folder):
    with run_that_goes_on(folder, "orphaned") as (process, second):
        descriptor = os.pidfd_open(second)
        process.kill()
        ended, _, _ = select.select([descriptor], [], [], 60)
        os.close(descriptor)
        said = process.stderr.read()

    assert ended
    assert "first process has ended" in said
    assert "Traceback" not in said
