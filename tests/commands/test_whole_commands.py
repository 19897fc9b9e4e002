"""Whole commands on a tiny simulated study: what a user does, and the files that must come of it."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file
from skbio.metadata import SampleMetadata

from helpers.commands import QUIET, SMALL, read, simulate, study_of, succeed
from helpers.studies import real_study

SHORT = [*SMALL, "--epochs", "2", "--batch-size", "8", "--lr", "0.002"]
NETWORK = ["--head", "network", *SHORT]
RUN = {"model", "checkpoints", "tensorboard", "plots", "config.yaml", "splits.tsv", "metrics.json", "metrics.tsv"}
CARD = {"model.safetensors", "sketch.safetensors", "config.json", "state.json", "README.md"}

pytestmark = QUIET


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Simulate, pre-train, and train a regression and a classification once for all tests here."""
    folder = tmp_path_factory.mktemp("runs")
    simulate(folder / "study", 40, 60, 40)
    study = study_of(folder)
    labels = ["--metadata", folder / "study/metadata.tsv", "--group-column", "subject"]
    tree = ["--tree", folder / "study/tree.nwk"]
    succeed("pretrain", *study, *tree, "--output-dir", folder / "pretrained", *SHORT, "--precision", "32-true")
    succeed(
        "train", *study, *tree, *labels, "--metadata-column", "age", "--pretrained", folder / "pretrained",
        "--output-dir", folder / "age", *NETWORK,
    )  # fmt: skip
    succeed("train", *study, *labels, "--metadata-column", "disease", "--output-dir", folder / "disease", *NETWORK)
    return folder


