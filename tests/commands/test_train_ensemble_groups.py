"""How many groups an ensemble needs, and what folds say of its intervals."""

import re

import numpy as np
import pandas as pd
import pytest

from helpers import commands
from helpers.commands import QUIET, TINY, labels_of, read, run, simulate, study_of

SHORT = [
    *TINY, "--precision", "32-true", "--batch-size", "8", "--dropout", "0.2", "--count-penalty", "0", "--rarefy-depth", "900",
]  # fmt: skip

pytestmark = QUIET


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Simulate, and add a column with holes."""
    folder = tmp_path_factory.mktemp("groups")
    metadata = read(simulate(folder / "study", 60, 30, 20, "--subjects", 20) / "metadata.tsv")
    metadata.assign(other=np.where(metadata["age"] > 300, np.nan, -metadata["age"])).to_csv(folder / "m.tsv", sep="\t")
    return folder


def test_folds_tell_how_often_intervals_hold(folder, tmp_path):
    labels = [*labels_of(folder / "study/metadata.tsv", "age"), "--group-column", "subject"]
    options = ["--folds", 2, "--baselines", "guess", "--ensemble", 2, "--coverage", 0.6, "--epochs", 1]

    assert run("evaluate", *study_of(folder), *labels, *options, *SHORT, "--output-dir", tmp_path / "o") == 0

    scores = pd.read_csv(tmp_path / "o/results.tsv", sep="\t").set_index(["method", "metric", "fold"])["value"]
    predictions = pd.read_csv(tmp_path / "o/predictions.tsv", sep="\t").query("method == 'aam'")
    inside = predictions["truth"].between(predictions["lower"], predictions["upper"])
    for fold, held in inside.groupby(predictions["fold"]):
        assert scores["aam", "coverage", fold] == pytest.approx(held.mean())
    assert predictions[["members_sd", "is_outlier"]].notna().all(axis=None)


FEW = "--coverage 0.95 needs 19 groups to train on, and there are"


def test_too_few_groups_of_some_column_are_said_once_and_before_training(folder, tmp_path, capsys):
    labels = [*labels_of(folder / "m.tsv", "age", "other"), "--group-column", "subject"]
    options = ["--head", "network", "--ensemble", 2, "--epochs", 1, "--coverage", 0.95]

    assert run("train", *study_of(folder), *labels, *options, "--output-dir", tmp_path / "o", *SHORT) == 0

    parts, metadata = read(tmp_path / "o/splits.tsv")["split"], read(folder / "m.tsv")
    learned = metadata.loc[parts.index[parts == "train"]].dropna(subset="other")
    said = capsys.readouterr().err
    assert said.count("--coverage") == said.count(f"{FEW} {learned['subject'].nunique()}: ") == 1
    assert said.index(FEW) < said.index("Network 1 of 2")


@pytest.mark.parametrize("head", [["--head", "kernel"], ["--head", "network", "--ensemble", 2, "--epochs", 1, *SHORT]])
def test_too_few_groups_in_folds_are_said_once_and_before_training(head, folder, tmp_path, capsys):
    labels = [*labels_of(folder / "study/metadata.tsv", "age"), "--group-column", "subject"]
    options = ["--folds", 2, "--baselines", "guess", "--coverage", 0.95, "--output-dir", tmp_path / "o", *head]

    assert run("evaluate", *study_of(folder), *labels, *options) == 0

    folds, subject = read(tmp_path / "o/folds.tsv")["fold"], read(folder / "study/metadata.tsv")["subject"]
    fewest = min(subject.loc[folds.index[folds != fold]].nunique() for fold in (0, 1))
    said = capsys.readouterr().err
    assert said.count("--coverage") == said.count(f"{FEW} {fewest}: ") == 1
    assert said.index(FEW) < said.index("Repeat 1 of 1, fold 0")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ensemble", 2, "--head", "kernel"], "--ensemble .*networks"),
        (["--ensemble", 17], r"--ensemble 17 .*\b48 training samples of 16 groups"),
        (["--ensemble", 1], "--ensemble"),
    ],
)
def test_what_cannot_be_is_refused(options, message, folder, tmp_path, capsys):
    fixed = ["--group-column", "subject", "--head", "network", *SHORT]

    assert commands.train(folder / "study", tmp_path / "o", *fixed, *options) == 2

    assert re.search(message, " ".join(capsys.readouterr().err.split()))
    assert not (tmp_path / "o").exists()
