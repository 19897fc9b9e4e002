"""Whole explanations of networks: attention, integrated gradients, nucleotides, and messages for other models."""

import pandas as pd
import pytest

from helpers.commands import QUIET, TINY, files_of, labels_of, run, simulate, succeed

pytestmark = [QUIET, pytest.mark.slow]

FEW = ("--least-samples", "25", "--top", "3", "--exchanges", "1", "--precision", "32-true", "--no-attributions")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A study, a network and a kernel head of its age, and an explanation of the network in all ways."""
    folder = tmp_path_factory.mktemp("network")
    study = simulate(folder / "study", 48, 40, 60, "--subjects", 24)
    files, labels = files_of(study), labels_of(study / "metadata.tsv", "age")
    shape = ["--head", "network", *TINY[:-2], "--max-bp", "60", "--epochs", "2", "--rarefy-depth", "500"]
    succeed("train", *files, *labels, *shape, "--output-dir", folder / "model")
    succeed("train", *files, *labels, "--output-dir", folder / "kernel")
    succeed(
        "explain", "--model", folder / "model", *files, *labels, "--taxonomy", study / "taxonomy.tsv", *FEW, "--training-samples",
        "--attention", "--gradients", "--nucleotides", "--output-dir", folder / "explained",
    )  # fmt: skip
    return folder


def read(path):
    return pd.read_csv(path, sep="\t", keep_default_na=False)


def test_taxa_are_the_clades_without_a_tree(folder):
    table = read(folder / "explained" / "importance.tsv")

    assert {"all", "clade", "ASV"} == set(table["kind"])
    assert (table.loc[table["kind"] == "clade", "taxon"] != "").mean() > 0.8


def test_all_methods_are_rows_of_importance_and_are_compared(folder):
    table = read(folder / "explained" / "importance.tsv")
    agreement = read(folder / "explained" / "agreement.tsv")

    methods = {"permutation", "association", "integrated gradients", "attention"}
    assert set(table["method"]) == methods
    single = agreement[(agreement["between"] == "methods") & (agreement["kind"] == "ASV")]
    assert len(single) == 6
    assert set(single["first"]) | set(single["second"]) == methods
    for method in methods:
        ranks = table.loc[(table["method"] == method) & (table["kind"] == "ASV"), "rank"].astype(int)
        assert sorted(ranks) == list(range(1, len(ranks) + 1))


def test_gradients_of_samples_add_up_to_what_predictions_differ_by(folder):
    table = read(folder / "explained" / "gradients.tsv")
    importance = read(folder / "explained" / "importance.tsv")

    assert list(table) == ["sample-id", "feature-id", "attribution"]
    means = table["attribution"].abs().groupby(table["feature-id"]).sum() / table["sample-id"].nunique()
    rows = importance[(importance["method"] == "integrated gradients") & (importance["kind"] == "ASV")].set_index(
        "name"
    )
    pd.testing.assert_series_equal(
        rows["importance"].astype(float), means.loc[rows.index], check_names=False, rtol=1e-6
    )


def test_nucleotides_are_those_of_the_sequences(folder):
    table = read(folder / "explained" / "nucleotides.tsv")
    fasta = (folder / "study" / "sequences.fasta").read_text().split(">")[1:]
    sequences = {entry.split()[0]: "".join(entry.split()[1:]) for entry in fasta}

    assert table["feature-id"].nunique() == 10
    for name, rows in table.groupby("feature-id"):
        assert "".join(rows["nucleotides"]) == sequences[name]
        places = zip(rows["first-position"], rows["nucleotides"], strict=True)
        assert all(sequences[name][first - 1 :].startswith(text) for first, text in places)


def test_attention_of_each_layer_head_and_sample_adds_up_to_one(folder):
    samples = read(folder / "explained" / "attention-of-samples.tsv")
    means = read(folder / "explained" / "attention.tsv")

    sums = samples.groupby(["sample-id", "layer"])["weight"].sum()
    assert sums.to_numpy() == pytest.approx(1, abs=1e-5)
    assert set(samples["layer"]) == {"pooling", "target-pooling", "rollout"}
    assert {"1", "2", "mean"} == set(means.loc[means["layer"] == "pooling", "head"])


@pytest.mark.parametrize(
    "name", ["attention-pooling", "attention-rollout", "attention-layers", "attention-flow", "nucleotides"]
)
def test_pictures_say_that_attention_is_not_importance(name, folder):
    text = (folder / "explained" / "plots" / f"{name}.svg").read_text()

    assert (folder / "explained" / "plots" / f"{name}.png").stat().st_size > 1000
    assert ("attention, not importance" in text) == name.startswith("attention")


def test_attention_changes_no_prediction(folder, tmp_path):
    study = folder / "study"
    files, labels = files_of(study), labels_of(study / "metadata.tsv", "age")
    command = ["explain", "--model", folder / "model", *files, *labels, *FEW[:-1], "--training-samples"]
    succeed(*command, "--output-dir", tmp_path / "without")
    succeed(*command, "--attention", "--output-dir", tmp_path / "with")

    assert (tmp_path / "with" / "attributions.tsv").read_bytes() == (
        tmp_path / "without" / "attributions.tsv"
    ).read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--attention"], "is a kernel head without a pre-trained encoder, and has no attention"),
        (["--gradients"], "is a kernel head, and has no gradients"),
        (["--nucleotides"], "--nucleotides has no effect without --gradients"),
    ],
)
def test_a_kernel_head_has_neither_attention_nor_gradients(options, message, folder, tmp_path, capsys):
    study = folder / "study"
    fitting = ["--model", folder / "kernel", *files_of(study), *labels_of(study / "metadata.tsv", "age")]
    capsys.readouterr()

    assert run("explain", *fitting, *options, "--training-samples", "--output-dir", tmp_path / "o") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
