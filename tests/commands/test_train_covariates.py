"""Whole commands whose model reads columns of the metadata beside the microbes."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file

from helpers import commands
from helpers.commands import QUIET, TINY, labels_of, read, run, simulate, study_of, succeed

SHORT = [*TINY, "--epochs", "1", "--batch-size", "16", "--count-penalty", "0", "--lr", "0.01"]
PLACES = ["--categorical-columns", "city", "sex", "--numeric-columns", "bmi", "--category-parents", "city=country"]
COUNTRY = {"Paris": "France", "Lyon": "France", "Rome": "Italy", "Pisa": "Italy"}
FUSIONS = ["concat", "add", "gmu", "cross-attention", "perceiver"]

pytestmark = QUIET


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Simulate, and add where samples are from, a number with gaps, a load that depends on the country alone, and copies."""
    folder = tmp_path_factory.mktemp("conditions")
    simulate(folder / "study", 36, 24, 20, "--mean-depth", 200)
    table, rng = read(folder / "study/metadata.tsv"), np.random.default_rng(0)
    table["city"] = [list(COUNTRY)[k % 4] for k in range(len(table))]
    table["country"] = table["city"].map(COUNTRY)
    table["load"] = table["country"].map({"France": 0.0, "Italy": 10.0}) + rng.normal(0, 1, len(table))
    table["bmi"] = rng.normal(25, 3, len(table)).round(1)
    table.loc[table.index[::7], "bmi"] = None
    table["age_months"] = table["age"] / 30.4
    table["empty"] = ""
    table["host"] = table["subject"].str.lower()
    table.to_csv(folder / "metadata.tsv", sep="\t")
    return folder


def train(folder, output, column, *options) -> None:
    labels = labels_of(folder / "metadata.tsv", column)
    succeed("train", *study_of(folder), *labels, "--output-dir", output, *SHORT, *options)


def predict(folder, model, table, output) -> pd.DataFrame:
    path = output.with_suffix(".metadata.tsv")
    table.to_csv(path, sep="\t")
    return commands.predict(folder / "study", model, output, "--metadata", path)


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    output = tmp_path_factory.mktemp("trained") / "out"
    train(folder, output, "age", *PLACES)
    return output


@pytest.mark.parametrize("fusion", FUSIONS)
def test_predict_and_evaluate_give_what_training_reported(folder, tmp_path, fusion, capsys):
    train(folder, tmp_path / "out", "disease", *PLACES, "--categorical-fusion", fusion, "--category-lr", "0.03")
    assert "network, as it alone reads 'city', 'sex', 'bmi', 'country'" in capsys.readouterr().err

    predicted = predict(folder, tmp_path / "out", read(folder / "metadata.tsv"), tmp_path / "p.tsv")
    assert "--metadata has no effect" not in capsys.readouterr().err
    labels = ["--metadata", folder / "metadata.tsv", "--metadata-column", "disease", "--output-dir", tmp_path / "e"]
    succeed("evaluate", "--model", tmp_path / "out", *study_of(folder), *labels)

    reported = read(tmp_path / "out/validation_predictions.tsv")
    for other in (predicted, read(tmp_path / "e/predictions.tsv").drop(columns="truth")):
        pd.testing.assert_frame_equal(other.loc[reported.index], reported.drop(columns="truth"), check_exact=True)


def test_an_unknown_city_is_read_as_its_country(folder, trained, tmp_path, capsys):
    table = read(folder / "metadata.tsv")

    unseen = predict(folder, trained, table.assign(city="Nice"), tmp_path / "unseen.tsv")
    assert re.search(r"city: 36 of 36 samples .*\b0 without .*\b36 with", capsys.readouterr().err)
    missing = predict(folder, trained, table.assign(city=None), tmp_path / "missing.tsv")
    known = predict(folder, trained, table, tmp_path / "known.tsv")
    alone = predict(folder, trained, table.drop(columns="country").assign(country=None), tmp_path / "alone.tsv")
    nothing = predict(folder, trained, table.assign(city="Nice", country="Peru"), tmp_path / "nothing.tsv")

    pd.testing.assert_frame_equal(unseen, missing, check_exact=True)
    pd.testing.assert_frame_equal(known, alone, check_exact=True)  # a city says its country
    assert (known != unseen).all(axis=None)
    assert (nothing != unseen).all(axis=None)


def test_what_is_unknown_is_said_once_for_each_column(folder, trained, tmp_path, capsys):
    table = read(folder / "metadata.tsv")
    table["sex"] = ["other", None, *table["sex"][2:]]
    table["bmi"] = table["bmi"].astype(object)
    table.loc[table.index[1], "bmi"] = "unheard of"

    predict(folder, trained, table, tmp_path / "p.tsv")

    said = [line for line in capsys.readouterr().err.splitlines() if "read as unknown" in line]
    expected = [
        r"sex: 2 of 36 samples .*\b1 without .*\b1 .*\('other'\)",
        r"bmi: 7 of 36 samples .*\b6 without .*\b1 .*\('unheard of'\)",
    ]
    assert all(re.search(pattern, line) for pattern, line in zip(expected, said, strict=True))


