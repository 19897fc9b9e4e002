"""Kinds of classes that are one, are merged, or are counted from another number, and numbers that are written with words."""

import json

import pandas as pd
import pytest

from aam.config.target import TargetConfig
from aam.errors import MetadataError
from aam.labels.class_sizes import small_class_remarks
from aam.labels.classes.merging import merge_named
from aam.labels.new_samples import truth_of
from aam.labels.spellings import look_alike_remarks, matched
from aam.labels.target import TargetState
from aam.labels.task_choice import choose_task, numbers_among_classes
from aam.stored import read_stored
from helpers.kinds import Kind
from helpers.label_studies import AGES, STATES, LabelRuns, every, remarks_in

KINDS = {
    "one class": Kind(
        "Labels",
        "Classes that mean one: `yes` and `Y`, `M` and `male`, `case` and `cases`, `café` and `cafe`, Cyrillic letters among Latin "
        "ones, `10` and `1O`, `class 01` and `class 1`, or a rare class that is a frequent one but for a letter",
        "A warning names them with their numbers of samples; they count as different. `evaluate` and `predict` read those of a new "
        "file, but for misspelt ones, as the classes of training, and say so",
        "Write them alike, or `--merge-classes yes=Y`",
    ),
    "merged": Kind(
        "Labels",
        "Classes that are to be learned as one, such as small ones",
        "Merges them on request, in `train` and `crossval`, and counts their samples; the model keeps it for `evaluate`",
        "`--merge-classes ill=sick,unwell`; `--smallest-class 3 --merge-classes other` for those of fewer than 3 samples",
    ),
    "counted from 1": Kind(
        "Labels",
        "Classes counted from 0 in training and from 1 in a new file, or the other way round",
        "`evaluate`, for the target, and `predict` and `evaluate`, for each column that is conditioned on, name both ranges and "
        "how many samples would be taken for another class",
        "Number them as in training",
    ),
    "words": Kind(
        "Labels",
        "Numbers with words: `5 cups`, `3 y 2 mo`, `<LOD`, `BDL`, `ND`, `5-10`, `5 ± 1`, among numbers or in all cells",
        "An error where numbers are learned, a warning where the column is classified for them, with numbers of samples",
        "Write one number in each cell, or leave them out by the option that the message shows",
    ),
}  # fmt: skip


@pytest.fixture
def runs(tmp_path, capsys):
    return LabelRuns(tmp_path, capsys)


def column_of(counts):
    return pd.Series([name for name, n in counts.items() for _ in range(n)], name="state")


ONE = {
    "yes": ({"yes": 20, "Y": 3, "Yes": 2, "no": 10, "N": 2}, "'yes' (20 samples), 'Y' (3 samples), 'Yes' (2 samples); 'no' (10 s",
            "yes=Y,Yes no=N"),
    "sex": ({"M": 20, "male": 3, "female": 10, "F": 4}, "'M' (20 samples), 'male' (3 samples); 'female' (10", "M=male female=F"),
    "plural": ({"case": 20, "cases": 3, "control": 9}, "'case' (20 samples), 'cases' (3 samples)", "case=cases"),
    "true": ({"true": 20, "T": 3, "1": 4, "false": 10}, "'true' (20 samples), '1' (4 samples), 'T' (3 samples)", "true=1,T"),
    "positive": ({"pos": 20, "positive": 3, "neg": 9}, "'pos' (20 samples), 'positive' (3 samples)", "pos=positive"),
    "accents": ({"caf\u00e9": 20, "cafe": 3}, "'caf\u00e9' (20 samples), 'cafe' (3 samples)", "'caf\u00e9=cafe'"),
    "Cyrillic": ({"A": 20, "\u0410": 3, "B": 9}, "'A' (20 samples), '\u0410' (3 samples; CYRILLIC CAPITAL LETTER A)", "'A=\u0410'"),
    "O for 0": ({"1O": 3, "10": 20, "20": 9}, "'10' (20 samples), '1O' (3 samples)", "10=1O"),
    "l for 1": ({"l2": 3, "12": 20, "13": 9}, "'12' (20 samples), 'l2' (3 samples)", "12=l2"),
    "zeros": ({"class 01": 20, "class 1": 3, "class 2": 9}, "'class 01' (20 samples), 'class 1' (3", "'class 01=class 1'"),
    "hyphens": ({"high-fat 2": 20, "high fat-2": 3}, "'high-fat 2' (20 samples), 'high fat-2' (3", "'high-fat 2=high fat-2'"),
    "swapped": ({"sick": 20, "sikc": 1, "well": 30}, "'sick' (20 samples), 'sikc' (1 sample)", "sick=sikc"),
    "missing letter": ({"healthy": 20, "helthy": 2, "ill": 30}, "'healthy' (20 samples), 'helthy' (2 samples)", "healthy=helthy"),
    "another letter": ({"diabetes": 20, "diabwtes": 2, "ill": 9}, "'diabetes' (20 samples), 'diabwtes' (2", "diabetes=diabwtes"),
}  # fmt: skip


