"""Runs whose loss is not finite, and ``--replay``, which computes the batch once more."""

import json
import re

import pytest
import torch

from helpers import commands
from helpers.commands import QUIET, TINY, simulate

SHAPE = [*TINY, "--epochs", "3"]
VARIED = ["--dropout", "0.2", "--asv-dropout", "0.2", "--batch-size", "6", "--precision", "32-true"]
DIVERGING = ["--optimizer", "sgd", "--lr", "100", "--gradient-clip", "1e9", "--warmup-fraction", "0"]

pytestmark = QUIET


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Simulate a study, and let two runs fail."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("replaying")
    simulate(folder / "study", 28, 30, 20)
    assert pretrain(folder, folder / "pretrained") == 2
    assert train(folder, folder / "trained") == 2
    return folder


def pretrain(folder, output, *options):
    return commands.pretrain(folder / "study", output, *SHAPE, *VARIED, *DIVERGING, *options)


def train(folder, output, *options):
    fixed = ["--head", "network", "--loss-type", "mse", *SHAPE, *VARIED, *DIVERGING]
    return commands.train(folder / "study", output, *fixed, *options)


def content(output):
    return {path: path.stat().st_mtime_ns for path in output.rglob("*")}


def losses_of(text):
    """Read the losses off what was said."""
    (line,) = re.findall(r"^loss (\S+), of (.*)$", text, re.MULTILINE)
    return line[0], dict(loss.split(" ") for loss in line[1].split(", "))


@pytest.mark.parametrize(("command", "name"), [(pretrain, "pretrained"), (train, "trained")])
def test_the_batch_that_failed_fails_again_in_the_same_way(command, name, folder, capsys):
    output = folder / name
    report, before = json.loads((output / "nonfinite-batch.json").read_text()), content(output)

    assert command(folder, output, "--replay") == 0

    said = capsys.readouterr().out
    total, losses = losses_of(said)
    assert total in ("nan", "inf")
    assert losses == {name: f"{float(loss):.6g}" for name, loss in report["losses"].items()}
    assert re.search(
        rf"batch {report['batch'] + 1} of epoch 1 \(step {report['step']}\), {len(report['samples'])} samples", said
    )
    assert all(repr(sample) in said for sample in report["samples"])
    first = report["first_module_with_output_not_finite"] or "none: the loss itself"
    assert f"first part of the model whose output is not finite: {first}\n" in said
    assert content(output) == before


def test_the_runs_own_options_are_enough(folder, capsys):
    assert commands.run("train", "--config", folder / "trained/config.yaml", "--replay") == 0

    assert losses_of(capsys.readouterr().out)[0] in ("nan", "inf")


def test_the_message_of_the_run_says_how(folder, tmp_path, capsys):
    assert train(folder, tmp_path / "o") == 2

    assert re.search(r"--replay .*--resume\b", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--lr", "10"], "--lr was 100.0 and is 10.0"),
        (["--resume"], r"--replay .*--output-dir.*--resume\b"),
        (["--overwrite"], r"--replay .*--output-dir.*--overwrite\b"),
        (["--head", "kernel"], "kernel head"),
        (["--strategy", "fsdp", "--sharded-checkpoints"], "--replay .*one file"),
    ],
)
def test_another_run_is_not_replayed(options, message, folder, capsys):
    before = content(folder / "trained")

    assert train(folder, folder / "trained", "--replay", *options) == 2

    shown = capsys.readouterr().err
    assert re.search(message, shown)
    assert "Traceback" not in shown
    assert content(folder / "trained") == before


def test_a_directory_without_such_a_run_is_refused(folder, tmp_path, capsys):
    assert train(folder, tmp_path / "absent", "--replay") == 2
    assert re.search(r"nonfinite-batch\.json is missing", capsys.readouterr().err)
    assert not (tmp_path / "absent").exists()

    assert pretrain(folder, folder / "trained", "--replay") == 2
    assert "'aam train' wrote it" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["{", "[]", '{"epoch": 0}'])
def test_a_report_that_was_damaged_is_one_message(text, folder, tmp_path, capsys):
    assert train(folder, tmp_path / "o") == 2
    (tmp_path / "o/nonfinite-batch.json").write_text(text)
    capsys.readouterr()

    assert train(folder, tmp_path / "o", "--replay") == 2

    shown = capsys.readouterr().err
    assert "nonfinite-batch.json is damaged" in shown
    assert "Traceback" not in shown


@pytest.mark.multi_process
@pytest.mark.slow
def test_two_processes_fail_again_together_and_one_says_that_it_is_one(folder, tmp_path, capfd):
    assert pretrain(folder, tmp_path, "--devices", "2") == 2
    report = json.loads((tmp_path / "nonfinite-batch.json").read_text())
    capfd.readouterr()

    assert pretrain(folder, tmp_path, "--devices", "2", "--replay") == 0

    said = capfd.readouterr().out
    _, losses = losses_of(said)
    assert losses == {name: f"{float(loss):.6g}" for name, loss in report["losses"].items()}
    assert pretrain(folder, tmp_path, "--replay") == 0
    assert re.search(r"processes 2 .* 1\b", capfd.readouterr().err)
