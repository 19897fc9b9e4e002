"""Whole commands with augmentations, splits and memory budgets: each option has its effect and nothing else."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from helpers import commands
from helpers.commands import QUIET, SMALL, predict, read, simulate

SHORT = [*SMALL, "--epochs", "1", "--lr", "0.002", "--patch-size", "1"]
ALL_AUGMENTATIONS = [
    "--min-depth-fraction", "0.5", "--asv-dropout", "0.2", "--abundance-noise", "0.3", "--nucleotide-substitution", "0.02",
    "--mixup-alpha", "0.4",
]  # fmt: skip

pytestmark = QUIET


def weights(folder) -> bytes:
    return (folder / "model/model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("study") / "s", 36, 60, 40)


def pretrain(study, output, *more) -> None:
    assert commands.pretrain(study, output, *SHORT, *more) == 0


def train(study, output, *more, column="age") -> None:
    assert commands.train(study, output, "--head", "network", *SHORT, *more, column=column, more=["tree"]) == 0


@pytest.mark.parametrize("column", ["age", "disease"])
def test_training_runs_with_all_augmentations_and_predicts_as_reported(study, tmp_path, column):
    for name, more in (("plain", []), ("augmented", ALL_AUGMENTATIONS)):
        train(study, tmp_path / name, "--group-column", "subject", *more, column=column)
    predicted = predict(study, tmp_path / "augmented", tmp_path / "p.tsv")

    reported = read(tmp_path / "augmented/validation_predictions.tsv")
    pd.testing.assert_frame_equal(predicted.loc[reported.index], reported.drop(columns="truth"), check_exact=True)
    assert set(reported["truth"]) == set(read(tmp_path / "plain/validation_predictions.tsv")["truth"])
    assert weights(tmp_path / "plain") != weights(tmp_path / "augmented")


def test_pretraining_runs_with_all_augmentations(study, tmp_path):
    pretrain(study, tmp_path / "out", *ALL_AUGMENTATIONS)

    assert np.isfinite(json.loads((tmp_path / "out/metrics.json").read_text())["unweighted-unifrac_loss"])


def parts_of(folder) -> pd.Series:
    return read(folder / "splits.tsv")["split"]


def metadata_of(study) -> pd.DataFrame:
    return read(study / "metadata.tsv")


def refuse(capsys, *arguments) -> str:
    capsys.readouterr()
    with pytest.raises(AssertionError, match="2 == 0"):
        train(*arguments)
    return capsys.readouterr().err.splitlines()[-1]


def test_a_written_split_given_back_gives_the_same_model(study, tmp_path):
    train(study, tmp_path / "a", "--group-column", "subject")
    train(
        study, tmp_path / "b", "--split", "file", "--split-file", tmp_path / "a/splits.tsv", "--group-column", "subject"
    )

    pd.testing.assert_series_equal(parts_of(tmp_path / "a"), parts_of(tmp_path / "b"))
    assert weights(tmp_path / "a") == weights(tmp_path / "b")
    assert (tmp_path / "a/metrics.json").read_text() == (tmp_path / "b/metrics.json").read_text()


def test_a_written_split_of_pretraining_given_back_gives_the_same_model(study, tmp_path):
    pretrain(study, tmp_path / "a")
    pretrain(study, tmp_path / "b", "--split", "file", "--split-file", tmp_path / "a/splits.tsv")

    assert weights(tmp_path / "a") == weights(tmp_path / "b")


def test_test_samples_of_a_file_neither_train_nor_validate(study, tmp_path):
    parts = pd.Series("train", index=metadata_of(study).index, name="split")
    parts.iloc[:8], parts.iloc[8:20] = "validation", "test"
    parts.to_csv(tmp_path / "s.tsv", sep="\t")

    for command in (train, pretrain):
        command(study, tmp_path / command.__name__, "--split", "file", "--split-file", tmp_path / "s.tsv")
        written = parts_of(tmp_path / command.__name__)
        assert written.value_counts().to_dict() == {"train": 16, "test": 12, "validation": 8}
        assert (written == parts.loc[written.index]).all()

    predicted = read(tmp_path / "train/validation_predictions.tsv")
    assert set(predicted.index) == set(parts.index[parts == "validation"])


def test_the_folds_of_a_file_validate_one_at_a_time(study, tmp_path):
    folds = pd.DataFrame({"fold": np.arange(36) % 3, "target": 1.5}, index=metadata_of(study).index)
    folds.to_csv(tmp_path / "folds.tsv", sep="\t")

    train(study, tmp_path / "out", "--split", "file", "--split-file", tmp_path / "folds.tsv", "--fold", "2")

    parts = parts_of(tmp_path / "out")
    assert set(parts.index[parts == "validation"]) == set(folds.index[folds["fold"] == 2])


def test_one_study_validates_and_the_rest_trains(study, tmp_path):
    batch = metadata_of(study)["batch"].astype(str)

    train(
        study,
        tmp_path / "out",
        "--split",
        "leave-one-study-out",
        "--study-column",
        "batch",
        "--held-out-study",
        batch.iloc[0],
    )

    parts = parts_of(tmp_path / "out")
    assert ((parts == "validation") == (batch.loc[parts.index] == batch.iloc[0])).all()


def test_folds_divide_the_study(study, tmp_path):
    subject = metadata_of(study)["subject"]
    held = []
    for fold in ("0", "1"):
        options = ["--split", "k-fold", "--folds", "2", "--fold", fold, "--group-column", "subject"]
        train(study, tmp_path / fold, *options, column="disease")
        parts = parts_of(tmp_path / fold)
        held.append(set(parts.index[parts == "validation"]))
        assert not set(subject[parts[parts == "train"].index]) & set(subject[list(held[-1])])

    assert not held[0] & held[1]
    assert held[0] | held[1] == set(metadata_of(study).index)


@pytest.mark.parametrize(("split", "is_whole"), [("random", False), ("grouped", True)])
def test_groups_stay_whole_where_asked(study, tmp_path, split, is_whole):
    more = ["--group-column", "subject"] if is_whole else []

    train(study, tmp_path / "out", "--split", split, *more)

    parts, subject = parts_of(tmp_path / "out"), metadata_of(study)["subject"]
    shared = set(subject[parts[parts == "train"].index]) & set(subject[parts[parts == "validation"].index])
    assert bool(shared) != is_whole


def test_a_group_that_a_file_divides_is_named_in_a_warning(study, tmp_path, capsys):
    parts = pd.Series("train", index=metadata_of(study).index, name="split")
    subject = metadata_of(study)["subject"]
    divided = subject.value_counts().index[0]
    parts[subject[subject == divided].index[0]] = "validation"
    alone = subject.value_counts()
    parts[subject[subject.isin(alone.index[1:3])].index] = "validation"
    parts.to_csv(tmp_path / "s.tsv", sep="\t")

    train(study, tmp_path / "out", "--split", "file", "--split-file", tmp_path / "s.tsv", "--group-column", "subject")

    shown = capsys.readouterr().err
    assert re.search(r"1 of 9 groups of subject .*--split file", shown)
    assert f"'{divided}'" in shown


def test_a_split_that_does_not_fit_is_one_message(study, tmp_path, capsys):
    given = [study, tmp_path / "out", "--split"]
    parts = pd.Series("train", index=metadata_of(study).index[1:], name="split")
    parts.iloc[::3] = "validation"
    parts.to_csv(tmp_path / "short.tsv", sep="\t")
    pd.concat([parts, pd.Series("train", index=["S0001", "nobody"], name="split")]).rename_axis("sample-id").to_csv(
        tmp_path / "long.tsv", sep="\t"
    )

    assert re.search(
        r"1 of 36 samples .*--split-file", refuse(capsys, *given, "file", "--split-file", tmp_path / "short.tsv")
    )
    assert "'nobody'" in refuse(capsys, *given, "file", "--split-file", tmp_path / "long.tsv")
    shown = refuse(capsys, *given, "leave-one-study-out", "--study-column", "batch", "--held-out-study", "moon")
    assert re.search(r"--held-out-study moon: .*batch\..* '", shown)
    assert not (tmp_path / "out").exists()


def first_epoch(shown) -> tuple[int, int, int]:
    """Give the number of batches, and the fewest and most samples in one; they are logged once."""
    (found,) = re.findall(r"First epoch: (\d+) batches of (\d+) to (\d+) samples; \d+ % of the positions", shown)
    n_batches, fewest, most = map(int, found)
    return n_batches, fewest, most


def budget_for(study, tmp_path, capsys) -> float:
    """Give what the run's own log says that batches of 8 need."""
    capsys.readouterr()
    train(study, tmp_path / "plain", "--batch-size", "8")
    shown = capsys.readouterr().err
    assert first_epoch(shown) == (4, 7, 8)
    (estimated, measured) = re.findall(r"estimated at ([\d.e-]+) GB; this process grew by ([\d.e-]+) GB", shown)[0]
    assert float(measured) < 1
    return float(estimated)


