"""Kinds of cells of metadata that are learned otherwise than they were meant."""

import re
import shlex

import numpy as np
import pandas as pd
import pytest

from aam.cli import parse
from aam.errors import MetadataError
from aam.io.metadata import read_metadata
from aam.labels.class_sizes import small_class_remarks
from aam.labels.columns import probable_missing_values
from aam.labels.number_cells import date_number_remarks, numbers_by_kind
from aam.labels.sentinels import find_sentinels, sentinel_remarks
from aam.labels.spellings import look_alike_remarks
from aam.labels.task_choice import choose_task
from helpers.kinds import Kind
from helpers.label_studies import AGES, PEOPLE, STATES, LabelRuns, every, remarks_in, write_metadata

KINDS = {
    "small": Kind(
        "Labels",
        "A class of one or two samples, or of one or two subjects with `--group-column`, such as one misspelt cell",
        "A warning of `train`, `crossval` and `inspect` names such classes and how many samples they have. The kernel head gives "
        "them the weight of their samples, not of a whole class, so that they take no predictions over",
        "Correct the cell, or leave such samples out by `--smallest-class 3`, which counts them",
    ),
    "alike": Kind(
        "Labels",
        "Classes, categories or subjects that differ in case, white space, Unicode form, quotes, dashes or the form of a number: "
        "`Sick` and `sick`, `0` and `0.0`",
        "A warning names them with their numbers of samples; they count as different",
        "Write them alike",
    ),
    "sentinels": Kind(
        "Labels",
        "`-999`, `9999`, `-1` or `0` for *not measured* in a numeric column, to learn or to condition on",
        "A warning names numbers that lie far from all others, and how many samples have them",
        "`--missing-values -999`; at `predict`, which leaves out what training left out, empty the cells",
    ),
    "units": Kind(
        "Labels",
        "Numbers with a unit or per cent sign, limits such as `<5`, decimal commas, or dates",
        "An error where they cannot be classes; where they recur, a warning that they are classified",
        "Write the number alone; of dates, days since the first; `--task classification` if they are classes",
    ),
    "placeholders": Kind(
        "Labels",
        "`NA`, `not collected`, `--`, `missing: lab stock` where nothing is known, in quotes or not",
        "An error where they stand among numbers, a warning where they are classes; both with the option, as a shell takes it",
        "`--missing-values NA 'not collected' --`",
    ),
    "few numbers": Kind(
        "Labels",
        "Classes written as 1, 2 and 3",
        "They are regressed, and `train`, `crossval` and `inspect` ask in one line whether they are classes",
        "`--task classification`",
    ),
}


@pytest.fixture
def runs(tmp_path, capsys):
    return LabelRuns(tmp_path, capsys)


def cells(values, name="state"):
    column = pd.Series(values, name=name)
    return column.astype(float) if column.dtype.kind == "i" else column


SMALL = {
    "a misspelt cell": (["sikc", *STATES[1:]], None, "'sikc' (1 sample)"),
    "two of a class": ([*STATES[:58], "ill", "ill"], None, "'ill' (2 samples)"),
    "one subject": (["ill" if person == "P03" else state for person, state in zip(PEOPLE, STATES, strict=True)], PEOPLE,
                    "'ill' (4 samples of 1 subject)"),
    "two small classes": (["a", "b", "b", *STATES[3:]], None, "'a' (1 sample), 'b' (2 samples)"),
}  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
def test_a_class_too_small_to_learn_is_named_with_its_size(name):
    values, subjects, named = SMALL[name]

    (remark,) = small_class_remarks("--metadata-column", cells(values), subjects)

    assert named in remark
    assert "--smallest-class 3" in remark


@pytest.mark.parametrize("name", ["a misspelt cell", "two small classes", "one subject"])
def test_small_classes_take_no_predictions_and_are_left_out_on_request(name, runs):
    states, subjects, named = SMALL[name]
    few = set(states) - set(STATES)
    n_few = sum(state in few for state in states)
    group = [] if subjects is None else ["--group-column", "subject"]

    code, log = runs.crossval({"state": states}, "state", "--folds", 3, "--baselines", "guess", *group)
    predicted = runs.predictions("folds").query("method == 'aam'")
    code_without, log_without = runs.train({"state": states}, "state", "--smallest-class", 3, *group)

    assert (code, code_without) == (0, 0)
    assert named in log
    assert predicted["prediction"][~predicted["truth"].isin(few)].isin(few).sum() <= 1  # of 56 or more
    assert f"left out {n_few} of 60 samples, of {len(few)} of {len(few) + 2} classes: {named}" in log_without
    assert not [name for name in runs.predictions("trained").columns if name.split(":")[-1] in few]
    if subjects is None:
        assert named in runs.inspect({"state": states})


