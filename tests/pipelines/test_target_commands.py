"""Whole commands with each option of the target: prediction repeats what training reported, and evaluation reads it."""

import json

import numpy as np
import pandas as pd
import pytest

from aam.cli import main

TINY = [
    "--head", "network", "--embedding-dim", "8", "--attention-heads", "2", "--attention-layers", "1", "--max-bp", "20", "--epochs",
    "1", "--batch-size", "16", "--count-penalty", "0", "--lr", "0.01",
]  # fmt: skip
BY_SITE = ["--target-transform", "zscore-category", "--normalize-by", "site"]
OPTIONS = {
    "own units": ("load", ["--target-transform", "none"]),
    "range": ("age", ["--target-transform", "minmax"]),
    "logarithm": ("load", ["--target-transform", "log-zscore"]),
    "logarithm in its range": ("load", ["--target-transform", "log-minmax"]),
    "by site": ("load", BY_SITE),
}
KERNEL = {
    "kernel, logarithm": ("load", ["--target-transform", "log-zscore", "--head", "kernel"]),
    "kernel, by site": ("load", [*BY_SITE, "--head", "kernel"]),
}
MEANS = {"gut": 1000.0, "skin": 5.0, "tongue": 100_000.0}

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*num_workers.*")


def run(*arguments) -> None:
    assert main([str(argument) for argument in arguments]) == 0


def read(path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", dtype={"sample-id": str}).set_index("sample-id")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Simulate, and add columns: a site, a load that is of another size at each, and a stage by age."""
    folder = tmp_path_factory.mktemp("targets")
    sizes = ["--samples", 36, "--features", 24, "--sequence-length", 20, "--mean-depth", 200]
    run("simulate", "--output-dir", folder / "study", *sizes)
    table, rng = read(folder / "study/metadata.tsv"), np.random.default_rng(0)
    table["site"] = [list(MEANS)[k % 3] for k in range(len(table))]
    table["load"] = [MEANS[site] * rng.lognormal(0, 0.3) for site in table["site"]]
    table["stage"] = pd.cut(table["age"], 3, labels=["young", "grown", "old"]).astype(str)
    table.to_csv(folder / "metadata.tsv", sep="\t")
    return folder


def study_of(folder):
    return ["--table", folder / "study/table.biom", "--sequences", folder / "study/sequences.fasta"]


def train(folder, output, column, *options, metadata=None) -> None:
    labels = ["--metadata", metadata or folder / "metadata.tsv", "--metadata-column", column]
    run("train", *study_of(folder), *labels, "--output-dir", output, *TINY, *options)


def predict(folder, model, output, *options) -> pd.DataFrame:
    run("predict", "--model", model, *study_of(folder), "--output", output, *options)
    return read(output)


@pytest.mark.parametrize("name", [*OPTIONS, *KERNEL])
def test_predict_and_evaluate_give_what_training_reported(folder, tmp_path, name):
    column, options = (OPTIONS | KERNEL)[name]
    train(folder, tmp_path / "out", column, *options)

    known = predict(folder, tmp_path / "out", tmp_path / "p.tsv", "--metadata", folder / "metadata.tsv")
    run(
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
    assert "36 of 36 samples have no site that training saw ('gut', 'skin', 'tongue')" in capsys.readouterr().err


def test_samples_of_an_unseen_or_missing_site_are_scaled_as_all_are(folder, tmp_path, capsys):
    train(folder, tmp_path / "out", "load", *BY_SITE)
    table = read(folder / "metadata.tsv")
    table["site"] = ["elsewhere", None, *table["site"][2:]]
    table.to_csv(tmp_path / "m.tsv", sep="\t")

    given = predict(folder, tmp_path / "out", tmp_path / "p.tsv", "--metadata", tmp_path / "m.tsv")["prediction"]

    assert "2 of 36 samples have no site that training saw" in capsys.readouterr().err
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
    labels = ["--metadata", folder / "metadata.tsv", "--metadata-column", column, "--baselines", "guess", "--folds", 3]
    run("evaluate", *study_of(folder), *labels, "--output-dir", output, *TINY, *options)


@pytest.mark.parametrize("head", ["network", "kernel"])
def test_categories_scale_in_every_fold(folder, tmp_path, head):
    folds(folder, tmp_path / "o", "load", *BY_SITE, "--head", head)

    scores = pd.read_csv(tmp_path / "o/summary.tsv", sep="\t").set_index(["method", "metric"])["pooled"]
    assert scores[("aam", "r2")] > 0.5 > scores[("guess", "r2")]


@pytest.mark.parametrize(
    ("column", "options", "message"),
    [
        ("disease", ["--target-transform", "minmax"], "--target-transform minmax is for numbers, and disease is classified"),
        ("load", ["--target-transform", "zscore-category", "--normalize-by", "sight"], "no column 'sight'. Did you mean 'site'?"),
        ("load", ["--target-transform", "zscore-category", "--normalize-by", "load"],
         "--normalize-by and --metadata-column are both load"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit_are_one_message(folder, tmp_path, column, options, message, capsys):
    labels = ["--metadata", folder / "metadata.tsv", "--metadata-column", column, "--output-dir", tmp_path / "out"]
    arguments = ["train", *study_of(folder), *labels, *TINY, *options]

    assert main([str(argument) for argument in arguments]) == 2

    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown
    assert not (tmp_path / "out").exists()


def test_what_was_fitted_travels_with_the_model(folder, tmp_path):
    train(folder, tmp_path / "out", "load", *BY_SITE)

    state = json.loads((tmp_path / "out/model/state.json").read_text())["target"]
    assert state["normalized_by"] == {"column": "site", "names": ["gut", "skin", "tongue"]}
    split = read(tmp_path / "out/splits.tsv")["split"]
    table = read(folder / "metadata.tsv").loc[split.index[split == "train"]]
    expected = table.groupby("site")["load"].agg(["mean", lambda values: values.std(ddof=0)])
    np.testing.assert_allclose([state["transform"]["centres"], state["transform"]["scales"]], expected.T, rtol=1e-6)
