"""Kinds of new metadata that are compared with a model otherwise than they were meant, and scores that are not defined."""

import json

import numpy as np
import pandas as pd
import pytest

from aam.config.covariates import CovariatesConfig
from aam.crossval.report import summary_table
from aam.crossval.summary import HeldOut, score_folds, summarise
from aam.inference.metrics import evaluate
from aam.io.metadata import Metadata
from aam.labels.covariates import NO_COVARIATES, Covariates, fit_covariates
from aam.labels.new_samples import truth_of, warn_of_new_cells
from aam.labels.ranges import TrainingRange, is_of_another_unit
from aam.labels.target import TargetState, fit_target
from aam.runs.results import summarise as summarise_metrics
from aam.runs.results import write_metrics
from aam.stored import read_stored
from aam.training.progress import describe_value
from helpers.kinds import Kind
from helpers.label_studies import AGES, STATES, LabelRuns, every

KINDS = {
    "respelt": Kind(
        "Labels",
        "A new file that spells the classes or categories of a model otherwise: `0.0` for `0`, `Sick` for `sick`",
        "`evaluate` and `predict` read them as those of training, and say once which and in how many samples. Classes that the "
        "model does not know are left out and named with their numbers of samples",
        "Nothing, or correct the new file",
    ),
    "other unit": Kind(
        "Labels",
        "A numeric column in another unit than in training: years for days, per cent for fractions",
        "`evaluate`, for the target, and `predict` and `evaluate`, for each column that is conditioned on, compare the range with "
        "that of training and ask",
        "Give the column in the unit of training",
    ),
    "not defined": Kind(
        "Scores",
        "Samples of which a score is not defined: one sample, one class, or one value",
        "The log and `summary.md` say which score is not defined and why; `metrics.json` has `null`",
        "Score samples of several classes or values",
    ),
}

TRAINING = fit_target(pd.Series(STATES, name="state"), "classification")

NUMBERS = fit_target(pd.Series([float(age) for age in AGES], name="age"), "regression")


def of_classes(*names) -> TargetState:
    return TargetState(column="case", task="classification", classes=names, guess=names[0])


RESPELT = {
    "form of numbers": (of_classes("0", "1"), ["0.0", "1.0", "1", "NA"], [0, 1, 1], "'NA' (1 sample)"),
    "numbers of a number column": (of_classes("01", "02"), [1.0, 2.0, 2.0, 3.0], [0, 1, 1], "'3' (1 sample)"),
    "case and white space": (of_classes("Type 1", "Type 2"), ["type 1", "TYPE  2", "Type\u00a02", "x", "x"], [0, 1, 1],
                             "'x' (2 samples)"),
    "unicode": (of_classes("caf\u00e9", "th\u00e9"), ["cafe\u0301", "the\u0301", "tea"], [0, 1], "'tea' (1 sample)"),
}  # fmt: skip


@pytest.mark.parametrize("name", RESPELT)
def test_classes_are_known_however_a_new_file_spells_them(name, caplog):
    target, cells, expected, unknown = RESPELT[name]

    kept, truth = truth_of(target, pd.DataFrame({"case": cells}))

    assert truth.tolist() == expected
    assert kept.tolist() == list(range(len(expected)))
    assert f"whose class the model does not know: {unknown}" in caplog.text
    assert caplog.text.count("is written otherwise than in training in") == 1


def test_classes_that_two_spellings_could_mean_are_unknown():
    kept, truth = truth_of(of_classes("Sick", "sick", "well"), pd.DataFrame({"case": ["SICK", "Sick", "well"]}))

    assert (kept.tolist(), truth.tolist()) == ([1, 2], [0, 2])


def test_a_model_that_knows_no_class_of_the_file_names_what_the_file_has(tmp_path, capsys):
    runs = LabelRuns(tmp_path, capsys)
    runs.train({"case": [str(int(state == "sick")) for state in STATES]}, "case", "--task", "classification")

    code, log = runs.evaluate({"case": every(4, "ill", ["healthy"] * 60)}, "case")
    code_of_known, log_of_known = runs.evaluate(
        {"case": every(60, "NA", [f"{state == 'sick':.1f}" for state in STATES])}, "case"
    )

    assert (code, code_of_known) == (2, 0)
    assert "'healthy' (45 samples), 'ill' (15 samples)" in log
    assert "n = 59" in log_of_known
    assert set(runs.predictions("scored")["truth"]) == {0, 1}


