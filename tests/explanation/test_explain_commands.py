"""Whole explanations of a study with a planted truth: files, numbers, guards and messages."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from aam.explanation.results.summary import STAMP
from aam.io.newick import read_newick
from helpers.commands import QUIET, files_of, labels_of, run, simulate, succeed, warnings_of

pytestmark = QUIET

TABLES = ("importance.tsv", "attributions.tsv", "effects.tsv", "nuisance.tsv", "agreement.tsv")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A study whose clades follow age, a kernel head of half of its subjects, and explanations of both kinds."""
    folder = tmp_path_factory.mktemp("explained")
    study = simulate(folder / "study", 160, 90, 60, "--subjects", 80)
    labels = labels_of(study / "metadata.tsv", "age")
    files = files_of(study, "tree", "taxonomy")
    options = ["--split", "grouped", "--group-column", "subject", "--validation-fraction", "0.4"]
    succeed("train", *files_of(study, "tree"), *labels, *options, "--output-dir", folder / "model")
    succeed(
        "crossval", *files, *labels, "--folds", "3", "--group-column", "subject", "--baselines", "guess", "--explain",
        "--nuisance-columns", "batch", "--output-dir", folder / "folds",
    )  # fmt: skip
    succeed(
        "explain",
        "--model",
        folder / "model",
        *files,
        *labels,
        "--group-column",
        "subject",
        "--output-dir",
        folder / "explained",
    )
    return folder


def tables_of(directory):
    tables = {name: pd.read_csv(directory / name, sep="\t", keep_default_na=False) for name in TABLES}
    return tables | {"importance.tsv": by_permutation(tables["importance.tsv"])}


def by_permutation(table):
    rows = table[table["method"] == "permutation"]
    return rows.assign(**{name: pd.to_numeric(rows[name]) for name in ("importance", "p", "q", "z", "rank")})


def planted(folder, column="age"):
    truth = pd.read_csv(folder / "study" / "truth.tsv", sep="\t")
    return set(truth.loc[truth["column"] == column, "feature-id"])


def reported_features(directory):
    """Return the features of the sets that are reported, from the tree that is written."""
    table = tables_of(directory)["importance.tsv"]
    tree = read_newick(directory / "tree.nwk")
    return set(table.loc[table["is_selected"].astype(str).eq("True") & table["kind"].eq("ASV"), "name"]), table, tree


@pytest.mark.parametrize("name", ["folds/explanation", "explained"])
def test_an_explanation_has_its_files(name, folder):
    directory = folder / name
    content = {path.name for path in directory.iterdir()}

    assert {*TABLES, "summary.md", "explanation.json", "plots", "tree.nwk", "itol", "empress.tsv"} <= content
    for picture in ("importance", "tree", "effects", "samples"):
        assert (directory / "plots" / f"{picture}.svg").stat().st_size > 1000
        assert (directory / "plots" / f"{picture}.png").stat().st_size > 1000


def test_planted_clades_are_reported_and_lead(folder):
    table = tables_of(folder / "folds" / "explanation")["importance.tsv"]
    driving = planted(folder)
    single = table[table["kind"] == "ASV"].head(10)

    assert single["name"].isin(driving).mean() >= 0.8
    assert (table["is_selected"].astype(str) == "True").sum() >= 1
    assert not json.loads((folder / "folds" / "explanation" / "explanation.json").read_text())[
        "no_better_than_guessing"
    ]


def test_parts_of_predictions_add_up(folder):
    table = tables_of(folder / "folds" / "explanation")["attributions.tsv"]
    parts = table.drop(columns=["sample-id", "prediction", "reference", "error"]).astype(float)

    np.testing.assert_allclose(parts.sum(axis=1), table["prediction"] - table["reference"], atol=1e-4)
    numbers = json.loads((folder / "folds" / "explanation" / "explanation.json").read_text())
    assert numbers["largest_error_of_sums"] < 1e-5


def test_explained_predictions_are_those_of_the_folds(folder):
    explained = tables_of(folder / "folds" / "explanation")["attributions.tsv"].set_index("sample-id")["prediction"]
    predicted = pd.read_csv(folder / "folds" / "predictions.tsv", sep="\t")
    predicted = predicted[predicted["method"] == "aam"].set_index("sample-id")["prediction"]

    np.testing.assert_allclose(explained, predicted.loc[explained.index], rtol=1e-6)


def test_samples_of_training_are_left_out(folder):
    explained = set(tables_of(folder / "explained")["attributions.tsv"]["sample-id"])
    splits = pd.read_csv(folder / "model" / "splits.tsv", sep="\t").set_index("sample-id")["split"]

    assert explained
    assert not explained & set(splits.index[splits == "train"])


