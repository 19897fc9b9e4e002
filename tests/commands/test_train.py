"""What training warns of, because it changes the result."""

import dataclasses
import json

import numpy as np
import pytest
from safetensors.torch import load_file

from aam.config.model import ModelConfig, tiny
from aam.models.build import build_encoder
from aam.objectives.sample_value import SampleValue
from aam.runs.pretrained import SHAPE as SETTLED
from helpers import commands
from helpers.commands import SMALL, run, simulate, study_of

SHAPE = [*SMALL, "--ffn-ratio", "2"]
SHORT = ["--epochs", "1", "--batch-size", "8"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Simulate and pre-train once."""
    folder = tmp_path_factory.mktemp("train")
    simulate(folder / "study", 24, 30, 40)
    pretraining = ["--penalty", "0", "--output-dir", folder / "pretrained"]
    assert run("pretrain", *study_of(folder), *pretraining, *SHAPE, *SHORT) == 0
    return folder


def train(folder, output, *options, metadata=None, column="age"):
    options = ["--head", "network", *SHORT, *options]
    return commands.train(folder / "study", output, *options, metadata=metadata, column=column)


def test_the_shape_of_a_pretrained_model_wins_and_what_was_asked_for_is_named(folder, tmp_path, capsys):
    options = [
        "--pretrained",
        str(folder / "pretrained"),
        "--embedding-dim",
        "32",
        "--max-bp",
        "40",
        "--dropout",
        "0.3",
    ]

    assert train(folder, tmp_path / "out", *options) == 0

    assert "The pre-trained model settles its shape; ignored: --embedding-dim.\n" in capsys.readouterr().err
    model = json.loads((tmp_path / "out/model/config.json").read_text())["model"]
    assert {name: model[name] for name in ("embedding_dim", "max_bp", "dropout")} == {
        "embedding_dim": 16, "max_bp": 40, "dropout": 0.3
    }  # fmt: skip


def test_all_options_that_shape_weights_are_settled_by_the_pretrained_model():
    """Changes each number of the model's shape, and looks whether weights change theirs."""
    settled = set()
    for field in dataclasses.fields(ModelConfig):
        value = getattr(tiny(), field.name)
        others = {"dropout": 0.5, "count_embedding": "concat"}
        other = not value if isinstance(value, bool) else others.get(field.name) or type(value)(2 * value)
        changed = dataclasses.replace(tiny(), **{field.name: other})
        shapes = [
            {name: weight.shape for name, weight in build_encoder(config, []).state_dict().items()}
            for config in (tiny(), changed)
        ]
        if shapes[0] != shapes[1]:
            settled.add(field.name)

    assert settled <= set(SETTLED)


def test_a_predictor_is_as_good_a_start_as_an_encoder(folder, tmp_path, capsys):
    assert train(folder, tmp_path / "first", "--pretrained", str(folder / "pretrained")) == 0
    frozen = ["--pretrained", str(tmp_path / "first"), "--freeze-base"]

    assert train(folder, tmp_path / "second", *frozen, column="disease") == 0

    first, second = (load_file(tmp_path / name / "model/model.safetensors") for name in ("first", "second"))
    base = [name for name in second if name.startswith("base_model.")]
    assert base
    assert all(np.array_equal(first[name], second[name]) for name in base)
    assert "ignored" not in capsys.readouterr().err


@pytest.mark.parametrize("start", ["random weights", "pretrained"])
def test_heads_beside_the_target_are_brought_to_their_sizes_once(start, folder, tmp_path, monkeypatch):
    calibrated, calibrate = [], SampleValue.calibrate

    def count(objective, encoding, batch):
        calibrated.append(objective)
        calibrate(objective, encoding, batch)

    monkeypatch.setattr(SampleValue, "calibrate", count)
    begin = SHAPE if start == "random weights" else ["--pretrained", str(folder / "pretrained")]

    assert train(folder, tmp_path / "out", "--encoder-type", "shannon", *begin) == 0

    assert len(calibrated) == 1


def test_validation_samples_of_a_class_that_training_lacks_are_left_out(folder, tmp_path, capsys):
    """Two groups of samples, each with a class of its own: whichever is held out, training lacks a class."""
    rows = [line.split("\t") for line in (folder / "study/metadata.tsv").read_text().splitlines()][1:]
    lines = [
        f"{row[0]}\t{'AB'[k % 2]}\t{['only in A', 'only in B'][k % 2] if k < 6 else ['x', 'y'][k // 2 % 2]}\n"
        for k, row in enumerate(rows)
    ]
    (tmp_path / "m.tsv").write_text("sample-id\tplot\tkind\n" + "".join(lines))

    assert train(folder, tmp_path / "out", "--group-column", "plot", metadata=tmp_path / "m.tsv", column="kind") == 0

    assert "Left out 3 validation samples" in capsys.readouterr().err
    classes = json.loads((tmp_path / "out/model/state.json").read_text())["target"]["classes"]
    assert len(classes) == 3
    assert json.loads((tmp_path / "out/metrics.json").read_text())["n"] == 9


def test_sequences_that_are_cut_are_counted(folder, tmp_path, capsys):
    assert train(folder, tmp_path / "out", *SHAPE, "--max-bp", "30") == 0

    assert "30 of 30 sequences are longer than 30 nucleotides" in capsys.readouterr().err


@pytest.mark.parametrize("precision", ["64-true", "bf16-mixed"])
def test_in_any_precision_predict_gives_exactly_what_training_reported(precision, folder, tmp_path):
    assert train(folder, tmp_path / "out", *SHAPE, "--precision", precision) == 0
    options = ["--model", str(tmp_path / "out"), *study_of(folder), "--output", str(tmp_path / "p.tsv")]

    assert run("predict", *options) == 0

    reported = (tmp_path / "out/validation_predictions.tsv").read_text().splitlines()[1:]
    predicted = (tmp_path / "p.tsv").read_text().splitlines()
    assert {line.rpartition("\t")[0] for line in reported} <= set(predicted)
