"""``aam evaluate --folds``: whole commands on a tiny study; nothing leaks, and every mistake is one message."""

import re

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import balanced_accuracy_score, r2_score

from aam.io.metadata import read_metadata
from helpers.commands import QUIET, SMALL, files_of, labels_of, run, simulate

SHORT = [*SMALL, "--ffn-ratio", "2", "--epochs", "1", "--lr", "0.002"]
WRITTEN = {"config.yaml", "folds.tsv", "results.tsv", "predictions.tsv", "summary.tsv", "summary.png", "summary.md"}

pytestmark = QUIET


def read(path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", dtype={"sample-id": str, "fold": str})


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch):
    monkeypatch.setattr("aam.baselines.trees.FOREST_SIZE", 10)
    monkeypatch.setattr("aam.baselines.trees.TUNING_FOREST_SIZE", 3)
    monkeypatch.setattr("aam.baselines.trees.MOST_TREES", 5)
    monkeypatch.setattr("aam.crossval.summary.DRAWS", 50)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Simulate a study, and fix folds of whole subjects for it."""
    folder = simulate(tmp_path_factory.mktemp("study") / "s", 36, 50, 40)
    subject = read_metadata(folder / "metadata.tsv").column("subject")
    number = {name: i % 3 for i, name in enumerate(sorted(set(subject)))}
    rows = [f"{sample}\tf{number[name]}\n" for sample, name in subject.items()]
    (folder / "folds.tsv").write_text("sample-id\tfold\n" + "".join(rows))
    return folder


def evaluate(study, output, *more, column="age", metadata=None) -> int:
    labels = labels_of(metadata or study / "metadata.tsv", column)
    return run("evaluate", *files_of(study, "tree"), *labels, "--output-dir", output, *SHORT, *more)


def test_regression_over_repeated_folds_beside_all_baselines(study, tmp_path, capsys):
    assert evaluate(study, tmp_path / "o", "--folds", 3, "--repeats", 2, "--group-column", "subject") == 0

    assert {item.name for item in (tmp_path / "o").iterdir()} == WRITTEN
    predictions, folds = read(tmp_path / "o/predictions.tsv"), read(tmp_path / "o/folds.tsv").set_index("sample-id")
    methods = ["aam", "guess", "depth", "linear", "unifrac", "random-forest", "extra-trees", "gradient-boosting"]
    assert list(predictions["method"].unique()) == methods
    assert len(predictions) == 36 * 2 * len(methods)
    assert predictions["prediction"].notna().all()
    subject = read_metadata(study / "metadata.tsv").column("subject").reindex(folds.index)
    for column in ("fold-of-repeat-1", "fold-of-repeat-2"):
        assert pd.DataFrame({"s": subject, "f": folds[column]}).groupby("s")["f"].nunique().eq(1).all()
    assert (folds["fold-of-repeat-1"] != folds["fold-of-repeat-2"]).any()
    assert (tmp_path / "o/summary.png").read_bytes().startswith(b"\x89PNG")
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Repeat ")]
    assert len(lines) == 6, "one per fold"
    assert lines[-1].endswith("; done.")
    results = read(tmp_path / "o/results.tsv").query("method == 'aam'")
    assert results.query("metric == 'coverage'")["value"].between(0, 1).all()
    assert len(results.query("metric == 'interval_width'")) == 6
    ours, others = (predictions.query(f"method {sign} 'aam'") for sign in ("==", "!="))
    is_inside = ours["truth"].between(ours["lower"], ours["upper"])
    means = is_inside.groupby([ours["repeat"], ours["fold"]]).mean()
    assert means.mean() == pytest.approx(results.query("metric == 'coverage'")["value"].mean())
    assert others["lower"].isna().all()
    assert set(ours["is_outlier"].astype(str)) <= {"True", "False"}
    assert "Intervals or sets of aam" in (tmp_path / "o/summary.md").read_text()


def test_results_are_the_scores_of_the_predictions(study, tmp_path):
    assert evaluate(study, tmp_path / "o", "--fold-file", study / "folds.tsv", "--no-aam", "--baselines", "linear") == 0

    predictions = read(tmp_path / "o/predictions.tsv")
    results = read(tmp_path / "o/results.tsv").query("metric == 'r2'").set_index("fold")["value"]
    assert set(results.index) == {"f0", "f1", "f2"}
    for fold, part in predictions.groupby("fold"):
        assert results[fold] == pytest.approx(r2_score(part["truth"], part["prediction"]))
    summary = read(tmp_path / "o/summary.tsv").set_index(["method", "metric"])
    assert summary.loc[("linear", "r2"), "pooled"] == pytest.approx(
        r2_score(predictions["truth"], predictions["prediction"])
    )
    assert summary.loc[("linear", "r2"), "mean"] == pytest.approx(results.mean())
    assert "difference" not in summary.columns


def test_classification_with_fixed_folds_and_a_pretrained_model(study, tmp_path):
    assert run("pretrain", *files_of(study, "tree"), "--output-dir", tmp_path / "pretrained", *SHORT) == 0

    code = evaluate(
        study, tmp_path / "o", "--fold-file", study / "folds.tsv", "--group-column", "subject", "--pretrained",
        tmp_path / "pretrained", "--freeze-base", "--head", "network", "--baselines", "guess", "linear", column="disease",
    )  # fmt: skip

    assert code == 0
    predictions = read(tmp_path / "o/predictions.tsv")
    given = read(study / "folds.tsv").set_index("sample-id")["fold"]
    assert (given.reindex(predictions["sample-id"]).to_numpy() == predictions["fold"].to_numpy()).all()
    np.testing.assert_allclose(predictions.filter(like="probability:").sum(axis=1), 1, atol=1e-6)
    summary = read(tmp_path / "o/summary.tsv").set_index(["method", "metric"])
    ours = predictions.query("method == 'aam'")
    pooled = {
        name: balanced_accuracy_score(part["truth"], part["prediction"]) for name, part in predictions.groupby("method")
    }
    assert summary.loc[("aam", "balanced_accuracy"), "pooled"] == pytest.approx(pooled["aam"])
    assert summary.loc[("linear", "balanced_accuracy"), "difference"] == pytest.approx(pooled["aam"] - pooled["linear"])
    assert len(ours) == 36
    assert "aam minus it" in (tmp_path / "o/summary.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("head", [["kernel"], ["network"], ["network", "--ensemble", 2]])
@pytest.mark.parametrize("column", ["age", "disease"])
def test_no_prediction_depends_on_the_values_of_held_out_samples(study, tmp_path, column, head):
    """Values are exchanged inside one fold; what is predicted while it is held out must stay."""
    fold = read(study / "folds.tsv").set_index("sample-id")["fold"]
    rows = [line.split("\t") for line in (study / "metadata.tsv").read_text().splitlines()]
    place = rows[0].index(column)
    inside = [row for row in rows[1:] if fold.get(row[0]) == "f1"]
    values = [row[place] for row in inside]
    for row, value in zip(inside, [*values[5:], *values[:5]], strict=True):
        row[place] = value
    (tmp_path / "m.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
    options = ["--fold-file", study / "folds.tsv", "--group-column", "subject", "--head", *head]

    assert evaluate(study, tmp_path / "a", *options, column=column) == 0
    assert evaluate(study, tmp_path / "b", *options, column=column, metadata=tmp_path / "m.tsv") == 0

    one, other = (
        read(tmp_path / name / "predictions.tsv").query("fold == 'f1'").drop(columns="truth") for name in "ab"
    )
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    assert (read(tmp_path / "a/predictions.tsv")["truth"] != read(tmp_path / "b/predictions.tsv")["truth"]).any(), (
        "values were exchanged"
    )


def test_a_run_repeats_from_its_own_config(study, tmp_path):
    options = ["--folds", 2, "--group-column", "subject", "--baselines", "guess"]
    assert evaluate(study, tmp_path / "a", *options) == 0

    assert run("evaluate", "--config", tmp_path / "a/config.yaml", "--output-dir", tmp_path / "b") == 0

    assert (tmp_path / "a/predictions.tsv").read_text() == (tmp_path / "b/predictions.tsv").read_text()
    assert yaml.safe_load((tmp_path / "a/config.yaml").read_text())["folds"] == 2


@pytest.mark.slow
@pytest.mark.parametrize("ensemble", [[], ["--ensemble", 2]])
def test_samples_with_fewer_reads_than_a_fold_draws_are_predicted_too(ensemble, study, tmp_path, monkeypatch):
    monkeypatch.setattr("aam.crossval.methods.resolve_depth", lambda asked, depths: 6000)
    options = ["--fold-file", study / "folds.tsv", "--baselines", "guess", "--head", "network", *ensemble]

    assert evaluate(study, tmp_path / "o", *options) == 0

    assert read(tmp_path / "o/predictions.tsv").query("method == 'aam'")["prediction"].notna().sum() == 36


def test_at_a_depth_asked_for_all_methods_read_equally_many_reads(study, tmp_path, capsys):
    options = ["--fold-file", study / "folds.tsv", "--baselines", "depth", "linear", "--rarefy-depth", 6000]

    assert evaluate(study, tmp_path / "o", *options, column="disease") == 0

    assert "fewer than 6,000 reads" in capsys.readouterr().err
    predicted = read(tmp_path / "o/predictions.tsv")
    n_kept = (predicted["method"] == "aam").sum()
    assert 0 < n_kept < 36
    assert (predicted["method"] == "linear").sum() == n_kept
    by_depth = predicted[predicted["method"] == "depth"]
    assert by_depth.filter(like="probability:").to_numpy().std(axis=0).max() < 1e-9


def test_the_folds_of_one_repeat_read_back(study, tmp_path):
    options = ["--no-aam", "--baselines", "linear", "--group-column", "subject"]
    assert evaluate(study, tmp_path / "a", "--folds", 3, *options) == 0

    assert evaluate(study, tmp_path / "b", "--fold-file", tmp_path / "a/folds.tsv", *options) == 0

    assert (tmp_path / "a/predictions.tsv").read_text() == (tmp_path / "b/predictions.tsv").read_text()


def test_ctrl_c_leaves_no_half_written_table(study, tmp_path, monkeypatch):
    def stop(problem):
        raise KeyboardInterrupt

    monkeypatch.setitem(__import__("aam.baselines.table", fromlist=["BASELINES"]).BASELINES, "linear", stop)

    assert evaluate(study, tmp_path / "o", "--folds", 2, "--no-aam", "--baselines", "guess", "linear") == 130

    assert {item.name for item in (tmp_path / "o").iterdir()} == {"config.yaml", "folds.tsv"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--folds", "99", "--group-column", "subject"], "--folds 99 .*groups"),
        (["--folds", "3", "--group-column", "absent"], "column 'absent'"),
        (["--folds", "3", "--group-column", "age"], r"--group-column and --metadata-column .*\bage\b"),
        (["--folds", "1"], "--folds 1: "),
        (["--folds", "3", "--repeats", "0"], "--repeats 0: "),
        (["--folds", "3", "--fold-file", "f.tsv"], r"--folds and --fold-file\b"),
        (["--fold-file", "f.tsv", "--repeats", "2"], r"--repeats 2 .*--fold-file\b"),
        (["--folds", "3", "--no-aam", "--baselines"], r"--no-aam .*--baselines\b"),
        (["--folds", "3", "--model", "trained"], r"--model and --folds\b"),
        (["--fold-file", "f.tsv", "--model", "trained"], r"--model and --fold-file\b"),
        ([], r"--model or --folds\b"),
        (["--fold-file", "absent.tsv"], "--fold-file absent.tsv"),
    ],
)
def test_a_mistake_in_the_options_is_one_message(study, tmp_path, capsys, options, message):
    assert evaluate(study, tmp_path / "o", *options) == 2

    shown = capsys.readouterr().err
    assert re.search(message, shown)
    assert "Traceback" not in shown
    assert not (tmp_path / "o").exists()


def test_unifrac_without_a_tree_is_refused(study, tmp_path, capsys):
    code = run(
        "evaluate", *files_of(study), *labels_of(study / "metadata.tsv", "age"), "--folds", 2,
        "--baselines", "unifrac", "--output-dir", tmp_path / "o",
    )  # fmt: skip

    assert code == 2
    assert re.search(r"--baselines unifrac .*--tree\b", capsys.readouterr().err)


def with_folds(study, path, change) -> list:
    rows = [line.split("\t") for line in (study / "folds.tsv").read_text().splitlines()]
    path.write_text("".join("\t".join(row) + "\n" for row in change(rows)))
    return ["--fold-file", path, "--group-column", "subject"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[:-1], r"1 of 36 samples .*--fold-file\b"),
        (lambda rows: [*rows, ["nobody", "f0"]], r"1 of 37 samples .*--fold-file\b"),
        (lambda rows: [*rows, rows[-1]], "samples more than once"),
        (lambda rows: [row[:1] for row in rows], "'sample-id' and 'fold'"),
        (lambda rows: [rows[0], *([row[0], ""] for row in rows[1:])], "36 samples .*no fold"),
        (lambda rows: [rows[0], *([row[0], "a"] for row in rows[1:])], "one fold"),
        (lambda rows: [rows[0], [rows[1][0], "f9"], *rows[2:]], "--group-column subject .*folds"),
    ],
)
def test_a_fold_file_that_does_not_fit_is_explained(study, tmp_path, capsys, change, message):
    assert evaluate(study, tmp_path / "o", *with_folds(study, tmp_path / "f.tsv", change)) == 2

    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "o").exists()


def by_class(study, path, fold_of) -> list:
    """Give each sample the fold that follows from its class and its place among those of the class."""
    disease = read_metadata(study / "metadata.tsv").column("disease")
    place = disease.groupby(disease).cumcount()
    rows = [f"{sample}\t{fold_of(name, place[sample])}\n" for sample, name in disease.items()]
    path.write_text("sample-id\tfold\n" + "".join(rows))
    return ["--fold-file", path, "--no-aam", "--baselines", "guess"]


def test_a_training_part_of_one_class_is_refused(study, tmp_path, capsys):
    assert (
        evaluate(study, tmp_path / "o", *by_class(study, tmp_path / "f.tsv", lambda name, _: name), column="disease")
        == 2
    )

    assert "leaves samples of one value only" in capsys.readouterr().err


def test_a_held_out_part_of_one_class_is_scored_in_part_and_said(study, tmp_path, capsys):
    options = by_class(
        study, tmp_path / "f.tsv", lambda name, k: "alone" if name == "healthy" and k < 4 else f"f{k % 2}"
    )

    assert evaluate(study, tmp_path / "o", *options, column="disease") == 0

    assert re.search("one value only in 1 of 3 folds", capsys.readouterr().err)
    results = read(tmp_path / "o/results.tsv").query("fold == 'alone'").set_index("metric")["value"]
    assert np.isnan(results["auroc"])
    assert not np.isnan(results["accuracy"])


@pytest.mark.parametrize(("n_alone", "written"), [(36, "no score"), (2, " (one fold)")])
def test_a_score_that_folds_do_not_have_is_said_in_words(n_alone, written, study, tmp_path, capsys):
    samples = read_metadata(study / "metadata.tsv").column("age").index
    folds = pd.DataFrame({"sample-id": samples, "fold": [f"f{min(k, n_alone)}" for k in range(len(samples))]})
    folds.to_csv(tmp_path / "f.tsv", sep="\t", index=False)
    options = ["--fold-file", tmp_path / "f.tsv", "--no-aam", "--baselines", "guess"]

    assert evaluate(study, tmp_path / "o", *options) == 0

    said, text = capsys.readouterr().err, (tmp_path / "o/summary.md").read_text()
    assert "nan" not in said
    assert "nan" not in text
    assert re.search("fold f0: R² guess ", said)
    assert re.search(rf"\n +guess +\S*{re.escape(written)} ", text)
    assert ("no score: R² has no value in any fold" in text) is (written == "no score")
    mean = read(tmp_path / "o/summary.tsv").set_index("metric")["mean"]
    assert mean.dtype == np.float64
    assert np.isnan(mean["r2"]) == (written == "no score")


def test_one_group_left_to_train_on_is_refused(study, tmp_path, capsys):
    rows = [line.split("\t") for line in (study / "metadata.tsv").read_text().splitlines()]
    (tmp_path / "m.tsv").write_text(
        "".join("\t".join([*row, "half" if i == 0 else f"h{i % 2}"]) + "\n" for i, row in enumerate(rows))
    )

    code = evaluate(study, tmp_path / "o", "--folds", 2, "--group-column", "half", metadata=tmp_path / "m.tsv")

    assert code == 2
    assert "one group only" in capsys.readouterr().err


@pytest.mark.parametrize("earlier", [False, True])
def test_folds_too_small_for_the_kernel_head_are_refused_before_anything_is_written(study, tmp_path, capsys, earlier):
    head = (study / "metadata.tsv").read_text().splitlines(keepends=True)[:6]
    (tmp_path / "few.tsv").write_text("".join(head))
    options = ["--folds", 2, "--missing-samples", "drop"]
    few, output = tmp_path / "few.tsv", tmp_path / "o"
    if earlier:
        assert evaluate(study, output, *options, "--no-aam", "--baselines", "guess", metadata=few) == 0
        options.append("--overwrite")
    before = {path.name: path.read_bytes() for path in output.glob("*")}

    assert evaluate(study, output, *options, metadata=few) == 2

    assert "3 or more of the 2 training samples" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in output.glob("*")} == before
    assert output.exists() == earlier