CONDITIONS = CovariatesConfig(categorical_columns=("site",), numeric_columns=("age",))


def conditions() -> Covariates:
    columns = {
        "site": pd.Series(["gut", "skin"] * 30, name="site"),
        "age": pd.Series([float(age) for age in AGES], name="age"),
    }
    return fit_covariates(CONDITIONS, columns)


def said_of(columns, fitted, caplog) -> str:
    frame = pd.DataFrame(columns, index=pd.Index([f"N{i}" for i in range(60)], name="sample-id"))
    caplog.clear()
    warn_of_new_cells(TRAINING, fitted, Metadata(frame), frame.index.tolist())
    return caplog.text


UNITS = {
    "years": ([age / 365 for age in AGES], "is it in the same unit"),
    "hours": ([age * 24.0 for age in AGES], "is it in the same unit"),
    "with the unit": ([f"{age} days" for age in AGES], "numbers with a unit: "),
    "decimal commas": ([f"{age},5" for age in AGES], "numbers like 1234.5"),
    "sentinels": (every(7, -999.0, AGES), "-999 in 9 samples, far from all others"),
}


@pytest.mark.parametrize("name", UNITS)
def test_numbers_that_a_model_reads_are_compared_with_those_of_training(name, caplog):
    ages, message = UNITS[name]

    said = said_of({"site": ["gut", "skin"] * 30, "age": ages}, conditions(), caplog)

    assert message in said
    assert said_of({"site": ["gut", "skin"] * 30, "age": [float(age) for age in AGES]}, conditions(), caplog) == ""


@pytest.mark.parametrize(
    ("cells", "names"),
    [(["Gut", "SKIN"], "'Gut' is read as 'gut', 'SKIN' is read as 'skin'"), (["gut", "Skin "], "'Skin ' is read as 'skin'"),
     (["\uff27ut", "skin"], "is read as 'gut'")],
)  # fmt: skip
def test_categories_are_known_however_a_new_file_spells_them(cells, names, caplog):
    columns = {"site": cells * 30, "age": [float(age) for age in AGES]}

    said = said_of(columns, conditions(), caplog)
    series = {name: pd.Series(values, name=name) for name, values in columns.items()}

    assert names in said
    assert "read as unknown" not in said
    assert conditions().cells(series).categories[:, 0].tolist() == [0, 1] * 30


def test_a_model_without_ranges_opens_and_compares_none(caplog):
    stored = {"categories": [], "numbers": [{"column": "age", "mean": 300.0, "std": 200.0}]}

    fitted = read_stored(Covariates, stored)

    assert (fitted.numbers[0].low, fitted.numbers[0].high) == (None, None)
    assert said_of({"age": [age / 365 for age in AGES]}, fitted, caplog) == ""
    assert said_of({"age": AGES}, NO_COVARIATES, caplog) == ""


@pytest.mark.parametrize("factor", [365, 1 / 365, 12, 1 / 12, 1000, 1 / 1000, 100, 1 / 100])
def test_a_truth_in_another_unit_is_asked_about(factor, caplog):
    _, truth = truth_of(NUMBERS, pd.DataFrame({"age": [age * factor for age in AGES]}))

    assert truth.tolist() == [age * factor for age in AGES]
    assert caplog.text.count("is it in the same unit") == 1


def test_of_fifty_draws_of_the_same_samples_none_is_in_another_unit(caplog):
    stream = np.random.default_rng(3)
    draws = [stream.lognormal(0, 1, 60) for _ in range(50)] + [stream.normal(0, 1, 60) for _ in range(50)]
    new = [stream.lognormal(0, 1, 20) for _ in range(50)] + [stream.normal(0, 1, 20) for _ in range(50)]

    found = [
        is_of_another_unit(numbers, TrainingRange(of.min(), of.max(), of.mean()))
        for of, numbers in zip(draws, new, strict=True)
    ]

    assert not any(found)


ORDERED = TargetState(column="stage", task="ordinal", classes=("a", "b", "c"), guess="a")