@pytest.mark.slow
def test_the_country_that_decides_is_used(folder, tmp_path):
    options = ["--epochs", "20", "--lr", "0.03", "--head", "network"]
    train(folder, tmp_path / "without", "load", *options)
    train(folder, tmp_path / "with", "load", *options, *PLACES[:2], "--category-parents", "city=country")

    scores = {name: json.loads((tmp_path / name / "metrics.json").read_text())["r2"] for name in ("without", "with")}
    assert scores["with"] > 0.6
    assert scores["without"] < 0.3
    table = read(folder / "metadata.tsv")
    moved = predict(folder, tmp_path / "with", table.assign(city="Nice", country="Italy"), tmp_path / "p.tsv")
    assert moved["prediction"].mean() > 7  # also where training saw France


def test_what_was_fitted_is_of_the_training_samples_and_travels_with_the_model(folder, trained):
    state = json.loads((trained / "model/state.json").read_text())["conditions"]
    card = (trained / "model/README.md").read_text()

    split = read(trained / "splits.tsv")["split"]
    table = read(folder / "metadata.tsv").loc[split.index[split == "train"]]
    assert [one["known"]["column"] for one in state["categories"]] == ["sex", "country", "city"]
    assert state["categories"][2]["known"]["names"] == sorted(COUNTRY)
    assert state["categories"][2]["parents"] == [0, 0, 1, 1]
    (bmi,) = state["numbers"]
    assert (bmi["column"], bmi["low"], bmi["high"]) == ("bmi", table["bmi"].min(), table["bmi"].max())
    assert (bmi["mean"], bmi["std"]) == pytest.approx((table["bmi"].mean(), table["bmi"].std(ddof=0)))
    assert "country of a sample (France, Italy): " in card


def test_without_columns_a_model_has_no_part_for_them(folder, tmp_path):
    train(folder, tmp_path / "out", "age", "--head", "network")

    names = load_file(tmp_path / "out/model/model.safetensors")
    assert {name.split(".")[0] for name in names} == {"base_model", "pooling", "objectives"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--categorical-columns", "age"], "--categorical-columns and --metadata-column are both age"),
        (["--numeric-columns", "age_months"], r"--numeric-columns age_months .*--metadata-column age\b"),
        (["--categorical-columns", "subject", "--group-column", "subject"],
         "--categorical-columns and --group-column are both subject"),
        (["--categorical-columns", "sight"], "column 'sight'"),
        (["--categorical-columns", "empty"], "--categorical-columns empty: "),
        (["--numeric-columns", "sex"], r"\(36 samples\), which are no numbers"),
        (["--categorical-columns", "sex", "--head", "kernel"], "--head kernel"),
        (["--categorical-columns", "sex", "--mixup-alpha", "0.2"], "--mixup-alpha mixes samples"),
        (["--categorical-columns", "country", "--category-parents", "country=city"],
         "--category-parents country=city: 2 of 2 "),
        (["--category-lr", "0.1"], "--category-lr .*without"),
    ],
)  # fmt: skip
def test_columns_that_may_not_be_read_are_one_message(folder, tmp_path, options, message, capsys):
    labels = ["--metadata", folder / "metadata.tsv", "--metadata-column", "age", "--output-dir", tmp_path / "out"]

    assert run("train", *study_of(folder), *labels, *SHORT, *options) == 2

    shown = capsys.readouterr().err
    assert re.search(message, shown)
    assert "Traceback" not in shown
    assert not (tmp_path / "out").exists()


def test_columns_that_give_the_target_or_the_subject_away_are_warned_of(folder, tmp_path, capsys):
    train(folder, tmp_path / "out", "disease", "--categorical-columns", "host", "--group-column", "subject")

    shown = capsys.readouterr().err
    assert "--categorical-columns host alone explains 100 % of --metadata-column disease" in shown
    assert re.search("host is of one subject", shown)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            None,
            "'sex', 'country', 'city', 'bmi' .*--metadata",
        ),
        (
            lambda table: table.drop(columns=["sex", "bmi"]),
            "--metadata has no column 'sex', 'bmi'",
        ),
        (lambda table: table.rename(lambda name: f"other {name}"), "None of the 36 samples .*--metadata"),
    ],
)
def test_prediction_needs_the_columns(folder, trained, tmp_path, change, message, capsys):
    given = []
    if change is not None:
        change(read(folder / "metadata.tsv")).to_csv(tmp_path / "m.tsv", sep="\t")
        given = ["--metadata", str(tmp_path / "m.tsv")]
    arguments = ["predict", "--model", trained, *study_of(folder), "--output", tmp_path / "p.tsv", *given]

    assert run(*arguments) == 2

    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "p.tsv").exists()


@pytest.mark.slow
def test_every_fold_reads_the_columns_as_its_training_part_knows_them(folder, tmp_path, capsys):
    table = read(folder / "metadata.tsv")
    table["city"] = ["Nice", *table["city"][1:]]
    table.to_csv(tmp_path / "m.tsv", sep="\t")
    labels = ["--metadata", tmp_path / "m.tsv", "--metadata-column", "load", "--baselines", "guess", "--folds", 2]
    longer = ["--epochs", "20", "--lr", "0.03", "--category-parents", "city=country", "--categorical-columns", "city"]

    succeed("evaluate", *study_of(folder), *labels, "--output-dir", tmp_path / "o", *SHORT, *longer)

    shown = capsys.readouterr().err
    assert re.search(r"city: 1 of 36 samples .*\b0 without .*\b1 with", shown)
    scores = pd.read_csv(tmp_path / "o/summary.tsv", sep="\t").set_index(["method", "metric"])["pooled"]
    assert scores[("aam", "r2")] > 0.5