def test_nuisance_columns_hold_depth_and_what_was_named(folder):
    table = tables_of(folder / "folds" / "explanation")["nuisance.tsv"]

    assert table["column"].tolist() == ["depth", "batch"]
    assert table["p"].between(0, 1).all()


def test_nodes_of_the_tree_have_the_names_of_the_table(folder):
    _, table, tree = reported_features(folder / "folds" / "explanation")

    single = set(table.loc[table["kind"] == "ASV", "name"])
    assert set(tree.names) == single
    text = (folder / "folds" / "explanation" / "tree.nwk").read_text()
    assert all(name in text for name in table.loc[table["kind"] == "clade", "name"])


def test_the_same_command_writes_the_same_files(folder, tmp_path):
    study = folder / "study"
    options = [
        "--model",
        folder / "model",
        *files_of(study, "tree", "taxonomy"),
        *labels_of(study / "metadata.tsv", "age"),
    ]
    succeed("explain", *options, "--group-column", "subject", "--output-dir", tmp_path / "again")

    for name in (*TABLES, "summary.md", "tree.nwk", "plots/tree.svg", "plots/importance.svg"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / "explained" / name).read_bytes(), name


def test_explaining_changes_no_score(folder, tmp_path):
    study = folder / "study"
    options = [
        *files_of(study, "tree"),
        *labels_of(study / "metadata.tsv", "age"),
        "--folds",
        "3",
        "--group-column",
        "subject",
    ]
    succeed("crossval", *options, "--baselines", "guess", "--output-dir", tmp_path / "plain")

    for name in ("predictions.tsv", "results.tsv", "folds.tsv"):
        assert (tmp_path / "plain" / name).read_bytes() == (folder / "folds" / name).read_bytes()


def test_classes_are_explained_in_log_odds_with_groups_of_the_user(folder, tmp_path):
    study, driving = folder / "study", sorted(planted(folder, "disease"))
    rows = [f"{name}\tdrivers" for name in driving] + [f"{name}\tothers" for name in sorted(planted(folder))]
    (tmp_path / "groups.tsv").write_text("\n".join(["feature-id\tgroup", *rows]) + "\n")
    succeed(
        "crossval", *files_of(study, "tree"), *labels_of(study / "metadata.tsv", "disease"), "--folds", "3", "--group-column",
        "subject", "--baselines", "guess", "--explain", "--groups", tmp_path / "groups.tsv", "--no-attributions", "--output-dir",
        tmp_path / "folds",
    )  # fmt: skip

    directory = tmp_path / "folds" / "explanation"
    table = by_permutation(pd.read_csv(directory / "importance.tsv", sep="\t", keep_default_na=False)).set_index("name")
    assert set(table["class"]) == {"healthy"}
    assert table.loc["drivers", "kind"] == "group"
    assert table.loc["drivers", "importance"] > 5 * abs(table.loc["others", "importance"])
    assert table.loc["drivers", "p"] < 0.01 < table.loc["others", "q"]
    assert not (directory / "attributions.tsv").exists()


def test_without_labels_it_is_said_that_nothing_is_known_of_their_truth(folder, tmp_path):
    options = ["--model", folder / "model", *files_of(folder / "study"), "--output-dir", tmp_path / "o"]
    assert run("explain", *options, "--nuisance-columns", "batch") == 2

    warned = warnings_of("explain", *options, "--top", "5")

    assert any("not known whether predictions are right" in text for text in warned)
    assert "No labels were given" in (tmp_path / "o" / "summary.md").read_text()
    assert not (tmp_path / "o" / "nuisance.tsv").exists()


