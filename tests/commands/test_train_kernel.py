"""Whole commands with the kernel head: it learns a simulated study in seconds, and all commands read what it leaves."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file
from skbio.metadata import SampleMetadata

from aam.kernels.fitting import TREE_MEMBERS
from helpers import commands
from helpers.commands import QUIET, SMALL, labels_of, read, run, simulate, study_of, succeed

SHORT = [*SMALL, "--epochs", "1", "--batch-size", "8"]
RUN = {"model", "plots", "config.yaml", "splits.tsv", "metrics.json", "metrics.tsv", "validation_predictions.tsv"}
NAMES = ("age", "disease", "bare", "deep")

pytestmark = QUIET


def train(folder, output, *more, column="age") -> None:
    assert commands.train(folder / "study", output, "--group-column", "subject", *more, column=column) == 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Simulate, pre-train for an epoch, and fit four heads."""
    folder = tmp_path_factory.mktemp("kernels")
    simulate(folder / "study", 80, 60, 40)
    tree = ["--tree", folder / "study/tree.nwk"]
    succeed("pretrain", *study_of(folder), *tree, "--output-dir", folder / "pretrained", *SHORT)
    train(folder, folder / "age", *tree)
    train(folder, folder / "disease", *tree, column="disease")
    train(folder, folder / "bare")
    train(folder, folder / "deep", *tree, "--pretrained", folder / "pretrained")
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_a_run_leaves_its_files_and_no_pickle(folder, name):
    assert {item.name for item in (folder / name).iterdir()} == RUN
    assert {item.name for item in (folder / name / "model").iterdir()} == {
        "model.safetensors", "config.json", "state.json", "README.md"
    }  # fmt: skip
    assert load_file(folder / name / "model/model.safetensors")


def test_members_follow_the_tree_and_the_pretrained_model(folder):
    members = {
        name: [
            member["name"]
            for member in json.loads((folder / name / "model/config.json").read_text())["head"]["members"]
        ]
        for name in NAMES
    }

    assert members == {
        "age": ["features", "clades", "forest", "boosted"], "disease": ["features", "clades", "forest"],
        "bare": ["features", "forest", "boosted"], "deep": ["features", "clades", "deep", "forest", "boosted"],
    }  # fmt: skip


def test_it_learns_what_the_simulation_put_in(folder):
    metrics = {name: json.loads((folder / name / "metrics.json").read_text()) for name in NAMES}

    assert all(metrics[name]["r2"] > 0.2 for name in ("age", "deep"))
    assert all(0.7 <= metrics[name]["coverage"] <= 1 for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_predict_gives_exactly_what_training_reported(folder, tmp_path, name):
    succeed("predict", "--model", folder / name, *study_of(folder), "--output", tmp_path / "p.tsv")

    reported = read(folder / name / "validation_predictions.tsv").drop(columns="truth")
    pd.testing.assert_frame_equal(read(tmp_path / "p.tsv").loc[reported.index], reported, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("age", ["prediction", "lower", "upper", "known_reads", "is_outlier"]),
        ("disease", ["prediction", "probability:disease", "probability:healthy", "set", "known_reads", "is_outlier"]),
    ],
)
def test_predictions_open_as_qiime_2_metadata(folder, tmp_path, name, columns):
    succeed("predict", "--model", folder / name, *study_of(folder), "--output", tmp_path / "p.tsv")

    table = SampleMetadata.load(str(tmp_path / "p.tsv")).to_dataframe()
    assert list(table.columns) == columns
    assert table["known_reads"].between(0, 1 + 1e-9).all()
    assert set(table["is_outlier"]) <= {"True", "False"}


