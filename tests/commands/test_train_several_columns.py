"""Several numeric columns through whole commands: learned together, predicted and compared column by column."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from aam.config.target import ColumnLossConfig
from aam.inference.model_directory import load_model
from helpers import commands
from helpers.commands import QUIET, TINY, read, run, simulate, study_of

SHORT = [*TINY, "--epochs", "2", "--batch-size", "8", "--count-penalty", "0", "--lr", "0.01"]
OPTIONS = [
    "--loss-type", "quantile", "--output-scaling", "site", "--target-transform", "zscore-category", "--normalize-by", "site",
    "--best-metric", "target_b_m_i_mae", "--ema-decay", "0.5",
]  # fmt: skip
COLUMNS = ["age", "b.m.i"]

pytestmark = QUIET


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Simulate, add columns with holes, and train on two at once."""
    folder = tmp_path_factory.mktemp("several")
    simulate(folder / "study", 40, 24, 20, "--mean-depth", "200")
    table, rng = read(folder / "study/metadata.tsv"), np.random.default_rng(0)
    table["site"] = [["gut", "skin"][k % 2] for k in range(len(table))]
    table["b.m.i"] = 20 + table["age"] / 10 + rng.normal(size=len(table))
    table.loc[table.index[::4], "b.m.i"] = np.nan
    table.loc[table.index[[1, 7, 8]], "age"] = np.nan  # the last has neither
    table["low"] = -table["age"]
    table["word"] = ["a", "b"] * 20
    table["b_m_i"] = 1.0 * np.arange(len(table))
    table.to_csv(folder / "metadata.tsv", sep="\t")
    assert train(folder, folder / "trained", *OPTIONS) == 0
    return folder


def train(folder, output, *options, columns=COLUMNS):
    return commands.train(folder / "study", output, *SHORT, *options, column=columns, metadata=folder / "metadata.tsv")


def test_metrics_are_of_each_column(folder):
    metrics = json.loads((folder / "trained/metrics.json").read_text())
    predictions = read(folder / "trained/validation_predictions.tsv")

    for column in COLUMNS:
        has_value = predictions[f"truth:{column}"].notna()
        error = (predictions[f"prediction:{column}"] - predictions[f"truth:{column}"])[has_value]
        assert metrics[f"mae:{column}"] == pytest.approx(error.abs().mean(), rel=1e-6)
        assert metrics[f"n:{column}"] == has_value.sum()
        assert 0 <= metrics[f"coverage:{column}"] <= 1
    assert metrics["n:b.m.i"] < metrics["n"] == len(predictions)
    assert (folder / "trained/plots/target.png").stat().st_size > 1000


def test_predict_repeats_the_validation(folder, tmp_path):
    given = ["--model", f"{folder}/trained", "--metadata", f"{folder}/metadata.tsv", "--output", f"{tmp_path}/p.tsv"]
    assert run("predict", *study_of(folder), *given) == 0

    validated, predicted = read(folder / "trained/validation_predictions.tsv"), read(tmp_path / "p.tsv")

    kinds = ["prediction:age", "prediction:b.m.i", "lower:age", "upper:age", "lower:b.m.i", "upper:b.m.i"]
    assert list(predicted.columns) == kinds
    pd.testing.assert_frame_equal(predicted.loc[validated.index, kinds], validated[kinds])
    assert (predicted["lower:age"] < predicted["upper:age"]).all()


def test_evaluate_scores_the_columns_that_it_is_given(folder, tmp_path):
    given = ["--model", f"{folder}/trained", "--metadata", f"{folder}/metadata.tsv", "--output-dir"]
    assert run("evaluate", *study_of(folder), *given, f"{tmp_path}/all", "--metadata-column", *COLUMNS) == 0
    assert run("evaluate", *study_of(folder), *given, f"{tmp_path}/one", "--metadata-column", "b.m.i") == 0

    both, one = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("all", "one"))
    assert both["n"] == 39
    assert both["n:age"] == 37
    assert one["n"] == one["n:b.m.i"] == both["n:b.m.i"] == 30
    assert {name for name in one if name.endswith(":age")} == set()
    assert all(one[name] == both[name] for name in one if name.endswith(":b.m.i"))


def test_what_is_missing_is_said(folder, tmp_path, capsys):
    assert train(folder, tmp_path / "o", "--epochs", "1") == 0

    said = capsys.readouterr().err
    assert re.search(r"Left out 1 of 40 samples .*age or b\.m\.i", said)
    assert re.search(r"39 samples, .*: age 2, b\.m\.i 9", said)
    assert re.search(r"network, .*\b2 columns", said)


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        (["age", "word"], [], r"--metadata-column word .*'a', 'b' \(40 samples\)"),
        (["age", "b.m.i"], ["--head", "kernel"], r"--head kernel .*--metadata-column .*\b2\b"),
        (["age", "b.m.i"], ["--task", "classification"], "--task classification "),
        (["age", "age"], [], "--metadata-column age age "),
        ([], [], "--metadata-column .*name"),
        (["age", "b.m.i"], ["--group-column", "b.m.i"], r"--group-column and --metadata-column .*b\.m\.i"),
        (["age", "b.m.i", "b_m_i"], [], "the same name, b_m_i_r2"),
    ],
)  # fmt: skip
def test_what_cannot_be_learned_together_is_refused(columns, options, message, folder, tmp_path, capsys):
    assert train(folder, tmp_path / "o", *options, columns=columns) == 2

    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "o").exists()