def test_a_model_that_guesses_is_stamped(folder, tmp_path):
    study = shutil.copytree(folder / "study", tmp_path / "study")
    metadata = pd.read_csv(study / "metadata.tsv", sep="\t")
    metadata["noise"] = np.random.default_rng(1).standard_normal(len(metadata)).round(3)
    metadata.to_csv(study / "metadata.tsv", sep="\t", index=False)

    warned = warnings_of(
        "crossval", *files_of(study, "tree"), *labels_of(study / "metadata.tsv", "noise"), "--folds", "2", "--group-column",
        "subject", "--baselines", "guess", "--explain", "--no-attributions", "--output-dir", tmp_path / "folds",
    )  # fmt: skip

    assert STAMP in warned
    assert STAMP in (tmp_path / "folds" / "explanation" / "summary.md").read_text()
    assert STAMP in (tmp_path / "folds" / "explanation" / "plots" / "importance.svg").read_text()
    table = pd.read_csv(tmp_path / "folds" / "explanation" / "importance.tsv", sep="\t")
    assert not table["is_selected"].any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tree", "{other}/tree.nwk"], "None of the 90 features of the table is a tip of the tree"),
        (["--taxonomy", "{other}/taxonomy.tsv"], "gives none of the 90 features of the table a lineage"),
        (["--groups", "{other}/groups.tsv"], "none of its 1 features is in the table"),
        (["--groups", "{other}/taxonomy.tsv"], "expected tab-separated columns 'feature-id' and 'group'"),
        (["--least-samples", "500"], "Pass --least-samples 1"),
        (["--nuisance-columns", "plate"], "no column 'plate'"),
    ],
)
def test_files_that_do_not_fit_are_one_message(options, message, folder, tmp_path, capsys):
    other = simulate(tmp_path / "other", 12, 30, 40, "--seed", "7")
    (other / "groups.tsv").write_text("feature-id\tgroup\nx\tg\n")
    study = folder / "study"
    fitting = ["--model", folder / "model", *files_of(study), *labels_of(study / "metadata.tsv", "age")]
    capsys.readouterr()

    code = run("explain", *fitting, *(option.format(other=other) for option in options), "--output-dir", tmp_path / "o")

    assert code == 2
    assert message in capsys.readouterr().err
    assert not list((tmp_path / "o").glob("*.tsv"))


def test_a_model_that_has_seen_all_samples_is_refused_unless_asked(folder, tmp_path, capsys):
    study = folder / "study"
    labels = labels_of(study / "metadata.tsv", "age")
    splits = pd.read_csv(folder / "model" / "splits.tsv", sep="\t").set_index("sample-id")["split"]
    metadata = pd.read_csv(study / "metadata.tsv", sep="\t")
    training = metadata[metadata["sample-id"].isin(splits.index[splits == "train"])]
    training.to_csv(tmp_path / "training.tsv", sep="\t", index=False)
    options = ["--model", folder / "model", *files_of(study), "--metadata", tmp_path / "training.tsv", *labels[2:]]

    assert run("explain", *options, "--missing-samples", "drop", "--output-dir", tmp_path / "o") == 2
    assert "at least 4 are needed" in capsys.readouterr().err
    succeed(
        "explain",
        *options,
        "--missing-samples",
        "drop",
        "--training-samples",
        "--no-attributions",
        "--output-dir",
        tmp_path / "o",
    )


@pytest.mark.slow
def test_lists_are_compared_between_folds_repeats_and_methods(folder, tmp_path):
    study = folder / "study"
    options = [
        *files_of(study, "tree"),
        *labels_of(study / "metadata.tsv", "age"),
        "--group-column",
        "subject",
        "--seed",
        "3",
    ]
    succeed(
        "crossval", *options, "--folds", "2", "--repeats", "2", "--baselines", "guess", "--explain", "--rarefactions", "1",
        "--top", "10", "--no-attributions", "--output-dir", tmp_path / "folds",
    )  # fmt: skip

    directory = tmp_path / "folds" / "explanation"
    table = pd.read_csv(directory / "agreement.tsv", sep="\t")
    pairs = table[table["kind"] == "ASV"].groupby("between").size().to_dict()
    assert pairs == {"folds": 1, "methods": 1, "repeats": 3}
    assert table["jaccard_index"].between(0, 1).all()
    assert table["rank_biased_overlap"].between(0, 1).all()
    of_repeats = table[(table["between"] == "repeats") & (table["kind"] == "ASV")]
    assert set(of_repeats["first"]) | set(of_repeats["second"]) == {"first", "repeat 2", "rarefaction 1"}
    assert (of_repeats["spearman"] > 0.2).all()
    assert "How far models and methods agree" in (directory / "summary.md").read_text()


def test_a_pretrained_encoder_has_nothing_to_explain(folder, tmp_path, capsys):
    study = folder / "study"
    shape = [
        "--embedding-dim",
        "8",
        "--attention-heads",
        "2",
        "--attention-layers",
        "1",
        "--max-bp",
        "60",
        "--epochs",
        "1",
    ]
    succeed("pretrain", *files_of(study, "tree"), *shape, "--output-dir", tmp_path / "encoder")

    assert run("explain", "--model", tmp_path / "encoder", *files_of(study), "--output-dir", tmp_path / "o") == 2
    assert "is a pre-trained encoder without a target" in capsys.readouterr().err
