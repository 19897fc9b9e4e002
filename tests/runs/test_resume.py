"""Whole commands that are stopped and continued, and all that is refused, with a reason, when one is."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from aam.training.checkpoints import HEADER, write_checkpoint
from helpers.commands import SMALL, labels_of, run, simulate, stop_at, study_of

VARIED = ["--dropout", "0.2", "--asv-dropout", "0.2", "--abundance-noise", "0.3", "--precision", "32-true"]
LENGTH = ["--epochs", "2", "--batch-size", "6"]

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Simulate a study, and train on it without a stop."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("resuming")
    simulate(folder / "study", 28, 30, 40)
    assert run(*pretraining(folder, folder / "pretrained")) == 0
    assert run(*training(folder, folder / "trained")) == 0
    return folder


def pretraining(folder, output, *options):
    fixed = ["--output-dir", output, "--loss-balancing", "uncertainty", *SMALL, *VARIED, *LENGTH]
    return ["pretrain", *study_of(folder, "tree"), *fixed, *options]


def training(folder, output, *options):
    labels = [*labels_of(folder / "study/metadata.tsv", "age"), "--group-column", "subject"]
    fixed = ["--output-dir", output, "--head", "network", *SMALL, *VARIED, *LENGTH]
    return ["train", *study_of(folder, "tree"), *labels, *fixed, *options]


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def results(output):
    names = ["model/model.safetensors", "metrics.json", "splits.tsv"]
    return {name: (output / name).read_bytes() for name in names}


@pytest.fixture
def stopped(folder, tmp_path, monkeypatch, capsys):
    """Give a pre-training run that was stopped in its second epoch, with a file of the user's."""
    with monkeypatch.context() as patch:
        stop_at(patch, 1, 1, interrupt)
        assert run(*pretraining(folder, tmp_path / "o")) == 130
    capsys.readouterr()
    (tmp_path / "o/notes.txt").write_text("mine")
    return tmp_path / "o"


@pytest.mark.parametrize(("command", "name"), [(pretraining, "pretrained"), (training, "trained")])
def test_a_command_that_was_stopped_and_continued_gives_the_same_model(
    command, name, folder, tmp_path, monkeypatch, capsys
):
    with monkeypatch.context() as patch:
        stop_at(patch, 0, 1, interrupt)
        assert run(*command(folder, tmp_path / "o")) == 130
    said = capsys.readouterr().err

    assert run(*command(folder, tmp_path / "o", "--resume", "--num-workers", 1)) == 0

    assert "Saved after 0 epochs and 2 batches (2 steps).\naam: stopped by the user. " in said
    assert said.endswith("The same command with --resume continues the run, with --overwrite starts anew.\n")
    assert "last.ckpt after 0 epochs and 2 batches (2 steps).\n" in capsys.readouterr().err
    assert results(tmp_path / "o") == results(folder / name)


@pytest.mark.multi_process
def test_after_kill_9_the_same_model_comes_of_it(folder, tmp_path):
    command = pretraining(folder, tmp_path / "o", "--resume", "--checkpoint-steps", 1)
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}  # as in this process, for the same bits
    aam = [sys.executable, "-m", "aam", *map(str, command)]
    with subprocess.Popen(aam, stderr=subprocess.PIPE, text=True, env=one_thread) as process:
        assert process.stderr is not None
        while not process.stderr.readline().startswith("Epoch 1 "):
            assert process.poll() is None
        process.kill()

    assert run(*command) == 0

    assert process.returncode == -signal.SIGKILL
    assert results(tmp_path / "o") == results(folder / "pretrained")


def test_what_the_user_added_stays(stopped, folder):
    assert run(*pretraining(folder, stopped, "--resume")) == 0

    assert (stopped / "notes.txt").read_text() == "mine"
    assert results(stopped) == results(folder / "pretrained")


def test_the_runs_own_options_continue_it(stopped, folder):
    assert run("pretrain", "--config", f"{stopped}/config.yaml", "--resume") == 0

    assert results(stopped) == results(folder / "pretrained")


def test_a_run_that_was_killed_in_its_last_second_only_writes_its_results(stopped, folder, capsys):
    assert run(*pretraining(folder, stopped, "--resume")) == 0
    (stopped / "model/README.md").unlink()
    (stopped / "metrics.json").unlink()
    capsys.readouterr()

    assert run(*pretraining(folder, stopped, "--resume")) == 0

    assert "Epoch" not in capsys.readouterr().err
    assert results(stopped) == results(folder / "pretrained")


def test_a_finished_run_is_left_alone(folder, capsys):
    before = {path: path.stat().st_mtime_ns for path in (folder / "trained").rglob("*")}

    assert run(*training(folder, folder / "trained", "--resume")) == 0

    assert re.search(rf"{folder}/trained .*nothing was done", capsys.readouterr().err)
    assert {path: path.stat().st_mtime_ns for path in (folder / "trained").rglob("*")} == before


def test_a_finished_run_with_other_options_is_not_taken_for_the_one_asked_for(folder, capsys):
    assert run(*training(folder, folder / "trained", "--resume", "--epochs", 5)) == 2

    assert "--epochs was 2 and is 5" in capsys.readouterr().err


