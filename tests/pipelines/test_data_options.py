"""Whole commands with augmentations, splits and memory budgets: each option has its effect and nothing else."""

import json

import numpy as np
import pandas as pd
import pytest

from aam.cli import main

TINY = [
    "--embedding-dim", "16", "--attention-heads", "2", "--attention-layers", "1", "--max-bp", "40", "--epochs", "1",
    "--lr", "0.002",
]  # fmt: skip
ALL_AUGMENTATIONS = [
    "--min-depth-fraction", "0.5", "--asv-dropout", "0.2", "--abundance-noise", "0.3", "--nucleotide-substitution", "0.02",
    "--mixup-alpha", "0.4",
]  # fmt: skip

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*num_workers.*")


def run(*arguments) -> None:
    assert main([str(argument) for argument in arguments]) == 0


def read(path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", dtype={"sample-id": str}).set_index("sample-id")


def weights(folder) -> bytes:
    return (folder / "model/model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    run("simulate", "--output-dir", folder / "s", "--samples", 36, "--features", 60, "--sequence-length", 40)
    return folder / "s"


def pretrain(study, output, *more) -> None:
    files = ["--table", study / "table.biom", "--sequences", study / "sequences.fasta", "--tree", study / "tree.nwk"]
    run("pretrain", *files, "--output-dir", output, *TINY, *more)


def train(study, output, *more, column="age") -> None:
    files = ["--table", study / "table.biom", "--sequences", study / "sequences.fasta", "--tree", study / "tree.nwk"]
    labels = ["--metadata", study / "metadata.tsv", "--metadata-column", column]
    run("train", *files, *labels, "--output-dir", output, *TINY, *more)


@pytest.mark.parametrize("column", ["age", "disease"])
def test_training_runs_with_all_augmentations_and_predicts_as_reported(study, tmp_path, column):
    for name, more in (("plain", []), ("augmented", ALL_AUGMENTATIONS)):
        train(study, tmp_path / name, "--group-column", "subject", *more, column=column)
    files = ["--table", study / "table.biom", "--sequences", study / "sequences.fasta"]
    run("predict", "--model", tmp_path / "augmented", *files, "--output", tmp_path / "p.tsv")

    reported = read(tmp_path / "augmented/validation_predictions.tsv")
    pd.testing.assert_frame_equal(
        read(tmp_path / "p.tsv").loc[reported.index], reported.drop(columns="truth"), check_exact=True
    )
    assert set(reported["truth"]) == set(read(tmp_path / "plain/validation_predictions.tsv")["truth"])
    assert weights(tmp_path / "plain") != weights(tmp_path / "augmented")


def test_pretraining_runs_with_all_augmentations(study, tmp_path):
    pretrain(study, tmp_path / "out", *ALL_AUGMENTATIONS)

    assert np.isfinite(json.loads((tmp_path / "out/metrics.json").read_text())["distance_loss"])
