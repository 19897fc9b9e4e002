"""Samples that are no samples: blanks, failed ones, copies, totals, and those that a model was trained on."""

from dataclasses import replace

import numpy as np
import pytest

from helpers.commands import read, run, succeed
from helpers.kinds import Kind
from helpers.people import drawn, people, renamed

KINDS = {
    "automatic-depth": Kind(
        "Samples",
        "Blanks and failed samples that set the automatic rarefaction depth",
        "`pretrain`, `train --head network`, `crossval` and `inspect` name the samples, the tiny depth and the depth without them",
        "`--rarefy-depth N`, or take them out of the table",
    ),
    "few-reads": Kind(
        "Samples",
        "Samples of a few reads among others of thousands",
        "Training, `crossval` and `inspect` name them and their reads",
        "Take them out of the table; `--rarefy-depth N` leaves out those with fewer than N reads",
    ),
    "new-few-reads": Kind(
        "Samples",
        "New samples with far fewer reads than those of training",
        "`predict`, `evaluate` and `embed` name them; `is_outlier` is true",
        "Do not use what is predicted for them",
    ),
    "controls": Kind(
        "Samples",
        "Blanks, controls, mock communities and pools, by their names or a column of the metadata",
        "All commands that read samples name them; words such as `control` or `water` count for samples of few reads only",
        "Take them out of the table, unless they are what you study",
    ),
    "no-counts": Kind(
        "Samples",
        "Presence and absence, per cent, or shares of one number in place of reads",
        "All commands say that the values do not look like reads; fractions are an error; a rarefied table is none of these",
        "Pass the table of reads",
    ),
    "totals": Kind(
        "Samples",
        "A column or a row of totals",
        "All commands name a column that is the sum of the others; a row has no sequence, and the error says what it may be",
        "Take it out of the table",
    ),
    "twins": Kind(
        "Samples",
        "One sample under several names, with identical or nearly identical counts, on both sides of a split",
        "`train`, `pretrain` and `crossval` count the sets and those that are divided; `inspect` names them",
        "`--group-column` with a column that names what they are of; take copies out of the table",
    ),
    "twin-labels": Kind(
        "Samples",
        "Identical counts with different labels",
        "`train` and `crossval` name the samples and their values",
        "Correct the metadata, or take the copies out of the table",
    ),
    "trained-on": Kind(
        "Samples",
        "Samples that the model was trained on, also renamed, rarefied or without some ASVs",
        "`evaluate` and `predict` say how many, and what the score is worth",
        "Score samples that the model has not seen; `aam crossval`",
    ),
    "subjects": Kind(
        "Samples",
        "Subjects whose column is called otherwise",
        "`train`, `crossval` and `inspect` name the column and the columns that never differ within its values",
        "`--group-column COLUMN`",
    ),
}

GROUPED = ("--group-column", "subject")

FOLDS = ("--folds", "4", "--baselines", "guess", "--no-aam")
"""Options of crossval that read, check and divide samples, and fit nothing to speak of."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Train a kernel head on a clean study once."""
    folder = tmp_path_factory.mktemp("samples")
    succeed("train", *people().labelled(folder, "age", *GROUPED), "--output-dir", folder / "model")
    return folder


@pytest.fixture
def said(tmp_path, capsys):
    """Run a command that works, and return what it says in one line."""

    def run_and_read(command, *options, output=True):
        succeed(command, *options, *(["--output-dir", str(tmp_path / f"{command}-output")] if output else []))
        captured = capsys.readouterr()
        return " ".join((captured.err + captured.out).split())

    return run_and_read


def planted(reads, names=None, seed=3):
    """Make a study with samples of few reads, and their names."""
    study, stream = people(), np.random.default_rng(seed)
    few = np.zeros((len(reads), 40), dtype=int)
    for row, n in zip(few, reads, strict=True):
        np.add.at(row, stream.integers(14, 20, n), 1)
    names = names or [f"X{k}" for k in range(len(reads))]
    return study.with_samples(names, few), names