@pytest.mark.parametrize(("name", "column"), [("age", "age"), ("disease", "disease")])
def test_evaluate_on_the_validation_samples_gives_the_metrics_of_training(folder, tmp_path, name, column):
    from aam.io.biom_table import write_table
    from aam.io.count_table import CountTable
    from aam.io.tables import read_table

    table = read_table(folder / "study/table.biom")
    held = [table.sample_ids.index(s) for s in reversed(read(folder / name / "validation_predictions.tsv").index)]
    ids = [f"renamed_{feature}" for feature in table.feature_ids]
    write_table(tmp_path / "part.biom", CountTable([table.sample_ids[i] for i in held], ids, table.counts[held]))
    fasta = (folder / "study/sequences.fasta").read_text()
    (tmp_path / "s.fasta").write_text(fasta.replace(">", ">renamed_"))

    run(
        "evaluate", "--model", folder / name, "--table", tmp_path / "part.biom", "--sequences", tmp_path / "s.fasta",
        "--metadata", folder / "study/metadata.tsv", "--metadata-column", column, "--output-dir", tmp_path / "evaluation",
    )  # fmt: skip

    reported = json.loads((folder / name / "metrics.json").read_text())
    found = json.loads((tmp_path / "evaluation/metrics.json").read_text())
    assert found.pop("confusion", None) == reported.pop("confusion", None)
    assert found == pytest.approx(reported, rel=1e-8)


def test_a_new_study_whose_asvs_are_unknown_is_predicted_with_a_warning(folder, tmp_path, capsys):
    simulate(tmp_path / "study", 10, 30, 40, "--seed", 9)

    succeed("predict", "--model", folder / "age", *study_of(tmp_path), "--output", tmp_path / "p.tsv")

    table = read(tmp_path / "p.tsv")
    assert np.isfinite(table["prediction"]).all()
    assert table["is_outlier"].all()
    assert re.search("ASVs of 0 % of the reads", capsys.readouterr().err)


def test_embeddings_of_a_deep_head_are_those_of_its_pretrained_model(folder, tmp_path):
    for name in ("pretrained", "deep"):
        succeed("embed", "--model", folder / name, *study_of(folder), "--output", tmp_path / f"{name}.tsv")

    pd.testing.assert_frame_equal(read(tmp_path / "deep.tsv"), read(tmp_path / "pretrained.tsv"), check_exact=True)


def test_a_head_without_a_pretrained_model_has_no_embeddings(folder, tmp_path, capsys):
    arguments = ["embed", "--model", folder / "age", *study_of(folder), "--output", tmp_path / "e.tsv"]

    assert run(*arguments) == 2

    assert "without a pre-trained encoder" in capsys.readouterr().err
    assert not (tmp_path / "e.tsv").exists()


def test_training_does_not_start_from_a_head_without_a_pretrained_model(folder, tmp_path, capsys):
    labels = [*labels_of(folder / "study/metadata.tsv", "age"), "--output-dir", tmp_path / "out"]
    arguments = ["train", *study_of(folder), *labels, "--pretrained", folder / "age"]

    assert run(*arguments) == 2

    assert re.search(r"without a pre-trained encoder.*--output-dir .*'aam pretrain'", capsys.readouterr().err)
    assert not (tmp_path / "out").exists()


def test_options_of_the_network_are_named_once(folder, tmp_path, capsys):
    train(folder, tmp_path / "out", "--epochs", "3", "--lr", "0.1", "--asv-dropout", "0.2", "--token-limit", "10")

    shown = capsys.readouterr().err
    assert shown.count("Without effect on the kernel head: --token-limit, --asv-dropout, --lr, --epochs.\n") == 1


def test_the_network_has_no_coverage(folder, tmp_path, capsys):
    train(folder, tmp_path / "out", "--head", "network", "--coverage", "0.8", *SHORT)

    assert "Without effect on the network head: --coverage.\n" in capsys.readouterr().err


def test_a_smaller_coverage_gives_narrower_intervals(folder, tmp_path):
    train(folder, tmp_path / "out", "--coverage", "0.6", "--tree", folder / "study/tree.nwk")

    widths = [
        json.loads((path / "metrics.json").read_text())["mean_width"] for path in (tmp_path / "out", folder / "age")
    ]
    assert widths[0] < widths[1]


def test_auto_chooses_the_network_above_a_number_of_samples(folder, tmp_path, capsys, monkeypatch):
    from aam.runs import kernel

    monkeypatch.setattr(kernel, "MOST_SAMPLES_OF_AUTO", 79)
    train(folder, tmp_path / "out", *SHORT)

    assert re.search(r"network, as 80 samples .*--head kernel\b", capsys.readouterr().err)
    assert (tmp_path / "out/checkpoints").is_dir()