@pytest.mark.parametrize("name", ONE)
def test_classes_that_mean_one_are_named_with_counts_and_the_option(name):
    counts, named, option = ONE[name]

    (remark,) = look_alike_remarks("--metadata-column", column_of(counts))

    assert "these may be one class, and count as different: " in remark
    assert named in remark
    assert remark.endswith(f"or pass --merge-classes {option}.")


OTHERS = {
    "negation": {"typical": 20, "atypical": 2, "symptomatic": 20, "asymptomatic": 2},
    "stages": {"stage I": 20, "stage II": 20, "stage III": 1},
    "series": {"donorA": 20, "donorB": 2, "siteC": 20, "siteD": 1},
    "short words": {"Iran": 2, "Iraq": 20, "lung": 1, "long": 20},
    "minus": {"day -1": 9, "day 1": 9, "T-1": 9, "T1": 9},
    "winds": {"N": 9, "S": 9, "E": 9, "W": 9, "no": 9},
    "bases": {"T": 9, "C": 9, "G": 9, "A": 9},
    "counts": {"1": 9, "2": 9, "yes": 9},
    "micro": {"\u03bcg": 9, "mg": 9},
    "blood": {"A": 9, "B": 9, "AB": 9, "O": 9},
    "Roman": {"I": 9, "II": 9, "11": 9, "1": 9},
    "versions": {"v1.1": 9, "v1.01": 9},
    "litres": {"10l": 9, "101": 9, "5l": 9},
    "frequent": {"ileum": 20, "ilium": 20},
    "Russian": {"\u0434\u0430": 20, "\u043d\u0435\u0442": 20},
    "sides": {"left": 9, "L": 9, "M": 9},
}


@pytest.mark.parametrize("name", OTHERS)
def test_classes_that_only_resemble_each_other_give_no_remark(name):
    assert not list(look_alike_remarks("--metadata-column", column_of(OTHERS[name])))


RESPELT = {
    "words": (["yes", "no"], ["Y", "N", "Yes", "maybe"], {"Y": "yes", "N": "no", "Yes": "yes"}),
    "letters": (["M", "F"], ["male", "Female"], {"male": "M", "Female": "F"}),
    "R and numbers": (["0", "1"], ["TRUE", "FALSE"], {"TRUE": "1", "FALSE": "0"}),
    "accents": (["caf\u00e9", "tea"], ["cafe", "Tea"], {"cafe": "caf\u00e9", "Tea": "tea"}),
    "zeros": (
        ["class 1", "class 2"],
        ["class 01", "class-2", "class 3"],
        {"class 01": "class 1", "class-2": "class 2"},
    ),
    "coded from 1": (["yes", "no"], ["1", "2"], {}),
    "ambiguous": (["caf\u00e9", "CAF\u00c9"], ["cafe"], {}),
    "misspelt": (["sick", "healthy"], ["sikc", "helthy"], {}),
    "sides": (["1", "2"], ["L", "R"], {}),
}


@pytest.mark.parametrize("name", RESPELT)
def test_new_names_are_those_of_training_only_where_it_is_clear(name):
    known, names, expected = RESPELT[name]

    assert matched(names, known) == expected