def test_a_column_of_small_classes_only_is_said_in_one_line(runs):
    code, log = runs.train({"state": [f"c{i // 2}" for i in range(60)]}, "state")

    assert code == 0
    assert log.count("none of its 30 classes has more than 2 samples") == 1
    assert "unique classes" not in log


@pytest.mark.parametrize("smallest", [40, 100])
def test_too_few_classes_or_numbers_are_refused_with_the_least_size(smallest, runs):
    columns = {"state": every(2, "well", ["sick"] * 60), "age": AGES}

    code, log = runs.train(columns, "state", "--smallest-class", smallest)
    code_of_numbers, log_of_numbers = runs.train(columns, "age", "--smallest-class", smallest)

    assert code == code_of_numbers == 2
    assert f"--smallest-class {smallest} leaves no class" in log
    assert "--smallest-class is for classes, and age is regressed" in log_of_numbers


ALIKE = {
    "case": (every(5, "Sick", STATES), {"Sick": 12}),
    "white space": ([f"{state} 1" if i % 3 else f"{state}  1" for i, state in enumerate(STATES)], {"sick  1": 9}),
    "unicode": (
        ["cafe\u0301" if i % 4 == 0 else "caf\u00e9" if i % 2 else "tea" for i in range(60)],
        {"caf\u00e9": 30},
    ),
    "underscores": (every(5, "well_fed", ["sick"] * 30 + ["well fed"] * 30), {"well_fed": 12}),
    "quotes": (every(5, '"sick"', STATES), {'"sick"': 12}),
    "decimal commas": (["0,5" if i % 6 == 0 else "0.5" if i % 2 else "none" for i in range(60)], {"0,5": 10}),
    "wide letters": (every(6, "\uff33ick", ["sick"] * 30 + ["well"] * 30), {"\uff33ick": 10}),
    "numbers": (["0.0" if i % 6 == 0 else "0" if i % 2 else "case" for i in range(60)], {"0": 30, "0.0": 10}),
}


@pytest.mark.parametrize("name", ALIKE)
def test_classes_that_look_alike_are_named_with_their_counts(name, caplog):
    values, expected = ALIKE[name]

    choose_task(cells(values), "classification")

    assert "differ only in how they are written" in caplog.text
    for spelling, n in expected.items():
        assert f"{spelling!r} ({n} samples)" in caplog.text


SENTINELS = {
    "-999": (every(7, -999, AGES), {-999: 9}),
    "9999": (every(7, 9999, AGES), {9999: 9}),
    "-1": (every(7, -1, AGES), {-1: 9}),
    "999 once": ([999, *np.linspace(20, 80, 59).round().tolist()], {999: 1}),
    "0 of a temperature": (every(10, 0, np.linspace(35, 40, 60).round(1).tolist()), {0: 6}),
    "two": (every(7, -9999, every(11, -999, AGES)), {-9999: 9, -999: 5}),
    "another number": (every(10, 88000, AGES), {88000: 6}),
    "-9 of scores": (every(10, -9, [1, 2, 3] * 20), {-9: 6}),
    "-999 of two": (every(10, -999, [0, 1] * 30), {-999: 6}),
    "99 of scores": (every(10, 99, [1, 2, 3, 4, 5] * 12), {99: 6}),
}


@pytest.mark.parametrize("name", SENTINELS)
def test_numbers_that_stand_for_no_value_are_found_and_can_be_left_out(name):
    values, expected = SENTINELS[name]

    assert find_sentinels(np.array(values, dtype=float)) == expected
    assert not list(date_number_remarks("--numeric-columns", cells(values, "age").astype(float)))
    (remark,) = sentinel_remarks("--numeric-columns", cells(values, "age").astype(float))
    assert remark.startswith("--numeric-columns age: ")
    assert f"--missing-values {' '.join(map(str, expected))}" in remark


@pytest.mark.parametrize("sentinel", ["-999", "9999.0", "-1"])
def test_the_advice_on_a_sentinel_works_as_it_is_printed(sentinel, runs):
    columns = {"age": every(7, sentinel, AGES)}

    code, log = runs.train(columns, "age")
    advice = log.split("--missing-values ")[1].split(".\n")[0]
    code_after, log_after = runs.train(columns, "age", "--missing-values", *advice.split())

    assert (code, code_after) == (0, 0)
    assert "Left out 9 of 60 samples without a value of age." in log_after
    assert not remarks_in(log_after)
    assert runs.predictions("trained")["truth"].between(5, 700).all()