UNDEFINED = {
    "one class": (
        TRAINING,
        np.tile([0.4, 0.6], (4, 1)),
        np.array([1] * 4),
        "AUROC not defined (all samples are 'well')",
        "auroc",
    ),
    "no mistake in one class": (
        ORDERED,
        np.tile([0.1, 0.8, 0.1], (3, 1)),
        np.array([1] * 3),
        "AUROC not defined (all samples are 'b'), n = 3; not defined either: quadratic_kappa",
        "quadratic_kappa",
    ),
    "mistakes in one class": (
        ORDERED,
        np.tile([0.8, 0.1, 0.1], (3, 1)),
        np.array([1] * 3),
        "balanced accuracy 0.000 (guessing 'a': 0.000), AUROC not defined",
        "quadratic_kappa",
    ),
    "one prediction": (
        NUMBERS,
        np.full(3, 2.0),
        np.arange(3.0),
        "n = 3; not defined: pearson, spearman (all predictions have the same value)",
        "spearman",
    ),
    "one sample": (NUMBERS, np.array([1.0]), np.array([3.0]), "R² not defined (one sample)", "r2"),
    "one value": (NUMBERS, np.arange(3.0), np.full(3, 2.0), "R² not defined (all samples have the same value)", "r2"),
}


@pytest.mark.parametrize("name", UNDEFINED)
def test_a_score_that_is_not_defined_is_said_in_words_and_null_in_json(name, tmp_path):
    target, prediction, truth, words, key = UNDEFINED[name]

    metrics = evaluate(target, prediction, truth)
    write_metrics(tmp_path, metrics)

    assert words in summarise_metrics(metrics, target)
    assert "nan" not in summarise_metrics(metrics, target)
    assert json.loads((tmp_path / "metrics.json").read_text())[key] is None


@pytest.mark.parametrize(("last", "words"), [(0, "no value in 1 of 2 folds"), (1, "")])
def test_folds_without_a_score_are_counted_in_the_summary(last, words):
    truth = np.array([0, 0, 1, 1, 0, 0, 0, last])
    probability = np.stack([np.linspace(0.9, 0.2, 8), np.linspace(0.1, 0.8, 8)], axis=1)
    folds = np.array([[0, 0, 0, 0, 1, 1, 1, 1]])
    held_out = HeldOut("classification", truth, np.arange(8), folds, {"aam": probability[None]})

    scores = score_folds(held_out)
    text = summary_table(held_out, scores, summarise(held_out, scores, None, seed=0), None)

    assert words in text
    assert ("AUROC has no value" in text) == bool(words)
    assert "nan" not in text


@pytest.mark.parametrize(("guess", "expected"), [("well", 1.0), ("sick", 0.0)])
def test_guessing_a_class_that_no_sample_has_is_always_wrong(guess, expected):
    target = TargetState(column="state", task="classification", classes=("sick", "well"), guess=guess)

    metrics = evaluate(target, np.tile([0.4, 0.6], (4, 1)), np.array([1] * 4))

    assert (metrics["guess_balanced_accuracy"], metrics["guess_accuracy"]) == (expected, expected)


@pytest.mark.parametrize(
    ("second", "words"), [([5.0] * 4, "Spearman of linear has no value in 1 of 2 folds"), ([1, 2, 3, 4], "")]
)
def test_a_method_that_predicts_one_value_in_a_fold_is_named(second, words):
    truth = np.array([1.0, 2.0, 3.0, 4.0] * 2)
    predictions = {"linear": np.array([[1.0, 2.0, 2.5, 4.0, *second]]), "guess": np.full((1, 8), 2.5)}
    held_out = HeldOut("regression", truth, np.arange(8), np.array([[0] * 4 + [1] * 4]), predictions)

    scores = score_folds(held_out)
    text = summary_table(held_out, scores, summarise(held_out, scores, None, seed=0), None)

    assert words in text
    assert text.count("has no value") == bool(words)


@pytest.mark.parametrize("name", ["validation/target_auroc", "validation/target_r2", "validation/target_spearman"])
def test_a_line_of_an_epoch_has_words_for_a_score_that_is_not_defined(name):
    assert describe_value(name, float("nan")) == f"{name} not defined (one class or value)"
    assert describe_value(name, 0.5) == f"{name} 0.5"
    assert describe_value("validation/loss", float("nan")) == "validation/loss nan"