@pytest.mark.slow
def test_a_memory_budget_decides_how_many_samples_form_a_batch(study, tmp_path, capsys):
    estimated = budget_for(study, tmp_path, capsys)
    shapes = {}

    smaller = 0.008 + 0.7 * (estimated - 0.008)  # 0.008: libraries and weights
    for name, budget, more in (
        ("same", estimated, []),
        ("smaller", smaller, []),
        ("few", estimated, ["--batch-size", "3"]),
    ):
        train(study, tmp_path / name, "--max-memory-gb", budget, "--epochs", "3", *more)
        shapes[name] = first_epoch(capsys.readouterr().err)
        assert json.loads((tmp_path / name / "metrics.json").read_text())["epochs"] == 3

    assert shapes["smaller"][0] > shapes["same"][0]
    assert shapes["smaller"][2] < shapes["same"][2]
    assert shapes["smaller"][1] >= 2, "no sample is alone"
    assert shapes["few"][2] == 3


def test_samples_too_large_for_the_budget_are_named_once_and_trained_on_alone(study, tmp_path, capsys):
    train(study, tmp_path / "out", "--max-memory-gb", "0.0078", "--embedding-dim", "16")

    shown = capsys.readouterr().err
    (n_large, n_samples) = map(int, re.findall(r"(\d+) of (\d+) samples are estimated to need up to", shown)[0])
    assert len(re.findall(r"more than --max-memory-gb 0\.0078", shown)) == 1
    assert 0 < n_large <= n_samples == 36
    assert first_epoch(shown)[1] == 1


def test_a_budget_that_does_not_hold_the_weights_is_an_error_that_leaves_nothing(study, tmp_path, capsys):
    shown = refuse(capsys, study, tmp_path / "out", "--max-memory-gb", "0.005")

    assert re.search(r"--max-memory-gb 0\.005 .*\b0\.01 GB", shown)
    assert not (tmp_path / "out").exists()


def test_pretraining_fits_batches_into_a_budget(study, tmp_path, capsys):
    pretrain(study, tmp_path / "out", "--max-memory-gb", "0.02")

    assert first_epoch(capsys.readouterr().err)[1] >= 2