def test_all_commands_say_in_the_same_words_which_classes_are_one(runs):
    states = every(6, "Sick.", every(5, "cases", ["case" if state == "sick" else "control" for state in STATES]))
    states = ["case" if state == "Sick." else state for state in states]
    sentence = "--metadata-column state: these may be one class, and count as different: 'case' (28 samples), 'cases' (10 samples)"

    _, trained = runs.train({"state": states}, "state")
    _, folds = runs.crossval({"state": states}, "state", "--folds", 2, "--baselines", "guess")
    _, scored = runs.evaluate({"state": states}, "state")
    advice = trained.split("or pass ")[1].split(".\n")[0]
    code, merged = runs.train({"state": states}, "state", *advice.split())

    assert all(log.count(sentence) == 1 for log in (trained, folds, scored, runs.inspect({"state": states})))
    assert code == 0
    assert scored.count(f"or train with {advice}.") == 1
    assert not remarks_in(merged.replace("--merge-classes: ", ""))
    assert "--merge-classes: 'cases' (10 samples) is learned as 'case'." in merged
    assert set(runs.predictions("trained")["truth"]) == {"case", "control"}


THREE = ["a", "b", "c", "c", "d", "d"] * 10


def test_merged_classes_are_learned_kept_with_the_model_and_merged_when_it_is_scored(runs):
    code, log = runs.train({"state": THREE}, "state", "--merge-classes", "rare=a,b")
    description = (runs.folder / "trained" / "model").rglob("*.json")
    evaluated, scored = runs.evaluate({"state": [*THREE[:54], "A", "b", "rare", "c", "x", "d"]}, "state")
    truth = runs.predictions("scored")["truth"].value_counts().to_dict()

    assert (code, evaluated) == (0, 0)
    assert "--merge-classes: 'a' (10 samples), 'b' (10 samples) are learned as 'rare'." in log
    assert any(
        '["a", "rare"]' in " ".join(path.read_text().split()).replace("[ ", "[").replace(" ]", "]")
        for path in description
    )
    assert "state is written otherwise than in training in 1 sample: 'A' is read as 'a'." in scored
    assert "As in training: 'a' (10 samples), 'b' (10 samples) are read as 'rare'." in scored
    assert "Left out 1 of 60 samples whose class the model does not know: 'x' (1 sample)" in scored
    assert truth == {"rare": 21, "c": 19, "d": 19}


def test_small_classes_are_merged_into_one_on_request(runs):
    states = ["a", "b", "b", *STATES[3:]]
    options = ["--smallest-class", 3, "--merge-classes", "other"]

    code, log = runs.train({"state": states}, "state", *options)
    of_folds, folds = runs.crossval({"state": states}, "state", *options, "--folds", 3, "--baselines", "guess")
    truth = runs.predictions("folds").query("method == 'guess'")["truth"].value_counts().to_dict()
    _, scored = runs.evaluate({"state": ["b", *STATES[1:]]}, "state")

    assert (code, of_folds) == (0, 0)
    assert all(
        "--smallest-class 3: 'a' (1 sample), 'b' (2 samples) are learned as 'other'." in text for text in (log, folds)
    )
    assert truth == {"other": 3, "sick": STATES[3:].count("sick"), "well": STATES[3:].count("well")}
    assert "As in training: 'b' (1 sample) is read as 'other'." in scored


