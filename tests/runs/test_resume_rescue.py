"""A trained model survives a directory that cannot take it."""

import re
import tempfile
from pathlib import Path

import pytest
import torch

from aam.config.model import ModelConfig
from aam.errors import OutputError
from aam.inference.description import ModelDescription
from aam.inference.model_directory import load_model
from aam.models.build import build_encoder
from aam.runs.resume import saving_elsewhere_on_failure
from helpers.commands import QUIET, TINY, labels_of, run, simulate, study_of

SHAPE = ModelConfig(embedding_dim=8, attention_heads=2, attention_layers=1, ffn_ratio=1.5, max_bp=11)


@pytest.fixture(autouse=True)
def temporary_files(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_a_model_whose_results_cannot_be_written_is_kept_elsewhere(tmp_path):
    model = build_encoder(SHAPE, [])
    description = ModelDescription(SHAPE, (), None, 1024, 0, "study")

    with (
        pytest.raises(OutputError, match=r"no space\. The trained model is kept in ") as raised,
        saving_elsewhere_on_failure(model, description),
    ):
        raise OutputError("no space.")

    kept, described = load_model(Path(re.search(r"kept in (\S+):", str(raised.value))[1]))
    assert described == description
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, kept.state_dict()[name])


def test_where_no_place_takes_it_the_first_reason_is_told_and_nothing_is_left(tmp_path, monkeypatch):
    def full(*_):
        raise OutputError("the other disk is full, too.")

    monkeypatch.setattr("aam.runs.resume.save_model", full)

    with pytest.raises(OutputError, match=r"^no space\.$"), saving_elsewhere_on_failure(torch.nn.Linear(1, 1), None):
        raise OutputError("no space.")

    assert list(tmp_path.iterdir()) == []


@QUIET
@pytest.mark.parametrize("command", ["pretrain", "train"])
def test_commands_say_where_the_model_is(command, tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OutputError("metrics.json cannot be written: No space left on device.")

    simulate(tmp_path / "study", 20, 20, 20, "--mean-depth", "200")
    monkeypatch.setattr(f"aam.commands.{command}.write_metrics", full)
    learned = {
        "pretrain": study_of(tmp_path, "tree"),
        "train": [*study_of(tmp_path), *labels_of(tmp_path / "study/metadata.tsv", "age"), "--head", "network"],
    }

    short = [*TINY, "--epochs", "1", "--batch-size", "8"]
    assert run(command, *learned[command], *short, "--output-dir", tmp_path / "o") == 2

    said = capsys.readouterr().err
    load_model(Path(re.search(r"No space left on device\. The trained model is kept in (\S+):", said)[1]))
    assert not (tmp_path / "o/model").exists()
