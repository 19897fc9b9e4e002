"""Whole commands that find their batch size, and the size of the optimiser's steps."""

import os
import re
import signal

import pytest
import torch
import yaml

from aam.models.sequence_encoder import SequenceEncoder
from helpers import commands
from helpers.commands import QUIET, TINY, labels_of, run, simulate, study_of

SHAPE = [*TINY, "--epochs", "2", "--patch-size", "1", "--no-gradient-checkpointing"]
VARIED = ["--dropout", "0.2", "--asv-dropout", "0.2", "--precision", "32-true"]
AUTO = ["--batch-size", "auto"]
MIB = 2**20

pytestmark = QUIET


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Simulate a study."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("batch-size")
    simulate(folder / "study", 28, 60, 20, "--subjects", "28")
    return folder


def pretrain(folder, output, *options):
    return commands.pretrain(folder / "study", output, *SHAPE, *VARIED, *options)


def train(folder, output, *options):
    return commands.train(folder / "study", output, "--head", "network", *SHAPE, *VARIED, *options)


def options_of(output):
    return yaml.safe_load((output / "config.yaml").read_text())


def assert_same(first, second):
    for name in ("model/model.safetensors", "metrics.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def leave(monkeypatch, n_bytes):
    """Let so much memory be free, of which four fifths are taken."""
    monkeypatch.setattr("aam.runs.batch_size.available_bytes", lambda: n_bytes / 0.8)


@pytest.fixture
def gpu(monkeypatch):
    """Let steps be tried, and memory hold five samples with their gradients; give the sizes that were run."""
    run, forward = [], SequenceEncoder.forward

    def bounded(model, batch):
        if torch.is_grad_enabled():
            run.append(batch.n_samples)
            if batch.n_samples > 5:
                raise torch.OutOfMemoryError("CUDA out of memory. (simulated)")
        return forward(model, batch)

    monkeypatch.setattr(SequenceEncoder, "forward", bounded)
    monkeypatch.setattr("aam.runs.batch_size.device_type", lambda: "cuda")
    monkeypatch.setattr("aam.runs.batch_size.free_on_gpu", lambda: 1e9)
    return run


@pytest.mark.parametrize("command", [pretrain, train])
def test_the_number_that_was_tried_trains_as_if_it_had_been_given(command, folder, tmp_path, gpu, capsys):
    assert command(folder, tmp_path / "found", *AUTO) == 0
    said, n_tried = capsys.readouterr().err, len(gpu)
    assert command(folder, tmp_path / "given", "--batch-size", "5") == 0

    assert gpu[:8] == ([2, 2, 4, 4, 8, 6, 5, 5] if command is pretrain else [1, 1, 2, 2, 4, 4, 8, 6])
    assert max(gpu[8 if command is pretrain else 10 :]) == 5  # training fits
    assert n_tried < len(gpu)
    assert re.search(
        r"--batch-size auto: batches of 5 samples, \d+ an epoch; at most 5 .*\b0\.90 GB.*\b10 %",
        said,
    )
    assert "Memory did not hold" not in said
    assert options_of(tmp_path / "found")["batch-size"] == 5
    assert_same(tmp_path / "found", tmp_path / "given")


def test_the_estimate_decides_on_a_cpu(folder, tmp_path, monkeypatch, capsys):
    found = {}
    for share in (7.0, 7.4, 500.0):
        leave(monkeypatch, share * MIB)
        assert train(folder, tmp_path / f"{share}", *AUTO, "--epochs", 1) == 0
        found[share] = options_of(tmp_path / f"{share}")["batch-size"]
        said = capsys.readouterr().err
        estimated = float(re.findall(r"estimated at (\S+) GB", said)[0])
        assert estimated <= 1.01 * share * MIB / 1e9

    assert 1 < found[7.0] < found[7.4] < 22 == found[500.0]
    assert re.search(r"batches of 22 samples, 1 an epoch; .*\b0\.52 GB.*\b20 %", said)


def test_the_number_that_was_estimated_trains_as_if_it_had_been_given(folder, tmp_path):
    budget = ["--max-memory-gb", "0.0078"]
    assert pretrain(folder, tmp_path / "found", *AUTO, *budget) == 0
    n_samples = options_of(tmp_path / "found")["batch-size"]
    assert pretrain(folder, tmp_path / "given", "--batch-size", n_samples, *budget) == 0

    assert 2 <= n_samples < 22
    assert_same(tmp_path / "found", tmp_path / "given")


def test_no_memory_for_a_pair_is_an_error_that_leaves_nothing(folder, tmp_path, monkeypatch, gpu, capsys):
    monkeypatch.setattr(SequenceEncoder, "forward", lambda *_: torch.empty(2**60))
    assert pretrain(folder, tmp_path / "o", *AUTO) == 2
    assert re.search(r"--batch-size auto: .*\b2 fits into 0\.90 GB", capsys.readouterr().err)

    monkeypatch.undo()
    leave(monkeypatch, 6.5 * MIB)
    assert train(folder, tmp_path / "o", *AUTO) == 2
    assert re.search(r"--batch-size auto: .*\b1 fits into 0\.01 GB", capsys.readouterr().err)
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("command", [pretrain, train])
def test_a_run_that_is_continued_keeps_its_number(command, folder, tmp_path, monkeypatch, capsys):
    def stop(callback, trainer, pl_module, outputs, batch, batch_idx):
        os.kill(os.getpid(), signal.SIGTERM)

    leave(monkeypatch, 7.3 * MIB)
    assert command(folder, tmp_path / "whole", *AUTO) == 0
    with monkeypatch.context() as patch:
        patch.setattr("aam.training.reports.BatchReport.on_train_batch_end", stop)
        assert command(folder, tmp_path / "o", *AUTO) == 128 + signal.SIGTERM
    leave(monkeypatch, 500 * MIB)
    capsys.readouterr()

    assert command(folder, tmp_path / "o", *AUTO, "--resume") == 0
    assert "--batch-size auto" not in capsys.readouterr().err
    assert command(folder, tmp_path / "o", *AUTO, "--resume") == 0
    assert "nothing was done" in capsys.readouterr().err
    assert command(folder, tmp_path / "o", "--batch-size", "7", "--resume") == 2
    assert re.search(r"--batch-size was \d+ and is 7", capsys.readouterr().err)

    assert_same(tmp_path / "o", tmp_path / "whole")


@pytest.mark.parametrize(
    ("wanted", "batch_size", "accumulated", "said"),
    [
        (15, 5, 3, r"3 batches of 4\.4 samples .*\b13\.2\."),
        (9, 4, 2, r"2 batches of 3\.67 samples .*\b7\.33\."),
        (10, 4, 3, "takes 3 batches"),
        (400, 8, 3, r"3 batches of 7\.33 samples .*\b22\."),
    ],
)
def test_as_many_batches_are_accumulated_as_come_nearest(
    wanted, batch_size, accumulated, said, folder, tmp_path, capsys
):
    size = ["--batch-size", batch_size, "--epochs", 1]
    assert train(folder, tmp_path / "wanted", *size, "--target-effective-batch-size", wanted) == 0
    assert re.search(said, capsys.readouterr().err)
    assert train(folder, tmp_path / "given", *size, "--gradient-accumulation-steps", accumulated) == 0

    assert_same(tmp_path / "wanted", tmp_path / "given")


def test_the_batch_that_is_found_divides_the_step_that_is_asked_for(folder, tmp_path, gpu, capsys):
    assert train(folder, tmp_path / "o", *AUTO, "--target-effective-batch-size", 8) == 0

    said = capsys.readouterr().err
    assert re.search("batches of 4 samples, 6 an epoch; at most 5", said)
    assert re.search(r"2 batches of 3\.67 samples .*\b7\.33\.", said)
    assert max(gpu) == 8  # more would not be asked for


def test_a_continued_run_accumulates_the_same(folder, tmp_path, capsys):
    wanted = ["--batch-size", 5, "--target-effective-batch-size"]
    assert train(folder, tmp_path / "o", *wanted, 10) == 0
    (tmp_path / "o/model/README.md").unlink()

    assert train(folder, tmp_path / "o", *wanted, 15, "--resume") == 2
    assert "--target-effective-batch-size was 10 and is 15" in capsys.readouterr().err
    assert train(folder, tmp_path / "o", *wanted, 10, "--resume") == 0


def test_folds_find_their_numbers(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("aam.training.fit.EarlyStopping", lambda *_, **__: pytest.fail("trained"), raising=True)
    leave(monkeypatch, 6 * MIB)
    labels = [*labels_of(folder / "study/metadata.tsv", "age"), "--head", "network"]
    chosen = ["--folds", "2", "--baselines", "guess", "--output-dir", str(tmp_path / "o")]

    assert run("evaluate", *study_of(folder), *labels, *chosen, *SHAPE, *AUTO) == 2

    assert not (tmp_path / "o").exists()


@pytest.mark.multi_process
@pytest.mark.slow
def test_two_processes_train_on_the_number_that_they_agree_on(folder, tmp_path, capfd):
    limit = ["--max-memory-gb", "0.0077", "--devices", "2"]
    assert pretrain(folder, tmp_path / "o", *AUTO, *limit) == 0

    assert capfd.readouterr().err.count("--batch-size auto: batches") == 1
    assert 2 <= options_of(tmp_path / "o")["batch-size"] < 22