REFUSED = {
    "numbers": ({"age": AGES}, "age", ["1=2,3"], "--merge-classes is for classes, and age is regressed"),
    "unknown": ({"state": STATES}, "state", ["ill=sick,unwel"], "no sample has --metadata-column state 'unwel'; it holds 'sick'"),
    "into two": ({"state": THREE}, "state", ["x=a,b", "y=b,c"], "puts 'b' into 'x' and 'y'"),
    "in a row": ({"state": THREE}, "state", ["b=a", "c=b"], "puts 'b' into 'c', and others into 'b'"),
    "several columns": (
        {"age": AGES, "size": AGES}, "age size", ["x=1,2"], "--merge-classes is for classes, and age size is regressed",
    ),
    "all": ({"state": STATES}, "state", ["x=sick,well"], "has the same value, 'x'"),
    "alone": ({"state": STATES}, "state", ["other"], "--smallest-class, which must be passed, too"),
    "without classes": ({"state": STATES}, "state", ["x="], "write NAME=CLASS,CLASS"),
    "all small": ({"state": STATES}, "state", ["other", "--smallest-class", "50"], "makes one class of all"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_merged_is_refused(name, runs):
    columns, column, options, message = REFUSED[name]

    first, *further = column.split()
    code, log = runs.train(columns, first, *further, "--merge-classes", *options)

    assert code == 2
    assert message in log


@pytest.mark.parametrize(
    ("cells", "options", "expected"),
    [
        ([1.0, 2.0, 3.0], ("3=2",), [1.0, 3.0, 3.0]), ([1.0, 2.0, 3.0], ("high=2,3",), ["1", "high", "high"]),
        (["a,b", "c", "d"], ("x=a,b", "x=c"), ["x", "x", "d"]), (["a=b", "c", "d"], ("c=a=b",), ["c", "c", "d"]),
    ],
)  # fmt: skip
def test_names_of_merged_classes_may_be_numbers_or_hold_commas(cells, options, expected):
    values = pd.DataFrame({"state": cells})

    merged, _ = merge_named(values, TargetConfig(task="classification", merge_classes=options))

    assert merged["state"].tolist() == expected


@pytest.mark.parametrize(("options", "is_kept"), [([], False), (["--merge-classes", "rare=a,b"], True)])
def test_a_model_holds_merged_classes_only_if_there_are_some(options, is_kept, runs):
    runs.train({"state": THREE}, "state", *options)

    state = (runs.folder / "trained" / "model" / "state.json").read_text()

    assert ("merged" in json.loads(state)["target"]) == is_kept


def test_a_model_that_merges_nothing_opens_as_before():
    stored = {"column": "state", "task": "classification", "guess": "a", "classes": ["a", "b"]}

    target = read_stored(TargetState, stored)

    assert target.merged == ()
    assert read_stored(TargetState, json.loads(json.dumps({**stored, "merged": [["c", "a"]]}))).merged == (("c", "a"),)


def numbered(*names):
    return TargetState(column="stage", task="classification", classes=names, guess=names[0])


SHIFTED = {
    "from 1": (
        numbered("0", "1", "2"),
        [1.0, 2.0, 3.0],
        "is 1 to 3 in 60 samples, and was 0 to 2 in training",
        40,
        [1, 2],
    ),
    "from 0": (
        numbered("1", "2", "3"),
        ["0", "1", "2"],
        "is 0 to 2 in 60 samples, and was 1 to 3 in training",
        40,
        [0, 1],
    ),
    "two": (numbered("0", "1"), [1.0, 2.0], "is 1 to 2 in 60 samples, and was 0 to 1 in training", 30, [1]),
    "with a word": (numbered("grade 0", "grade 1"), ["Grade 1", "grade 2"], "is grade 1 to 2 in 60 samples", 30, [1]),
}


@pytest.mark.parametrize("name", SHIFTED)
def test_classes_that_are_counted_from_another_number_are_asked_about(name, caplog):
    target, cells, named, n_shared, truth = SHIFTED[name]
    values = pd.DataFrame({"stage": [cells[i % len(cells)] for i in range(60)]})

    kept, numbers = truth_of(target, values)

    assert f"--metadata-column stage {named}" in caplog.text
    assert f"{n_shared} samples would be taken for another class" in caplog.text
    assert len(kept) == n_shared
    assert sorted(set(numbers.tolist())) == truth


@pytest.mark.parametrize("cells", [["0", "1", "2"], ["1", "2"], ["0", "2"], ["1", "7"], ["2", "3", "9"], ["1", "x"]])
def test_classes_that_are_counted_alike_are_not_asked_about(cells, caplog):
    truth_of(numbered("0", "1", "2"), pd.DataFrame({"stage": cells * 5}))

    assert "would be taken for another class" not in caplog.text


def test_numbers_and_conditions_that_are_counted_from_another_number_are_asked_about(runs):
    stage, score, sexes = (
        [i % 3 for i in range(60)],
        [i // 5 % 3 for i in range(60)],
        [str(i // 7 % 2) for i in range(60)],
    )
    network = [
        "--head",
        "network",
        "--epochs",
        1,
        "--embedding-dim",
        8,
        "--attention-heads",
        2,
        "--attention-layers",
        1,
    ]
    conditions = ["--categorical-columns", "sex", "--numeric-columns", "score"]

    code, _ = runs.train({"stage": stage, "sex": sexes, "score": score}, "stage", *network, *conditions)
    shifted = {
        "stage": [n + 1 for n in stage],
        "sex": [str(int(n) + 1) for n in sexes],
        "score": [n + 1 for n in stage],
    }
    evaluated, log = runs.evaluate(shifted, "stage")
    _, log_of_same = runs.evaluate({"stage": stage, "sex": sexes, "score": score}, "stage")

    assert (code, evaluated) == (0, 0)  # one sample has too few reads
    assert "--metadata-column stage is 1 to 3 in 59 samples, and was 0 to 2 in training" in log
    assert log.count("may be one class") == 0
    assert "sex is 1 to 2 in 59 samples, and was 0 to 1 in training" in log
    assert "score is 1 to 3 in 59 samples, and was 0 to 2 in training" in log
    assert "was 0 to" not in log_of_same


WORDS = {
    "detection": ("<LOD", "a number where there is a limit"),
    "below": ("BDL", "a number where there is a limit"),
    "not detected": ("ND", "a number where there is a limit"),
    "above": (">100", "a number where there is a limit"),
    "about": ("~5", "a number where there is a limit"),
    "range": ("5-10", "one number in place of a range"),
    "error": ("5 \u00b1 1", "numbers like 1234.5"),
    "years and months": ("3 y 2 mo", "the number alone, all in one unit"),
    "years": ("12 yrs", "the number alone, all in one unit"),
    "cups": ("5 cups", "orrect these cells"),
}


@pytest.mark.parametrize("name", WORDS)
def test_words_among_numbers_are_named_with_their_count_and_what_to_do(name, caplog):
    word, advice = WORDS[name]
    distinct, recurring = every(7, word, [f"{age}.5" for age in AGES]), every(7, word, [str(i % 6) for i in range(60)])
    most = [word if i % 12 < 7 else f"{i}.5" for i in range(60)]

    with pytest.raises(MetadataError) as refused:
        choose_task(pd.Series(distinct, name="dose"), "auto")
    remarks = [
        remark for values in (recurring, most) for remark in numbers_among_classes(pd.Series(values, name="dose"))
    ]
    assert [choose_task(pd.Series(values, name="dose"), "auto") for values in (recurring, most)] == [
        "classification"
    ] * 2

    assert f"but for {word!r} (9 samples)" in str(refused.value)
    assert advice in str(refused.value)
    assert "--missing-values" in str(refused.value)
    assert [f"{word!r} ({n} samples)" in remark for n, remark in zip((9, 35), remarks, strict=True)] == [True, True]
    assert advice in remarks[0]
    assert all(remark in caplog.text for remark in remarks)


@pytest.mark.parametrize("make", ["{} cups", "{} y 3 mo", "{} yrs", "{} servings per day", "{} mg"])
def test_a_column_of_numbers_with_one_unit_is_said_whether_they_recur_or_not(make):
    with pytest.raises(MetadataError, match="Write the number alone"):
        choose_task(pd.Series([make.format(i + 2) for i in range(60)], name="dose"), "auto")
    (remark,) = numbers_among_classes(pd.Series([make.format(i % 5 + 2) for i in range(60)], name="dose"))

    assert "dose is classified, because it holds numbers with a unit: " in remark
    assert "(60 samples)" in remark


CLASSES = [
    ["ND", "HFD"], ["18-25", "26-40", "41-60"], ["<25", "25-30", ">30"], ["0", "1-2", "3-5"], ["16S", "18S", "ITS"], ["1A", "2B"],
    ["group 1", "group 2", "group 3"], ["trace", "strong"], ["day 0", "day 7"], ["4 Main", "5 Oak", "6 Elm"], ["1st", "2nd", "3rd"],
    ["1 pig", "2 pig"], ["LOD", "LOQ"], ["T1", "T2", "T-1"],
]  # fmt: skip


@pytest.mark.parametrize("classes", CLASSES, ids=" ".join)
def test_classes_that_hold_numbers_give_no_remark(classes, caplog):
    values = pd.Series([classes[i % len(classes)] for i in range(60)], name="kind")

    with caplog.at_level("INFO", logger="aam"):
        assert choose_task(values, "auto") == "classification"

    assert not caplog.text
    assert not list(small_class_remarks("--metadata-column", values))