def test_with_nothing_there_a_run_is_started(folder, tmp_path):
    assert run(*pretraining(folder, tmp_path / "o", "--resume")) == 0

    assert results(tmp_path / "o") == results(folder / "pretrained")


def test_a_run_that_saved_nothing_yet_is_started_anew(stopped, folder):
    (stopped / "checkpoints/last.ckpt").unlink()

    assert run(*pretraining(folder, stopped, "--resume")) == 0

    assert (stopped / "notes.txt").read_text() == "mine"
    assert results(stopped) == results(folder / "pretrained")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--lr", "0.1"], r"--lr was 0\.0003 and is 0\.1\."),
        (["--epochs", "9", "--seed", "1"], r"--epochs was 2 and is 9; --seed was 0 and is 1\."),
        (["--rarefy-depth", "none"], "--rarefy-depth was auto and is none"),
        (["--best-metric", "nucleotides_accuracy"], r"--best-metric was loss and is nucleotides_accuracy\."),
        (["--precision", "bf16-mixed"], r"--precision was 32-true and is bf16-mixed\."),
    ],
)
def test_other_options_are_named(options, message, stopped, folder, capsys):
    assert run(*pretraining(folder, stopped, "--resume", *options)) == 2

    said = capsys.readouterr().err
    assert re.search(message, said)
    assert f"(--config {stopped}/config.yaml gives its options), or name a new --output-dir.\n" in said


def test_what_saves_memory_may_be_changed(stopped, folder):
    smaller = ["--asv-chunk-size", 7, "--no-gradient-checkpointing"]

    assert run(*pretraining(folder, stopped, "--resume", *smaller)) == 0

    found, expected = (load_file(path / "model/model.safetensors") for path in (stopped, folder / "pretrained"))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_what_saves_memory_is_fixed_where_it_decides_on_batches(folder, tmp_path, monkeypatch, capsys):
    budget = ["--max-memory-gb", 1]
    with monkeypatch.context() as patch:
        stop_at(patch, 0, 0, interrupt)
        assert run(*pretraining(folder, tmp_path / "o", *budget)) == 130

    assert run(*pretraining(folder, tmp_path / "o", *budget, "--resume", "--asv-chunk-size", 7)) == 2

    assert re.search(r"--asv-chunk-size was \d+ and is 7\.", capsys.readouterr().err)


def test_another_study_is_named(stopped, folder, tmp_path, capsys):
    simulate(tmp_path / "study", 28, 30, 40, "--seed", "1")

    assert run(*pretraining(tmp_path, stopped, "--resume")) == 2

    said = capsys.readouterr().err
    assert re.search(r"--tree .*else now.*\(--table, --sequences, ", said)


def test_a_study_that_was_moved_is_the_same(stopped, folder, tmp_path):
    (tmp_path / "study").symlink_to(folder / "study")

    assert run(*pretraining(tmp_path, stopped, "--resume")) == 0

    assert results(stopped) == results(folder / "pretrained")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "damaged"),
        (lambda path: torch.save({"state_dict": {}}, path), "older version of aam"),
        (lambda path: torch.save({"run": print}, path), "run a program"),
        (lambda path: write_checkpoint(path, {HEADER: {"format": 99, "version": "9"}}), "aam 9 .*format 99"),
    ],
)
def test_a_checkpoint_that_cannot_be_continued_is_one_message(damage, message, stopped, folder, capsys):
    damage(stopped / "checkpoints/last.ckpt")

    assert run(*pretraining(folder, stopped, "--resume")) == 2

    said = capsys.readouterr().err
    assert f"{stopped}/checkpoints/last.ckpt" in said
    assert re.search(message, said)
    assert "Traceback" not in said
    assert (stopped / "notes.txt").exists()


def test_without_resume_a_run_that_was_stopped_is_not_overwritten(stopped, folder, capsys):
    before = (stopped / "checkpoints/last.ckpt").read_bytes()

    assert run(*pretraining(folder, stopped)) == 2

    assert "is not empty" in capsys.readouterr().err
    assert (stopped / "checkpoints/last.ckpt").read_bytes() == before


@pytest.mark.parametrize("mark", [None, "# aam train, version 0.1.0\n"])
def test_a_directory_of_something_else_is_not_continued(mark, folder, tmp_path, capsys):
    (tmp_path / "o").mkdir()
    (tmp_path / "o/thesis.txt").write_text("mine")
    if mark is not None:
        (tmp_path / "o/config.yaml").write_text(mark)

    assert run(*pretraining(folder, tmp_path / "o", "--resume")) == 2

    assert re.search(r"--resume .*'aam pretrain' only", capsys.readouterr().err)
    assert (tmp_path / "o/thesis.txt").read_text() == "mine"


def test_a_kernel_head_is_fitted_anew_unless_it_is_finished(folder, tmp_path, capsys):
    command = [*training(folder, tmp_path / "o"), "--head", "kernel", "--resume"]
    assert run(*command) == 0
    first = json.loads((tmp_path / "o/metrics.json").read_text())
    assert run(*command) == 0
    assert "nothing was done" in capsys.readouterr().err
    (tmp_path / "o/model/README.md").unlink()

    assert run(*command) == 0

    assert json.loads((tmp_path / "o/metrics.json").read_text()) == first
    assert (tmp_path / "o/model/README.md").is_file()
