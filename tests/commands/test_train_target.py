"""Whole commands with each option of the target: prediction repeats what training reported, and evaluation reads it."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from helpers import commands
from helpers.commands import QUIET, TINY, labels_of, read, run, simulate, study_of, succeed

SHORT = [
    *TINY, "--head", "network", "--epochs", "1", "--batch-size", "16", "--count-penalty", "0", "--lr", "0.01",
]  # fmt: skip
BY_SITE = ["--target-transform", "zscore-category", "--normalize-by", "site"]
OPTIONS = {
    "own units": ("load", ["--target-transform", "none"]),
    "range": ("age", ["--target-transform", "minmax"]),
    "logarithm": ("load", ["--target-transform", "log-zscore"]),
    "logarithm in its range": ("load", ["--target-transform", "log-minmax"]),
    "by site": ("load", BY_SITE),
    "quantiles": (
        "load",
        ["--loss-type", "quantile", "--quantiles", "0.1", "0.25", "0.5", "0.9", "--target-transform", "log-zscore"],
    ),
    "penalties": ("age", ["--loss-type", "asymmetric", "--over-penalty", "5"]),
    "weights": ("disease", ["--class-weights", "balanced", "--label-smoothing", "0.1", "--sample-weights", "site"]),
}
OPTIONS |= {
    "bounded": ("age", ["--bounded-targets", "--regressor-hidden-dims", "12", "6", "--head-dropout", "0.2"]),
    "positive": (
        "load",
        ["--target-transform", "log-minmax", "--output-activation", "softplus", "--no-regressor-residual"],
    ),
    "scaled": ("disease", ["--output-scaling", "site"]),
    "all at once": ("load", [*BY_SITE, "--bounded-targets", "--loss-type", "quantile", "--output-scaling", "batch"]),
}
STAGES = ["--task", "ordinal", "--class-order", "young", "grown", "old"]
OPTIONS["stages"] = "stage", [*STAGES, "--class-weights", "balanced"]
KERNEL = {
    "kernel, stages": ("stage", [*STAGES, "--head", "kernel"]),
    "kernel, logarithm": ("load", ["--target-transform", "log-zscore", "--head", "kernel"]),
    "kernel, by site": ("load", [*BY_SITE, "--head", "kernel"]),
}
MEANS = {"gut": 1000.0, "skin": 5.0, "tongue": 100_000.0}

pytestmark = QUIET


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Simulate, and add columns: a site, a load that is of another size at each, and a stage by age."""
    folder = tmp_path_factory.mktemp("targets")
    simulate(folder / "study", 36, 24, 20, "--mean-depth", 200)
    table, rng = read(folder / "study/metadata.tsv"), np.random.default_rng(0)
    table["site"] = [list(MEANS)[k % 3] for k in range(len(table))]
    table["load"] = [MEANS[site] * rng.lognormal(0, 0.3) for site in table["site"]]
    table["stage"] = pd.cut(table["age"], 3, labels=["young", "grown", "old"]).astype(str)
    table["empty"] = ""
    table.to_csv(folder / "metadata.tsv", sep="\t")
    return folder


def train(folder, output, column, *options, metadata=None) -> None:
    metadata = metadata or folder / "metadata.tsv"
    assert commands.train(folder / "study", output, *SHORT, *options, column=column, metadata=metadata) == 0


def predict(folder, model, output, *options) -> pd.DataFrame:
    return commands.predict(folder / "study", model, output, *options)