def test_a_run_leaves_all_its_files(folder):
    assert {item.name for item in (folder / "pretrained").iterdir()} == RUN
    assert {item.name for item in (folder / "age").iterdir()} == RUN | {"validation_predictions.tsv"}
    for name in ("pretrained", "age", "disease"):
        assert {item.name for item in (folder / name / "model").iterdir()} == CARD
        assert {item.name for item in (folder / name / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
        assert list((folder / name / "tensorboard").glob("train/*")), "learning curves"
        assert list((folder / name / "tensorboard").glob("validation/*")), "overlaid on them"
    assert {item.name for item in (folder / "age/plots").iterdir()} == {
        "target.png",
        "counts.png",
        "unweighted-unifrac.png",
    }


def test_a_pictures_first_bytes_are_a_png(folder):
    for path in folder.rglob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")


def test_no_subject_is_on_both_sides_of_the_split(folder):
    split = read(folder / "age/splits.tsv")["split"]
    subject = SampleMetadata.load(str(folder / "study/metadata.tsv")).to_dataframe()["subject"].reindex(split.index)

    assert set(split) == {"train", "validation"}
    assert not set(subject[split == "train"]) & set(subject[split == "validation"])


def test_splits_open_as_qiime_2_metadata(folder):
    split = SampleMetadata.load(str(folder / "age/splits.tsv")).to_dataframe()["split"]

    assert split.to_dict() == read(folder / "age/splits.tsv")["split"].to_dict()


@pytest.mark.parametrize("name", ["age", "disease"])
@pytest.mark.parametrize("batch_size", ["1", "7"])
def test_predict_gives_exactly_what_training_reported(folder, tmp_path, name, batch_size):
    succeed(
        "predict", "--model", folder / name, *study_of(folder), "--output", tmp_path / "p.tsv", "--batch-size", batch_size
    )  # fmt: skip

    reported = read(folder / name / "validation_predictions.tsv").drop(columns="truth")
    pd.testing.assert_frame_equal(read(tmp_path / "p.tsv").loc[reported.index], reported, check_exact=True)


def test_predictions_open_as_qiime_2_metadata(folder, tmp_path):
    succeed("predict", "--model", folder / "disease", *study_of(folder), "--output", tmp_path / "p.tsv")

    table = SampleMetadata.load(str(tmp_path / "p.tsv")).to_dataframe()
    assert list(table.columns) == ["prediction", "probability:disease", "probability:healthy"]
    assert set(table["prediction"]) <= {"disease", "healthy"}
    np.testing.assert_allclose(table[["probability:disease", "probability:healthy"]].sum(axis=1), 1, atol=1e-8)


def test_a_column_of_another_name_is_compared_and_named(folder, tmp_path, capsys):
    metadata = read(folder / "study/metadata.tsv")
    metadata["age_in_months"] = metadata["age"] / 30
    metadata.to_csv(tmp_path / "m.tsv", sep="\t")

    succeed(
        "evaluate", "--model", folder / "age", "--table", folder / "study/table.biom", "--sequences",
        folder / "study/sequences.fasta", "--metadata", tmp_path / "m.tsv", "--metadata-column", "age_in_months",
        "--output-dir", tmp_path / "o",
    )  # fmt: skip

    said = capsys.readouterr().err
    assert re.search(r"predicts age, .*\bage_in_months\b", said)
    assert "age (compared with age_in_months): R² -" in said


def test_evaluate_on_the_validation_samples_gives_the_metrics_of_training(folder, tmp_path):
    """A table of the validation samples alone, in another order and without the features they lack."""
    from aam.io.biom_table import write_table
    from aam.io.count_table import CountTable
    from aam.io.tables import read_table

    table = read_table(folder / "study/table.biom")
    held = [table.sample_ids.index(s) for s in reversed(read(folder / "age/validation_predictions.tsv").index)]
    counts = table.counts[held]
    seen = np.flatnonzero(np.asarray(counts.sum(axis=0)).ravel())[::-1]
    part = CountTable([table.sample_ids[i] for i in held], [table.feature_ids[i] for i in seen], counts[:, seen])
    write_table(tmp_path / "part.biom", part)

    succeed(
        "evaluate", "--model", folder / "age", "--table", tmp_path / "part.biom", "--sequences",
        folder / "study/sequences.fasta", "--metadata", folder / "study/metadata.tsv", "--metadata-column", "age",
        "--output-dir", tmp_path / "evaluation",
    )  # fmt: skip

    reported = json.loads((folder / "age/metrics.json").read_text())
    for name, value in json.loads((tmp_path / "evaluation/metrics.json").read_text()).items():
        assert value == pytest.approx(reported[name], rel=1e-9), name
    assert {item.name for item in (tmp_path / "evaluation").iterdir()} == {
        "config.yaml", "metrics.json", "metrics.tsv", "plots", "predictions.tsv",
    }  # fmt: skip


def test_reported_metrics_equal_those_of_the_reported_predictions(folder):
    from sklearn.metrics import balanced_accuracy_score, mean_absolute_error, r2_score

    age, disease = (read(folder / name / "validation_predictions.tsv") for name in ("age", "disease"))
    reported = {name: json.loads((folder / name / "metrics.json").read_text()) for name in ("age", "disease")}

    assert reported["age"]["r2"] == pytest.approx(r2_score(age["truth"], age["prediction"]), rel=1e-6)
    assert reported["age"]["mae"] == pytest.approx(mean_absolute_error(age["truth"], age["prediction"]), rel=1e-6)
    balanced = balanced_accuracy_score(disease["truth"], disease["prediction"])
    assert reported["disease"]["balanced_accuracy"] == pytest.approx(balanced)


def test_truths_are_in_the_columns_own_units(folder):
    reported = read(folder / "age/validation_predictions.tsv")["truth"]

    column = SampleMetadata.load(str(folder / "study/metadata.tsv")).to_dataframe()["age"]
    pd.testing.assert_series_equal(reported, column.reindex(reported.index), check_names=False, check_dtype=False)


def test_new_samples_with_asvs_that_training_never_saw_are_predicted(folder, tmp_path):
    succeed(
        "simulate", "--output-dir", tmp_path / "new", "--samples", 10, "--features", 30, "--sequence-length", 40, "--seed",
        9,
    )  # fmt: skip

    succeed("predict", "--model", folder / "age", *study_of(tmp_path / ".." / tmp_path.name)[:0], "--table",
        tmp_path / "new/table.biom", "--sequences", tmp_path / "new/sequences.fasta", "--output", tmp_path / "p.tsv",
        "--rarefy-depth", "none")  # fmt: skip

    assert np.isfinite(read(tmp_path / "p.tsv")["prediction"]).all()
    assert len(read(tmp_path / "p.tsv")) == 10


def test_embeddings_have_one_row_per_sample_and_repeat_exactly(folder, tmp_path):
    for name in ("a.tsv", "b.tsv"):
        succeed("embed", "--model", folder / "pretrained", *study_of(folder), "--output", tmp_path / name)

    table = SampleMetadata.load(str(tmp_path / "a.tsv")).to_dataframe()
    assert (tmp_path / "a.tsv").read_bytes() == (tmp_path / "b.tsv").read_bytes()
    assert table.shape == (len(read(folder / "pretrained/splits.tsv")), 16)
    assert (tmp_path / "a.config.yaml").is_file()


def test_distances_between_embeddings_are_what_pretraining_reported(folder, tmp_path):
    """The reported R² of UniFrac, from the embeddings and scikit-bio's distances on the same rarefied counts."""
    from aam.config.study import StudyConfig
    from aam.data.batching.batches import Drawing, pack, plan_in_order
    from aam.data.rarefaction import EVALUATION
    from aam.data.study_build import read_study
    from aam.ecology.tree import FeatureTree
    from aam.ecology.unifrac import unweighted_unifrac
    from aam.inference.model_directory import load_model
    from aam.io.newick import read_newick

    succeed("embed", "--model", folder / "pretrained", *study_of(folder), "--output", tmp_path / "e.tsv")
    state = json.loads((folder / "pretrained/model/state.json").read_text())
    study = read_study(StudyConfig(table=study_of(folder)[1], sequences=study_of(folder)[3]), 40)
    vectors, split = read(tmp_path / "e.tsv"), read(folder / "pretrained/splits.tsv")["split"]
    study = study.select_samples(np.array([study.sample_ids.index(s) for s in split.index]))
    tree = FeatureTree.from_arrays(read_newick(folder / "study/tree.nwk"), study.feature_ids)
    drawing = Drawing(state["depth"], 1024, 0)
    unshared = (
        load_model(folder / "pretrained")[0].double().requires_grad_(False).objectives["unweighted-unifrac"].unshared
    )
    predicted, truth = [], []
    for plan in plan_in_order(np.flatnonzero(split == "validation"), 8):
        drawn = [drawing.draw(study, row, EVALUATION) for row in plan.samples]
        packed = pack(drawn, plan.samples)
        above = np.triu_indices(len(plan.samples), 1)
        truth.append(unweighted_unifrac(tree, packed.features, packed.sample_offsets)[above])
        z = vectors.loc[[study.sample_ids[row] for row in plan.samples]].to_numpy()
        own = np.logaddexp(0, unshared(torch.from_numpy(z)).squeeze(1).numpy())
        shared = np.square(z[:, None] - z[None]).mean(axis=2)
        predicted.append(np.sqrt(shared + (own[:, None] + own[None]) / 2)[above])
    predicted, truth = np.concatenate(predicted), np.concatenate(truth)

    r2 = 1 - np.square(predicted - truth).sum() / np.square(truth - truth.mean()).sum()
    assert state["metrics"]["unweighted-unifrac_r2"] == pytest.approx(r2, rel=1e-3)


def test_a_frozen_base_keeps_its_weights(folder, tmp_path):
    succeed(
        "train", *study_of(folder), "--metadata", folder / "study/metadata.tsv", "--metadata-column", "age",
        "--pretrained", folder / "pretrained", "--freeze-base", "--output-dir", tmp_path / "frozen", *NETWORK[:2], *SHORT[6:],
    )  # fmt: skip

    before = load_file(folder / "pretrained/model/model.safetensors")
    after = load_file(tmp_path / "frozen/model/model.safetensors")
    base = {name.removeprefix("base_model."): value for name, value in after.items() if name.startswith("base_model.")}
    assert base
    assert all(torch.equal(value, before[name]) for name, value in base.items())
    assert yaml.safe_load((tmp_path / "frozen/config.yaml").read_text())["embedding-dim"] == 16


def test_two_runs_with_one_seed_are_identical(folder, tmp_path):
    for name in ("a", "b"):
        succeed(
            "train", *study_of(folder), "--tree", folder / "study/tree.nwk", "--metadata", folder / "study/metadata.tsv",
            "--metadata-column", "age", "--output-dir", tmp_path / name, *NETWORK, "--dropout", "0.1", "--epochs", "1",
        )  # fmt: skip

    assert (tmp_path / "a/model/model.safetensors").read_bytes() == (
        tmp_path / "b/model/model.safetensors"
    ).read_bytes()
    assert (tmp_path / "a/metrics.json").read_text() == (tmp_path / "b/metrics.json").read_text()


def test_a_distance_matrix_replaces_the_tree(folder, tmp_path):
    from aam.io.tables import read_table

    ids = read_table(folder / "study/table.biom").sample_ids
    points = np.random.default_rng(0).random((len(ids), 3))
    np.save(tmp_path / "d.npy", np.linalg.norm(points[:, None] - points[None], axis=2))
    (tmp_path / "d.ids").write_text("\n".join(ids))

    succeed("pretrain", *study_of(folder), "--distances", tmp_path / "d.npy", "--output-dir", tmp_path / "out", *SHORT,
        "--nuc-penalty", "0")  # fmt: skip

    assert "distance_r2" in json.loads((tmp_path / "out/metrics.json").read_text())


@pytest.mark.slow
def test_the_real_moving_pictures_run_from_raw_files(tmp_path):
    folder = real_study("moving_pictures")
    study = ["--table", folder / "table.biom", "--sequences", folder / "sequences.fasta"]

    succeed("train", *study, "--tree", folder / "tree.nwk", "--metadata", folder / "metadata.tsv", "--metadata-column",
        "body-site", "--group-column", "subject", "--output-dir", tmp_path / "out", *NETWORK, "--epochs", "1")  # fmt: skip
    succeed("predict", "--model", tmp_path / "out", *study, "--output", tmp_path / "p.tsv")

    reported = read(tmp_path / "out/validation_predictions.tsv").drop(columns="truth")
    pd.testing.assert_frame_equal(read(tmp_path / "p.tsv").loc[reported.index], reported, check_exact=True)