def test_too_many_samples_for_kernels_are_refused(folder, tmp_path, capsys, monkeypatch):
    from aam.runs import kernel

    monkeypatch.setattr(kernel, "MOST_SAMPLES", 79)
    labels = [*labels_of(folder / "study/metadata.tsv", "age"), "--output-dir", tmp_path / "out"]
    arguments = ["train", *study_of(folder), *labels, "--head", "kernel"]

    assert run(*arguments) == 2

    assert re.search(r"--head kernel .*\b80: at most 79\b", capsys.readouterr().err)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("model", ["age", "deep"])
@pytest.mark.parametrize(
    "given",
    [["--rarefy-depth", "100"], ["--prediction-passes", "3"], ["--rarefy-depth", "100", "--prediction-passes", "3"]],
)
def test_how_reads_are_drawn_is_said_once_to_be_without_effect(folder, tmp_path, capsys, model, given):
    succeed("predict", "--model", folder / model, *study_of(folder), "--output", tmp_path / "plain.tsv")
    capsys.readouterr()

    succeed("predict", "--model", folder / model, *study_of(folder), "--output", tmp_path / "p.tsv", *given)

    flags = " and ".join(given[::2])
    shown = [line for line in capsys.readouterr().err.splitlines() if "effect" in line or "pass " in line]
    assert shown == [f"No effect on a kernel head, which reads samples as it was trained to: {flags}."]
    assert (tmp_path / "p.tsv").read_text() == (tmp_path / "plain.tsv").read_text()


def test_the_card_says_which_members_were_chosen(folder):
    card = (folder / "deep/model/README.md").read_text()

    info = json.loads((folder / "deep/model/config.json").read_text())["head"]
    for member in info["members"]:
        penalty = "–" if member["name"] in TREE_MEMBERS else f"{member['penalty']:.3g}"
        assert f"| {member['weight']:.3f} | {penalty} | {member['loss']:.4g} |" in card
    assert sum(member["weight"] for member in info["members"]) == pytest.approx(1)


@pytest.mark.parametrize(
    ("key", "value"),
    [("members", []), ("members", [{"name": "trees"}]), ("calibration", {}), ("arrays", {}), ("has_encoder", False)],
)
def test_an_edited_head_is_one_message(folder, tmp_path, capsys, key, value):
    import shutil

    shutil.copytree(folder / "deep/model", tmp_path / "model")
    config = json.loads((tmp_path / "model/config.json").read_text())
    config["head"][key] = value
    (tmp_path / "model/config.json").write_text(json.dumps(config))
    arguments = ["predict", "--model", tmp_path, *study_of(folder), "--output", tmp_path / "p.tsv"]

    assert run(*arguments) == 2

    assert "cannot be loaded (" in capsys.readouterr().err
    assert not (tmp_path / "p.tsv").exists()


def test_two_runs_are_identical(folder, tmp_path):
    for name in ("a", "b"):
        train(folder, tmp_path / name, "--tree", folder / "study/tree.nwk")

    for file in ("model/model.safetensors", "metrics.json", "validation_predictions.tsv"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_samples_are_read_at_the_depth_asked_for_in_training_and_prediction(folder, tmp_path, capsys):
    depths = read_depths(folder)
    depth = sorted(depths.values())[3]

    train(folder, tmp_path / "o", "--rarefy-depth", depth)

    said = capsys.readouterr().err
    assert "Without effect" not in said
    assert f"Dropped 3 of 80 samples with fewer than {depth:,}" in said
    assert f"{depth:,} reads" in (tmp_path / "o/model/README.md").read_text()
    succeed("predict", "--model", tmp_path / "o", *study_of(folder), "--output", tmp_path / "p.tsv")
    predicted, validated = read(tmp_path / "p.tsv"), read(tmp_path / "o/validation_predictions.tsv")
    assert len(predicted) == 77
    pd.testing.assert_series_equal(predicted.loc[validated.index, "prediction"], validated["prediction"])


def read_depths(folder) -> dict[str, int]:
    from aam.io.tables import read_table

    table = read_table(folder / "study/table.biom")
    return dict(zip(table.sample_ids, np.asarray(table.counts.sum(axis=1)).ravel().astype(int).tolist(), strict=True))