@pytest.mark.parametrize("reads", [(4, 9, 15, 22, 31), (1, 1, 2), (60, 70, 80, 90)], ids=str)
def test_samples_that_set_the_automatic_depth_are_named_with_the_depth_without_them(tmp_path, said, reads):
    study, names = planted(reads)
    depth, others = sorted(reads)[1], int(np.sort(study.counts[:60].sum(axis=1))[1])

    text = said("inspect", study.files(tmp_path)[1], output=False)

    assert f"{len(reads)} of {60 + len(reads)} samples have far fewer reads" in text
    assert all(repr(name) in text for name in names[:5])
    assert f"auto tiny, {depth} read" in text
    assert f"--rarefy-depth {others}, the automatic depth without them" in text


@pytest.mark.parametrize("reads", [(1,), (3, 14, 30), (0, 7, 110)], ids=str)
def test_training_samples_of_few_reads_are_named(tmp_path, said, reads):
    study, names = planted(reads)
    named = [name for name, n in zip(names, reads, strict=True) if n]

    text = said("crossval", *study.labelled(tmp_path, "age", *GROUPED), *FOLDS)

    assert f"{len(named)} of {60 + len(named)} samples have so few reads" in text
    assert ", ".join(map(repr, named)) in text


@pytest.mark.parametrize(("reads", "n_few"), [((1, 3, 30), 3), ((2, 2400, 2600), 1), ((100, 90, 5000), 2)], ids=str)
def test_new_samples_of_few_reads_are_outliers_and_named(tmp_path, trained, said, reads, n_few):
    study, _ = planted(reads)
    new = study.select(range(60, 60 + len(reads)))
    new = replace(
        new, counts=np.where(new.counts.sum(axis=1, keepdims=True) > 1000, people(7).counts[: len(reads)], new.counts)
    )

    options = ["--model", trained / "model", *new.files(tmp_path, "new")]
    text = said("predict", *options, "--output", tmp_path / "p.tsv", output=False)
    predicted = read(tmp_path / "p.tsv")

    assert f"{n_few} of {len(reads)} samples have too few reads" in text
    assert predicted.is_outlier.tolist() == [n < 1000 for n in reads]


CONTROLS = [
    (["blank1", "NTC_2", "Mock-Zymo"], {}),
    (["ExtractionBlank", "neg.ctrl.1", "PCRControl2"], {}),
    (["X1", "X2", "X3"], {"kind": ["negative control", "mock community", "blank"]}),
    (["pooled_1", "Pooled2", "X3"], {"kind": ["stool", "stool", "field blank"]}),
]


@pytest.mark.parametrize(("names", "cells"), CONTROLS, ids=lambda value: str(value)[:30])
def test_blanks_controls_and_pools_are_named_by_name_or_metadata(tmp_path, said, names, cells):
    study = people()
    study = replace(study, columns={**study.columns, "kind": ["stool"] * 60}).with_samples(
        names, people(5).counts[:3], **cells
    )
    if "negative control" in cells.get("kind", []):
        study.counts[60] //= 20  # words that may mean people count for few reads only

    text = said("crossval", *study.labelled(tmp_path, "age", *GROUPED), *FOLDS)

    assert "3 of 63 samples are blanks, controls, mock communities or pools" in text
    assert ", ".join(map(repr, sorted(names))) in text


def scaled(counts, number):
    return np.rint(counts / counts.sum(axis=1, keepdims=True) * number).astype(int)


NO_COUNTS = {
    "presence": (lambda counts: (counts > 0).astype(int), "0 or 1"),
    "per cent": (lambda counts: scaled(counts, 100), "add up to about 100 (per cent?)"),
    "per million": (lambda counts: scaled(counts, 10**6), "add up to about 1,000,000:"),
    "per ten thousand": (lambda counts: scaled(counts, 10**4), "add up to about 10,000:"),
    "one number": (lambda counts: drawn(counts, 500) * 7, "add up to about 3,500:"),
}


@pytest.mark.parametrize("name", NO_COUNTS)
def test_values_that_are_no_reads_are_said_to_be_none(tmp_path, said, name):
    change, says = NO_COUNTS[name]
    study = replace(people(), counts=change(people().counts))

    assert says in said("inspect", study.files(tmp_path)[1], output=False)


@pytest.mark.parametrize("depth", [101, 500, 1000])
def test_a_rarefied_table_is_one_of_reads(tmp_path, said, depth):
    study = replace(people(), counts=drawn(people().counts, depth))

    assert "Notes" not in said("inspect", study.files(tmp_path)[1], output=False)