@pytest.mark.parametrize("name", [*OPTIONS, *KERNEL])
def test_predict_and_evaluate_give_what_training_reported(folder, tmp_path, name, capsys):
    column, options = (OPTIONS | KERNEL)[name]
    train(folder, tmp_path / "out", column, *options)

    capsys.readouterr()
    known = predict(folder, tmp_path / "out", tmp_path / "p.tsv", "--metadata", folder / "metadata.tsv")
    reads_a_column = "--normalize-by" in options or "--output-scaling" in options
    assert bool(re.search(r"--metadata .*no effect", capsys.readouterr().err)) != reads_a_column
    succeed(
        "evaluate", "--model", tmp_path / "out", *study_of(folder), "--metadata", folder / "metadata.tsv", "--metadata-column",
        column, "--output-dir", tmp_path / "evaluation",
    )  # fmt: skip

    reported = read(tmp_path / "out/validation_predictions.tsv")
    exact = {"rtol": 1e-8, "atol": 1e-9} if name in KERNEL else {"check_exact": True}  # kernels sum over other blocks
    for other in (known, read(tmp_path / "evaluation/predictions.tsv").drop(columns="truth")):
        pd.testing.assert_frame_equal(other.loc[reported.index], reported.drop(columns="truth"), **exact)
    truth = read(folder / "metadata.tsv")[column]
    pd.testing.assert_series_equal(
        reported["truth"], truth.reindex(reported.index), check_names=False, check_dtype=False
    )
    assert (tmp_path / "evaluation/plots/target.png").is_file()


@pytest.mark.parametrize("head", ["network", "kernel"])
def test_a_category_brings_its_own_size(folder, tmp_path, head, capsys):
    train(folder, tmp_path / "out", "load", *BY_SITE, "--head", head)
    site = read(folder / "metadata.tsv")["site"]

    known = predict(folder, tmp_path / "out", tmp_path / "p.tsv", "--metadata", folder / "metadata.tsv")["prediction"]
    assert "that training saw" not in capsys.readouterr().err
    unknown = predict(folder, tmp_path / "out", tmp_path / "q.tsv")["prediction"]

    for name, mean in MEANS.items():
        of_site = site[site == name].index
        assert known[of_site].median() == pytest.approx(mean, rel=2.0)
    assert not np.allclose(unknown, known)
    assert re.search(r"36 of 36 samples .*\bsite\b.*\('gut', 'skin', 'tongue'\)", capsys.readouterr().err)


def test_samples_of_an_unseen_or_missing_site_are_scaled_as_all_are(folder, tmp_path, capsys):
    train(folder, tmp_path / "out", "load", *BY_SITE)
    table = read(folder / "metadata.tsv")
    table["site"] = ["elsewhere", None, *table["site"][2:]]
    table.to_csv(tmp_path / "m.tsv", sep="\t")

    given = predict(folder, tmp_path / "out", tmp_path / "p.tsv", "--metadata", tmp_path / "m.tsv")["prediction"]

    assert re.search(r"2 of 36 samples .*\bsite\b", capsys.readouterr().err)
    none = predict(folder, tmp_path / "out", tmp_path / "q.tsv")["prediction"]
    pd.testing.assert_series_equal(given.iloc[:2], none.iloc[:2], check_exact=True)
    assert (given.iloc[2:] != none.iloc[2:]).all()


def test_intervals_of_the_kernel_head_are_in_own_units(folder, tmp_path):
    train(folder, tmp_path / "out", "load", "--target-transform", "log-zscore", "--head", "kernel")

    table = read(tmp_path / "out/validation_predictions.tsv")
    assert (table["lower"] >= 0).all()
    assert ((table["lower"] <= table["prediction"]) & (table["prediction"] <= table["upper"])).all()
    ratios = (1 + table["upper"]) / (1 + table["prediction"])
    assert ratios.std() / ratios.mean() < 1e-6  # of one size in logarithms


def test_changes_of_unit_are_one_for_the_kernel_head(folder, tmp_path):
    for kind in ("zscore", "minmax", "none"):
        train(folder, tmp_path / kind, "age", "--target-transform", kind, "--head", "kernel")

    texts = {
        kind: (tmp_path / kind / "validation_predictions.tsv").read_text() for kind in ("zscore", "minmax", "none")
    }
    assert len(set(texts.values())) == 1


def folds(folder, output, column, *options) -> None:
    labels = [*labels_of(folder / "metadata.tsv", column), "--baselines", "guess", "--folds", 3]
    succeed("evaluate", *study_of(folder), *labels, "--output-dir", output, *SHORT, *options)


