"""Whole commands on two processes: what they leave is what one leaves, and a mistake is one message."""

import json

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file

from aam.cli import main

TINY = [
    "--embedding-dim", "8", "--attention-heads", "2", "--attention-layers", "1", "--max-bp", "20", "--epochs", "1",
    "--batch-size", "9", "--dropout", "0", "--precision", "64-true",
]  # fmt: skip

pytestmark = [
    pytest.mark.multi_process,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*num_workers.*"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Simulate a study."""
    folder = tmp_path_factory.mktemp("devices")
    simulated = ["--samples", "30", "--features", "40", "--sequence-length", "20", "--subjects", "30"]
    assert main(["simulate", "--output-dir", str(folder / "study"), *simulated]) == 0
    return folder


def options(folder, name):
    study = folder / "study"
    files = ["--table", study / "table.biom", "--sequences", study / "sequences.fasta", "--tree", study / "tree.nwk"]
    return [str(part) for part in [*files, "--output-dir", folder / name, *TINY]]


def train(folder, name, *more):
    labels = ["--metadata", str(folder / "study/metadata.tsv"), "--metadata-column", "disease", "--head", "network"]
    return main(["train", *options(folder, name), *labels, *more])


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


def test_an_ensemble_on_two_processes_is_that_of_one(folder):
    assert train(folder, "alone", "--ensemble", "2") == 0

    assert train(folder, "together", "--ensemble", "2", "--devices", "2") == 0

    alone, together = folder / "alone", folder / "together"
    for name in ("validation_predictions.tsv", "out_of_fold_predictions.tsv"):
        pd.testing.assert_frame_equal(*(pd.read_csv(path / name, sep="\t") for path in (alone, together)), rtol=1e-5)


def test_a_mistake_is_told_once_and_leaves_nothing(folder, capfd):
    arguments = options(folder, "nothing")
    arguments[arguments.index("--tree") + 1] = str(folder / "absent.nwk")

    assert main(["pretrain", *arguments, "--devices", "2"]) == 2

    shown = capfd.readouterr().err
    assert shown.count("absent.nwk") == 1
    assert "Traceback" not in shown
    assert not (folder / "nothing").exists()


def test_a_kernel_head_takes_one_process(folder, capfd):
    labels = ["--metadata", str(folder / "study/metadata.tsv"), "--metadata-column", "disease", "--head", "kernel"]
    kept = [flag for flag in options(folder, "kernel") if flag not in TINY]

    assert main(["train", *kept, *labels, "--devices", "2"]) == 2

    assert capfd.readouterr().err.count("The kernel head is fitted in one process") == 1