@pytest.mark.parametrize("name", ["Total", "all", "S_sum"])
def test_a_column_of_totals_is_named(tmp_path, said, name):
    study = people().with_samples([name], people().counts.sum(axis=0, keepdims=True))

    for command, options in (
        ("inspect", [study.files(tmp_path)[1]]),
        ("crossval", [*study.labelled(tmp_path, "age", *GROUPED), *FOLDS]),
    ):
        text = said(command, *options, output=command == "crossval")
        assert f"The counts of '{name}' are the sums of all other samples" in text


@pytest.mark.parametrize("name", ["Total", "sum", "TOTALS"])
def test_totals_of_other_samples_are_known_by_their_name(tmp_path, said, name):
    study = people()
    total = study.counts.sum(axis=0) + 7  # of samples that the table no longer has
    counted = replace(study, ids=[*study.ids[1:], name], counts=np.vstack([study.counts[1:], total]))

    text = said("inspect", counted.files(tmp_path)[1], output=False)

    assert f"'{name}' is named like a column of totals" in text


@pytest.mark.parametrize("name", ["Total", "sum", "Grand Total"])
def test_a_row_of_totals_is_named(tmp_path, said, capsys, name):
    study = people()
    study = replace(study, asvs=[*study.asvs, name], counts=np.c_[study.counts, study.counts.sum(axis=1)])

    assert f"The counts of the feature '{name}' are the sums" in said("inspect", study.files(tmp_path)[1], output=False)
    assert run("train", *study.labelled(tmp_path, "age"), "--output-dir", tmp_path / "o") == 2
    assert f"'{name}' may be a row of totals" in capsys.readouterr().err


COPIES = {
    "identical": (lambda counts: counts, "identical counts"),
    "sequenced twice": (lambda counts: np.random.default_rng(2).poisson(counts), "nearly identical counts"),
    "doubled": (lambda counts: 2 * counts, "nearly identical counts"),
    "rarefied": (lambda counts: drawn(counts, 1200), "nearly identical counts"),
    "some reads fewer": (lambda counts: np.maximum(counts - 1, 0), "nearly identical counts"),
}


@pytest.mark.parametrize("name", COPIES)
def test_copies_on_both_sides_of_a_split_are_counted(tmp_path, said, name):
    change, how = COPIES[name]
    study = people()
    chosen = range(60) if name == "identical" else range(20)
    counts = change(study.counts[list(chosen)])
    ids = [f"{study.ids[k]}.b" for k in chosen]
    copied = study.with_samples(ids, counts)

    text = said("crossval", *copied.labelled(tmp_path, "age"), *FOLDS)

    n = 2 * len(chosen)
    assert f"{n} of {60 + len(chosen)} samples have {how}" in text
    assert f"in {len(chosen)} sets: 'S00 = S00.b', 'S01 = S01.b'" in text
    assert "in more than one part, so that validation looks better" in text
    assert "identical" not in said("crossval", *copied.labelled(tmp_path, "age", *GROUPED), *FOLDS, "--overwrite")


def test_train_and_crossval_say_the_same_of_copies_and_once(tmp_path, said):
    study = people()
    copied = study.with_samples([f"{name}.b" for name in study.ids], study.counts)
    fact = "120 of 120 samples have identical counts under several names, in 60 sets: 'S00 = S00.b'"

    in_folds = said("crossval", *copied.labelled(tmp_path, "age"), "--folds", "2", "--baselines", "guess")
    in_training = said("train", *copied.labelled(tmp_path, "age", "--split", "random"))

    assert in_folds.count(fact) == in_training.count(fact) == 1
    assert fact in said("inspect", copied.files(tmp_path)[1], output=False)


@pytest.mark.parametrize(("column", "value", "n"), [("age", 701, 1), ("state", "other", 2), ("sex", "x", 3)])
def test_identical_counts_with_different_labels_are_named(tmp_path, said, column, value, n):
    study = people()
    copied = study.with_samples([f"{study.ids[k]}.b" for k in range(5)], study.counts[:5])
    for k in range(n):
        copied.columns[column][60 + k] = study.columns[column][k] if k >= n else value

    text = said("crossval", *copied.labelled(tmp_path, column), *FOLDS)

    assert (
        f"of samples with identical counts have different values of {column}: 'S00: {study.columns[column][0]} = S00.b: {value}'"
        in text
    )
    assert text.split(" of samples with identical")[0].endswith("1 set" if n == 1 else f"{n} sets")