@pytest.mark.parametrize("head", ["network", "kernel"])
def test_categories_scale_in_every_fold(folder, tmp_path, head):
    folds(folder, tmp_path / "o", "load", *BY_SITE, "--head", head)

    scores = pd.read_csv(tmp_path / "o/summary.tsv", sep="\t").set_index(["method", "metric"])["pooled"]
    assert scores[("aam", "r2")] > 0.5 > scores[("guess", "r2")]


@pytest.mark.parametrize(
    ("column", "options", "message"),
    [
        ("disease", ["--target-transform", "minmax"], r"--target-transform minmax .*\bdisease\b"),
        ("load", ["--target-transform", "zscore-category", "--normalize-by", "sight"], "'sight'.*'site'"),
        ("disease", ["--loss-type", "mae"], r"--loss-type .*\bdisease .*--task\b"),
        ("age", ["--class-weights", "balanced", "--label-smoothing", "0.1"],
         r"--label-smoothing, --class-weights .*\bage\b"),
        ("disease", ["--class-weights", "absent.tsv"], r"--class-weights absent\.tsv does not exist"),
        ("age", ["--sample-weights", "sight"], "no column 'sight'"),
        ("age", ["--sample-weights", "empty"], "--sample-weights empty: "),
        ("age", ["--output-scaling", "age"], r"--output-scaling and --metadata-column .*\bage\b"),
        ("age", ["--output-activation", "exp"], r"--output-activation exp .*--target-transform\b"),
        ("age", ["--output-activation", "sigmoid", "--target-transform", "none"],
         r"--output-activation sigmoid .*\b0 and 1\b.*--metadata-column age\b"),
        ("age", ["--bounded-targets", "--output-activation", "exp", "--target-transform", "none"],
         "--bounded-targets and --output-activation exp"),
        ("disease", ["--bounded-targets"], "--bounded-targets .*numbers"),
        ("age", ["--output-scaling", "site", "--mixup-alpha", "1"], r"--mixup-alpha .*--output-scaling\b"),
        ("stage", ["--task", "ordinal"], "--class-order .*lowest first"),
        ("stage", [*STAGES[:-1], "older"], r"--class-order .*\b1 of the 3 classes .*--metadata-column stage: 'old'"),
        ("stage", [*STAGES, "young"], "--class-order young grown old young .*twice"),
        ("stage", STAGES[2:], "--class-order .*without --task ordinal"),
        ("age", ["--task", "ordinal"], "too many for classes"),
        ("load", ["--target-transform", "zscore-category", "--normalize-by", "load"],
         r"--normalize-by and --metadata-column .*\bload\b"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit_are_one_message(folder, tmp_path, column, options, message, capsys):
    labels = [*labels_of(folder / "metadata.tsv", column), "--output-dir", tmp_path / "out"]
    arguments = ["train", *study_of(folder), *labels, *SHORT, *options]

    assert run(*arguments) == 2

    shown = capsys.readouterr().err
    assert re.search(message, shown)
    assert "Traceback" not in shown
    assert not (tmp_path / "out").exists()


def test_what_was_fitted_travels_with_the_model(folder, tmp_path):
    train(folder, tmp_path / "out", "load", *BY_SITE)

    state = json.loads((tmp_path / "out/model/state.json").read_text())["target"]
    assert "site of a sample (gut, skin, tongue)" in (tmp_path / "out/model/README.md").read_text()
    assert state["normalized_by"] == {"column": "site", "names": ["gut", "skin", "tongue"]}
    split = read(tmp_path / "out/splits.tsv")["split"]
    table = read(folder / "metadata.tsv").loc[split.index[split == "train"]]
    expected = table.groupby("site")["load"].agg(["mean", lambda values: values.std(ddof=0)])
    np.testing.assert_allclose([state["transform"]["centres"], state["transform"]["scales"]], expected.T, rtol=1e-6)


def test_quantiles_are_columns_that_evaluation_scores(folder, tmp_path):
    train(folder, tmp_path / "out", *OPTIONS["quantiles"][:1], *OPTIONS["quantiles"][1])

    table = read(tmp_path / "out/validation_predictions.tsv")
    assert list(table.columns) == ["prediction", "lower", "upper", "quantile:0.25", "truth"]
    ordered = table[["lower", "quantile:0.25", "prediction", "upper"]].to_numpy()
    assert (np.diff(ordered, axis=1) >= 0).all()
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    inside = (table["lower"] <= table["truth"]) & (table["truth"] <= table["upper"])
    assert metrics["coverage"] == pytest.approx(inside.mean())
    assert metrics["mean_width"] == pytest.approx((table["upper"] - table["lower"]).mean(), rel=1e-6)


def test_quantiles_are_scored_in_every_fold(folder, tmp_path):
    folds(folder, tmp_path / "o", "age", "--loss-type", "quantile")

    assert "Intervals or sets of aam" in (tmp_path / "o/summary.md").read_text()


def test_weights_of_classes_come_from_the_training_samples_or_a_file(folder, tmp_path, capsys):
    (tmp_path / "w.tsv").write_text("class\tweight\nhealthy\t1\ndisease\t4\nunheard of\t9\n")
    train(folder, tmp_path / "balanced", "disease", "--class-weights", "balanced")
    train(folder, tmp_path / "given", "disease", "--class-weights", tmp_path / "w.tsv")

    weights = [
        json.loads((tmp_path / name / "model/state.json").read_text())["target"]["class_weights"]
        for name in ("balanced", "given")
    ]
    split = read(tmp_path / "balanced/splits.tsv")["split"]
    sizes = read(folder / "metadata.tsv").loc[split.index[split == "train"], "disease"].value_counts()
    assert weights[0] == pytest.approx([sizes.sum() / 2 / sizes["disease"], sizes.sum() / 2 / sizes["healthy"]])
    assert weights[1] == [4.0, 1.0]
    assert re.search(r"--class-weights \S+w\.tsv: .*'unheard of'", capsys.readouterr().err)


def test_the_kernel_head_names_the_options_that_it_leaves_aside(folder, tmp_path, capsys):
    train(folder, tmp_path / "out", "age", "--head", "kernel", "--loss-type", "mae", "--sample-weights", "site")

    ignored = capsys.readouterr().err.partition("Without effect on the kernel head: ")[2].splitlines()[0]
    assert {"--loss-type", "--sample-weights"} <= set(ignored.rstrip(".").split(", "))


def test_stages_keep_their_order_in_all_that_is_written(folder, tmp_path):
    train(folder, tmp_path / "out", "stage", *STAGES)

    table = read(tmp_path / "out/validation_predictions.tsv")
    assert list(table.columns) == ["prediction", *(f"probability:{name}" for name in STAGES[3:]), "truth"]
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    place = {name: k for k, name in enumerate(STAGES[3:])}
    error = (table["prediction"].map(place) - table["truth"].map(place)).abs().mean()
    assert metrics["rank_mae"] == pytest.approx(error)
    assert metrics["confusion"]["classes"] == STAGES[3:]
    assert ": young, grown, old." in (tmp_path / "out/model/README.md").read_text()


def test_numbers_are_stages_in_their_own_order(folder, tmp_path):
    table = read(folder / "metadata.tsv")
    table["grade"] = [(2, 10, 9)[k % 3] for k in range(len(table))]
    table.to_csv(tmp_path / "m.tsv", sep="\t")

    train(folder, tmp_path / "out", "grade", "--task", "ordinal", metadata=tmp_path / "m.tsv")

    assert json.loads((tmp_path / "out/model/state.json").read_text())["target"]["classes"] == ["2", "9", "10"]


@pytest.mark.parametrize("head", ["network", "kernel"])
def test_stages_are_scored_by_rank_in_every_fold(folder, tmp_path, head, capsys):
    folds(folder, tmp_path / "o", "stage", *STAGES, "--head", head)

    metrics = pd.read_csv(tmp_path / "o/summary.tsv", sep="\t").set_index(["method", "metric"])["pooled"]
    table = pd.read_csv(tmp_path / "o/predictions.tsv", sep="\t").query("method == 'aam'")
    place = {name: k for k, name in enumerate(STAGES[3:])}
    assert metrics[("aam", "rank_mae")] == pytest.approx(
        (table["prediction"].map(place) - table["truth"].map(place)).abs().mean()
    )
    assert ("without their order" in capsys.readouterr().err) == (head == "kernel")