def test_a_column_that_validation_lacks_is_refused(folder, tmp_path, capsys):
    table = read(folder / "metadata.tsv")
    has_value = table["b.m.i"].notna()
    parts = np.where(has_value, "train", "validation")
    pd.DataFrame({"split": parts}, index=table.index).to_csv(tmp_path / "split.tsv", sep="\t")

    assert train(folder, tmp_path / "o", "--split", "file", "--split-file", str(tmp_path / "split.tsv")) == 2

    assert re.search(r"No validation sample .*'b\.m\.i'", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("columns", "message"),
    [(["word"], "--metadata-column 'word': the model predicts age, b.m.i."), (["age", "load"], r"'load': .*age, b\.m\.i")],
)  # fmt: skip
def test_evaluate_refuses_columns_that_the_model_does_not_predict(columns, message, folder, tmp_path, capsys):
    given = ["--model", f"{folder}/trained", "--metadata", f"{folder}/metadata.tsv", "--output-dir", f"{tmp_path}/o"]

    assert run("evaluate", *study_of(folder), *given, "--metadata-column", *columns) == 2

    assert re.search(message, capsys.readouterr().err)


def test_folds_compare_one_column_at_a_time(folder, tmp_path, capsys):
    labels = ["--metadata", f"{folder}/metadata.tsv", "--metadata-column", *COLUMNS, "--output-dir", f"{tmp_path}/o"]

    assert run("evaluate", "--folds", "3", *study_of(folder), *labels) == 2

    assert "pass one of them at a time" in capsys.readouterr().err


def losses(folder, text):
    (folder / "losses.yaml").write_text(text)
    return ["--loss-config", str(folder / "losses.yaml")]


def test_each_column_is_learned_as_the_file_says(folder, tmp_path):
    said = losses(tmp_path, "age: {loss-type: quantile, target-transform: minmax, bounded-targets: true}\n")
    assert train(folder, tmp_path / "o", "--target-transform", "log-zscore", *said) == 0
    given = ["--model", f"{tmp_path}/o", "--output", f"{tmp_path}/p.tsv"]
    (tmp_path / "losses.yaml").unlink()  # the model needs it no more
    assert run("predict", *study_of(folder), *given) == 0

    predicted, table = read(tmp_path / "p.tsv"), read(folder / "metadata.tsv")
    splits = read(tmp_path / "o/splits.tsv")["split"]
    trained = table["age"].loc[splits.index[splits == "train"]]
    assert list(predicted.columns) == ["prediction:age", "prediction:b.m.i", "lower:age", "upper:age"]
    assert predicted.filter(like=":age").stack().between(trained.min(), trained.max()).all()
    age, bmi = json.loads((tmp_path / "o/model/state.json").read_text())["target"]["parts"]
    assert (age["transform"]["is_log"], age["transform"]["centre"]) == (False, trained.min())
    assert bmi["transform"]["is_log"]


def test_weights_and_losses_are_kept_with_the_model(folder, tmp_path):
    said = losses(tmp_path, "b.m.i: {weight: 3, loss-type: mae}\n")
    assert train(folder, tmp_path / "o", "--epochs", "1", *said) == 0

    model, description = load_model(tmp_path / "o")

    assert model.target.weights == [1.0, 3.0]
    assert [head.options.loss_type for head in model.target.heads] == ["huber", "mae"]
    assert description.column_losses == {"b.m.i": ColumnLossConfig(weight=3.0, loss_type="mae")}


def test_one_column_is_learned_as_with_the_options(folder, tmp_path):
    options = ["--loss-type", "mae", "--target-transform", "minmax"]
    said = losses(tmp_path, "b.m.i: {loss-type: mae, target-transform: minmax}\n")

    assert train(folder, tmp_path / "a", "--head", "network", *said, columns=["b.m.i"]) == 0
    assert train(folder, tmp_path / "b", "--head", "network", *options, columns=["b.m.i"]) == 0

    weights = [(tmp_path / name / "model/model.safetensors").read_bytes() for name in "ab"]
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("age: {weight: 2}\nbmj: {weight: 3}", COLUMNS, r"'bmj', .*--metadata-column .*'age', 'b\.m\.i'"),
        ("age: {lr: 2}", COLUMNS, "age .*'lr'; .*loss-type"),
        ("age: {weight: 2}", ["age"], "age .*weight .*no effect"),
        ("age: {output-activation: exp}", COLUMNS, "age: --output-activation exp "),
        ("age: {target-transform: zscore-category}", COLUMNS, "age: --target-transform zscore-category .*--normalize-by"),
        ("word: {loss-type: mse}", ["word"], r"--loss-config .*\bword\b"),
        ("low: {target-transform: log-zscore}", ["age", "low"], r"log-zscore .*\blow\b"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_is_refused(text, columns, message, folder, tmp_path, capsys):
    assert train(folder, tmp_path / "o", "--head", "network", *losses(tmp_path, text), columns=columns) == 2

    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "o").exists()