def others_named(study, is_kept):
    return replace(study, ids=[f"other{k}" for k in range(60)], counts=study.counts * is_kept)


SEEN = {
    "as it was": lambda study: study,
    "renamed": lambda study: replace(study, ids=[f"other{k}" for k in range(60)]),
    "renamed, in reads per million": lambda study: replace(
        study,
        ids=[f"other{k}" for k in range(60)],
        counts=np.round(1e6 * study.counts / study.counts.sum(axis=1, keepdims=True)).astype(int),
    ),
    "renamed, without rare counts": lambda study: replace(
        study, ids=[f"other{k}" for k in range(60)], counts=np.where(study.counts < 3, 0, study.counts)
    ),
    "renamed, without every eighth ASV": lambda study: others_named(study, np.arange(40) % 8 > 0),
    "renamed, without ASVs of few samples": lambda study: others_named(study, (study.counts > 0).mean(axis=0) > 0.66),
    "renamed, without an abundant ASV": lambda study: others_named(study, np.arange(40) != 3),
    "renamed, of each sample some reads fewer": lambda study: replace(
        others_named(study, np.ones(40, dtype=bool)),
        counts=np.vstack([drawn(row[None], int(0.97 * row.sum())) for row in study.counts]),
    ),
    "rarefied": lambda study: replace(study, counts=drawn(study.counts, 800)),
    "without rare ASVs": lambda study: replace(study, counts=np.where(study.counts < 10, 0, study.counts)),
}


@pytest.mark.parametrize("name", SEEN)
def test_samples_that_a_model_was_trained_on_are_counted(tmp_path, trained, said, name):
    splits = read(trained / "model" / "splits.tsv").split
    study = SEEN[name](people())

    text = said("evaluate", "--model", trained / "model", *study.labelled(tmp_path, "age", name="seen"))

    n = int((splits == "train").sum())
    assert f"trained on {n} of 60 samples ({n / 60:.0%})" in text
    assert "says nothing of new samples" in text


def test_validation_and_new_samples_are_not_said_to_be_seen(tmp_path, trained, said):
    splits = read(trained / "model" / "splits.tsv").split
    held_out = people().select(np.flatnonzero((splits == "validation").to_numpy()).tolist())
    for study in (held_out, people(seed=9), people(seed=9, prefix="N")):
        options = ["--model", trained / "model", *study.labelled(tmp_path, "age", name="new")]
        assert "trained on" not in said("evaluate", *options, "--overwrite")


@pytest.mark.parametrize("name", ["code", "who", "Baby", "ID_2"])
def test_subjects_are_found_by_what_never_differs_within_them(tmp_path, said, name):
    study = renamed(people(), "subject", name)

    text = said("crossval", *study.labelled(tmp_path, "age"), *FOLDS)

    assert f"Column '{name}' has 15 values in 60 samples, and 'sex', 'state' never differ within one of them" in text
    assert f"--group-column {name} to prevent that" in text
    assert f"pass --group-column {name}" in said(
        "inspect", study.files(tmp_path)[1], people().metadata(tmp_path), output=False
    )


@pytest.mark.parametrize("name", ["site", "run_batch", "collection_date", "village"])
def test_places_batches_and_dates_are_no_subjects(tmp_path, said, name):
    study = renamed(people(), "subject", name)

    assert "never differ" not in said("crossval", *study.labelled(tmp_path, "age"), *FOLDS)


@pytest.mark.parametrize("seed", [1, 11, 12])
def test_a_clean_study_of_people_gives_no_warning_of_samples(tmp_path, said, seed):
    study = people(seed)

    text = said("crossval", *study.labelled(tmp_path, "age", *GROUPED), *FOLDS)
    text += said("inspect", study.files(tmp_path)[1], people().metadata(tmp_path), output=False)

    for words in ("few reads", "fewer reads", "identical", "blanks", "add up", "0 or 1", "never differ", "sums"):
        assert words not in text