SENTINEL_CLASSES = {
    "words": (every(10, "-999", STATES), "-999 in 6 samples, a class unlike"),
    "numbers as classes": (every(10, "-9", ["1", "2", "3"] * 20), "-9 in 6 samples, a class unlike"),
    "two": (every(10, "9999", every(7, "-1", STATES)), "9999 in 6 samples, -1 in 8 samples, classes unlike"),
}


@pytest.mark.parametrize("name", SENTINEL_CLASSES)
def test_a_number_that_stands_for_no_value_among_classes_is_named(name, caplog, runs):
    values, named = SENTINEL_CLASSES[name]

    choose_task(cells(values), "classification")

    assert f"state: {named} the others" in caplog.text
    if name != "numbers as classes":  # which inspect takes for numbers
        assert f"state: {named} the others" in runs.inspect({"state": values})
    assert f"--missing-values {' '.join(re.findall('(-?[0-9]+) in', named))}." in caplog.text


@pytest.mark.parametrize("make", [lambda i: 20210101 + i % 28 + 100 * (i // 28), lambda i: 202101 + i % 12])
def test_dates_as_numbers_are_said(make, caplog, runs):
    assert choose_task(cells([float(make(i)) for i in range(60)], "day"), "auto") == "regression"

    assert "which look like dates" in caplog.text
    assert "--metadata-column day holds numbers such as 2021" in runs.inspect({"day": [make(i) for i in range(60)]})


UNITS = {
    "kilograms": ([f"{age} kg" for age in AGES], "auto", "numbers with a unit"),
    "per cent": ([f"{age / 7:.1f}%" for age in AGES], "auto", "numbers with a unit"),
    "days, some missing": (every(9, "NA", [f"{age} days" for age in AGES]), "auto", "leave out 'NA' by --missing-values NA"),
    "limits": (every(4, "<5", [f"{age}.5 mg/l" for age in AGES]), "regression", "a number where there is a limit"),
    "letter and word": ([f"{age} d" if i % 2 else f"{age} days" for i, age in enumerate(AGES)], "auto", "the number alone"),
    "ring for degree": ([f"{age / 20:.1f}\u00baC" for age in AGES], "auto", "the number alone"),
    "money": ([f"${age}" for age in AGES], "auto", "numbers like 1234.5"),
    "errors": ([f"{age} \u00b1 3" for age in AGES], "auto", "numbers like 1234.5"),
    "limits with unit": (every(4, "<5 mg/l", [f"{age} mg/l" for age in AGES]), "auto", "a number where there is a limit"),
    "words in front": ([f"day {age}" for age in AGES], "auto", "write the number alone in each cell"),
    "months": ([f"Mar {1900 + age}" for age in AGES], "auto", "dates as numbers"),
    "decimal commas": ([f"{age},5" for age in AGES], "auto", "them like 1234.5"),
    "dates": ([f"2021-03-{1 + i // 2:02d}" if i % 2 else f"{1 + i // 2}.4.2021" for i in range(60)], "auto", "dates as numbers"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNITS)
def test_numbers_that_are_not_written_as_such_are_refused_with_what_to_write(name, runs):
    values, task, advice = UNITS[name]

    code, log = runs.train({"age": values}, "age", "--task", task)

    assert code == 2
    assert advice in log or advice[0].upper() + advice[1:] in log


@pytest.mark.parametrize(
    "values", [["5 days", "10 days"], ["10%", "20%", "30%"], ["2020-01", "2021-02"], ["<5", "5", "10"]]
)
def test_numbers_with_units_that_recur_are_classes_and_said(values, caplog):
    column = cells([values[i % len(values)] for i in range(60)], "dose")

    assert choose_task(column, "auto") == "classification"
    assert "dose is classified, because it holds" in caplog.text
    caplog.clear()
    assert choose_task(column, "classification") == "classification"
    assert not caplog.text


PLACEHOLDERS = ["--", "-", "NA", "not collected", "missing: lab stock", "Not applicable: control sample", "---", "not_collected",
                "[missing]"]  # fmt: skip


@pytest.mark.parametrize("is_quoted", [False, True])
@pytest.mark.parametrize("word", PLACEHOLDERS)
def test_a_placeholder_is_left_out_by_its_option_quoted_or_not(word, is_quoted, tmp_path):
    columns = {"age": every(7, word, AGES), "state": every(7, word, STATES)}
    path = write_metadata(tmp_path / "m.tsv", columns, is_quoted)
    options = ["--table", "t.tsv", "--output-dir", "o", "--metadata", str(path), "--metadata-column", "age"]

    parsed = parse("train", [*options, "--missing-values", "none", word, "--seed", "3"])
    as_it_is, mended = read_metadata(path), read_metadata(path, parsed.label.missing_values)

    assert parsed.label.missing_values == ("none", word)
    assert probable_missing_values(as_it_is.column("state")) == {word: 9}
    with pytest.raises(MetadataError, match=f"--missing-values {re.escape(shlex.join([word]))}, or "):
        choose_task(as_it_is.column("age"), "auto")
    assert mended.is_numeric("age")
    assert mended.column("age").dropna().tolist() == [float(age) for i, age in enumerate(AGES) if i % 7]
    assert sorted(set(mended.column("state").dropna())) == ["sick", "well"]


@pytest.mark.parametrize("word", ["--", "not collected"])
def test_the_advice_on_a_placeholder_works_as_it_is_printed(word, runs):
    columns = {"age": every(7, word, AGES)}

    refused, log = runs.train(columns, "age", is_quoted=True)
    advice = log.split("leave them out by ")[1].split(", or")[0]
    code, log_after = runs.train(columns, "age", *shlex.split(advice), is_quoted=True)

    assert (refused, code) == (2, 0)
    assert "Left out 9 of 60 samples without a value of age." in log_after


FEW = {"1, 2, 3": [1, 2, 3], "0 and 1": [0, 1], "0 to 4": [0, 1, 2, 3, 4]}


@pytest.mark.parametrize("name", FEW)
def test_few_whole_numbers_are_asked_about_in_one_line(name, caplog):
    values = cells([float(FEW[name][i % len(FEW[name])]) for i in range(60)], "stage")

    with caplog.at_level("INFO", logger="aam"):
        assert choose_task(values, "auto") == "regression"

    assert choose_task(values, "classification") == "classification"
    assert caplog.text.count("--task classification") == 1
    assert f"{FEW[name][-2]} and {FEW[name][-1]}, and is regressed" in caplog.text


CLEAN = {
    "ages": ([float(age) for age in AGES], "regression"),
    "young ages": ([float(i % 9) for i in range(60)], "regression"),
    "ages from 20": ([float(20 + i % 3) for i in range(60)], "regression"),
    "deviations": (np.random.default_rng(0).normal(size=60).round(2).tolist(), "regression"),
    "many zeros": (every(2, 0.0, [float(age) for age in AGES]), "regression"),
    "skewed": (np.random.default_rng(1).lognormal(0, 2, size=60).round(1).tolist(), "regression"),
    "cold days": ([float(i % 25) - 2 for i in range(60)], "regression"),
    "states": (STATES, "classification"),
    "genes": (every(2, "16S", ["18S"] * 60), "classification"),
    "plates": ([f"{1 + i % 3}{'ABC'[i // 20]}" for i in range(60)], "classification"),
    "ranges": (["18-25", "26-40", "41-60"] * 20, "classification"),
    "days before and after": (["T-1", "T1", "T2"] * 20, "classification"),
    "signs": (["HIV-", "HIV+"] * 30, "classification"),
    "years": ([float(1990 + i % 30) for i in range(60)], "regression"),
    "depths": (np.random.default_rng(4).integers(190000, 220000, 60).astype(float).tolist(), "regression"),
}


@pytest.mark.parametrize("name", CLEAN)
def test_clean_columns_give_no_remark(name, caplog):
    values, task = CLEAN[name]
    column = cells(values)

    with caplog.at_level("INFO", logger="aam"):
        assert choose_task(column, "auto") == task

    assert not caplog.text
    assert not list(small_class_remarks("--metadata-column", column)) or task == "regression"


def test_a_clean_study_is_trained_and_inspected_without_a_remark_on_its_labels(runs):
    columns = {"state": STATES, "age": AGES}

    logs = [runs.train(columns, name, "--group-column", "subject") for name in columns]

    assert all(code == 0 and not remarks_in(log) for code, log in logs)
    assert "Notes" not in runs.inspect(columns)


@pytest.mark.parametrize("draw", ["integers", "normal", "lognormal", "exponential", "poisson"])
def test_of_fifty_clean_columns_none_has_a_sentinel(draw):
    stream = np.random.default_rng(7)
    make = {
        "integers": lambda n: stream.integers(18, 81, n), "normal": lambda n: stream.normal(25, 4, n).round(1),
        "lognormal": lambda n: stream.lognormal(0, 1, n).round(2), "exponential": lambda n: stream.exponential(9, n).round(1),
        "poisson": lambda n: stream.poisson(4, n),
    }[draw]  # fmt: skip

    assert not [k for k in range(50) if find_sentinels(make(20 + 4 * k).astype(float))]


def test_few_numbers_among_classes_are_no_column_of_numbers():
    assert numbers_by_kind(["1A", "2B", "5 days", "gut"]) == {}
    assert not list(look_alike_remarks("--metadata-column", cells(["type 1", "type 2", "10", "1"] * 3)))
