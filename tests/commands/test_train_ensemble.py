"""Whole commands with an ensemble of networks: members are ordinary runs, and nothing is calibrated on what they have seen."""

import json
import os
import re
import shutil
import signal

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from scipy.spatial.distance import cdist

from aam.cli import parse
from aam.runs.resume import identity_of
from aam.uncertainty import conformal_quantile
from helpers import commands
from helpers.commands import QUIET, TINY, labels_of, read, run, simulate, study_of

SHORT = [
    *TINY, "--precision", "32-true", "--batch-size", "8", "--dropout", "0.2", "--count-penalty", "0", "--rarefy-depth", "900",
]  # fmt: skip

pytestmark = QUIET


def train(folder, output, *more, column="age", epochs=2) -> int:
    fixed = ["--group-column", "subject", "--head", "network", "--epochs", epochs, *SHORT]
    return commands.train(folder / "study", output, *fixed, *more, column=column)


def predict(folder, model, output, *more) -> pd.DataFrame:
    return commands.predict(folder / "study", model, output, *more)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Simulate, and train three ensembles: for a number, for classes, and for two numbers with quantiles."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("ensembles")
    simulate(folder / "study", 60, 30, 20, "--subjects", 20)
    assert train(folder, folder / "age", "--ensemble", 2, "--coverage", 0.8) == 0
    assert train(folder, folder / "disease", "--ensemble", 2, "--coverage", 0.7, column="disease", epochs=1) == 0
    metadata = read(folder / "study/metadata.tsv")
    metadata.assign(other=np.where(metadata["age"] > 300, np.nan, -metadata["age"])).to_csv(folder / "m.tsv", sep="\t")
    labels = [*labels_of(folder / "m.tsv", "age", "other"), "--group-column", "subject"]
    several = ["--head", "network", "--ensemble", 2, "--coverage", 0.7, "--epochs", 1, "--loss-type", "quantile"]
    assert run("train", *study_of(folder), *labels, *several, "--output-dir", folder / "several", *SHORT) == 0
    return folder


def left_out(folder, name="age") -> pd.DataFrame:
    return read(folder / name / "out_of_fold_predictions.tsv")


def test_the_model_holds_no_pickle_and_is_finished_last(folder):
    model = folder / "age/model"

    found = {str(path.relative_to(model)) for path in model.rglob("*") if path.is_file()}

    names = ["model.safetensors", "config.json", "state.json", "README.md"]
    places = ("", "members/1/", "members/2/")
    assert found == {"sketch.safetensors"} | {f"{place}{name}" for place in places for name in names}
    assert "mean of 2 networks" in (model / "README.md").read_text()


def test_predictions_are_the_mean_of_the_members(folder, tmp_path):
    found = predict(folder, folder / "age", tmp_path / "p.tsv")

    each = [
        predict(folder, folder / f"age/model/members/{k}", tmp_path / f"{k}.tsv")["prediction"].to_numpy()
        for k in (1, 2)
    ]
    assert list(found.columns) == ["prediction", "lower", "upper", "members_sd", "is_outlier"]
    np.testing.assert_allclose(found["prediction"], np.mean(each, axis=0), rtol=1e-7)
    np.testing.assert_allclose(found["members_sd"], np.std(each, axis=0, ddof=1), rtol=1e-5)


def test_prediction_passes_add_their_spread(folder, tmp_path):
    found = predict(folder, folder / "age", tmp_path / "p.tsv", "--prediction-passes", 2)

    assert (found["passes_sd"] > 0).any()
    assert (found["members_sd"] > 0).all()


@pytest.mark.parametrize("name", ["age", "disease", "several"])
def test_predict_gives_what_training_reported(folder, tmp_path, name):
    found = predict(folder, folder / name, tmp_path / "p.tsv")

    reported = read(folder / name / "validation_predictions.tsv")
    reported = reported[[column for column in reported.columns if not column.startswith("truth")]]
    pd.testing.assert_frame_equal(found.loc[reported.index], reported, rtol=1e-8, atol=1e-9)


def test_each_sample_is_left_out_by_the_member_that_judges_it_and_groups_are_whole(folder, tmp_path):
    judged, parts = left_out(folder), read(folder / "age/splits.tsv")["split"]

    assert set(judged.index) == set(parts.index[parts == "train"])
    subject = read(folder / "study/metadata.tsv")["subject"].loc[judged.index]
    assert (judged["member"].groupby(subject.to_numpy()).nunique() == 1).all()
    for number, own in judged.groupby("member"):
        alone = predict(folder, folder / f"age/model/members/{number}", tmp_path / f"{number}.tsv")
        np.testing.assert_allclose(alone["prediction"].loc[own.index], own["prediction"], rtol=1e-7)


def test_a_member_is_the_run_that_one_would_have_made(folder, tmp_path):
    judged, parts = left_out(folder), read(folder / "age/splits.tsv")["split"]
    parts[parts == "validation"] = "test"
    parts[judged.index[judged["member"] == 2]] = "validation"
    parts.to_csv(tmp_path / "parts.tsv", sep="\t")
    seed = json.loads((folder / "age/model/members/2/config.json").read_text())["options"]["seed"]

    assert train(folder, tmp_path / "o", "--split", "file", "--split-file", tmp_path / "parts.tsv", "--seed", seed) == 0

    weights = "model/model.safetensors", "model/members/2/model.safetensors"
    assert (tmp_path / "o" / weights[0]).read_bytes() == (folder / "age" / weights[1]).read_bytes()


def test_intervals_are_as_wide_as_errors_on_samples_left_out(folder):
    judged, found = left_out(folder), read(folder / "age/validation_predictions.tsv")
    subject = read(folder / "study/metadata.tsv")["subject"].loc[judged.index]

    scores = np.abs(judged["prediction"] - judged["truth"]).to_numpy()

    threshold = conformal_quantile(scores, subject.to_numpy(), 0.8)
    np.testing.assert_allclose(found["upper"] - found["prediction"], threshold, rtol=1e-6)
    np.testing.assert_allclose(found["prediction"] - found["lower"], threshold, rtol=1e-6)
    metrics = json.loads((folder / "age/metrics.json").read_text())
    inside = found["truth"].between(found["lower"], found["upper"])
    assert metrics["coverage"] == pytest.approx(inside.mean())


def test_classes_come_with_sets_and_calibrated_probabilities(folder, tmp_path):
    found = read(folder / "disease/validation_predictions.tsv")

    calibration = json.loads((folder / "disease/model/config.json").read_text())["ensemble"]["calibration"]
    each = []
    for k in (1, 2):
        alone = predict(folder, folder / f"disease/model/members/{k}", tmp_path / f"{k}.tsv").loc[found.index]
        logit = np.log(alone["probability:disease"] / alone["probability:healthy"]) / calibration["temperature"]
        each.append(1 / (1 + np.exp(-logit)))
    np.testing.assert_allclose(found["probability:disease"], np.mean(each, axis=0), rtol=1e-6)
    in_set = found["set"].str.split("|").map(lambda names: "disease" in names)
    likely = found["probability:disease"] >= np.maximum(1 - calibration["thresholds"][0], 0)
    assert (in_set == (likely | (found["prediction"] == "disease"))).all()


def test_quantiles_of_each_column_are_moved_by_errors_on_samples_left_out(folder):
    judged, found = left_out(folder, "several"), read(folder / "several/validation_predictions.tsv")
    subject = read(folder / "study/metadata.tsv")["subject"]
    thresholds = json.loads((folder / "several/model/config.json").read_text())["ensemble"]["calibration"]["thresholds"]

    for column, threshold in zip(("age", "other"), thresholds, strict=True):
        known = judged[judged[f"truth:{column}"].notna()]
        truth = known[f"truth:{column}"]
        beyond = np.maximum(known[f"lower:{column}"] - truth, truth - known[f"upper:{column}"]).to_numpy()
        expected = conformal_quantile(beyond, subject.loc[known.index].to_numpy(), 0.7)
        assert threshold == pytest.approx(expected, rel=1e-6)
        assert (found[f"lower:{column}"] <= found[f"prediction:{column}"]).all()
        assert found[f"members_sd:{column}"].notna().all()


def test_unlike_are_samples_farther_from_training_than_nearly_all_left_out(folder, tmp_path):
    judged, parts = left_out(folder), read(folder / "age/splits.tsv")["split"]
    vectors = {}
    for k in (1, 2):
        model = folder / f"age/model/members/{k}"
        assert run("embed", "--model", model, *study_of(folder), "--output", tmp_path / f"{k}.tsv") == 0
        vectors[k] = read(tmp_path / f"{k}.tsv")

    ratios = []
    own = pd.Series(0.0, index=judged.index)
    for k, each in vectors.items():
        away = judged.index[judged["member"] == k]
        distance = cdist(each, each.loc[judged.index.difference(away)]).min(axis=1)
        distance = pd.Series(distance, index=each.index)
        ratios.append(distance / distance[away].median())
        own[away] = ratios[-1][away]
    mean = (ratios[0] + ratios[1]) / 2
    farthest = own.quantile(0.99)

    calibration = json.loads((folder / "age/model/config.json").read_text())["ensemble"]["calibration"]
    assert calibration["farthest"] == pytest.approx(farthest, rel=1e-4)
    found = predict(folder, folder / "age", tmp_path / "p.tsv")["is_outlier"]
    clear = (mean / farthest - 1).abs() > 1e-3
    assert (found[clear] == (mean > farthest)[clear]).all()
    assert not found[parts.index[parts == "train"]].all()


def test_vectors_are_those_of_all_members_side_by_side(folder, tmp_path):
    for model, name in ((folder / "age", "all"), (folder / "age/model/members/2", "second")):
        assert run("embed", "--model", model, *study_of(folder), "--output", tmp_path / name) == 0

    together, second = read(tmp_path / "all"), read(tmp_path / "second")
    assert together.shape[1] == 16
    np.testing.assert_allclose(together.to_numpy()[:, 8:], second, rtol=1e-6, atol=1e-9)


@pytest.fixture(scope="module")
def frozen(folder):
    """Train an ensemble on a frozen base."""
    options = ["--pretrained", folder / "age/model/members/1", "--freeze-base", "--ensemble", 2, "--coverage", 0.8]
    assert train(folder, folder / "frozen", *options, epochs=1) == 0
    return folder / "frozen"


def test_a_frozen_base_is_stored_once(folder, frozen):
    model = frozen / "model"
    base, *members = (load_file(model / f"members/{name}.safetensors") for name in ("base", "1/model", "2/model"))

    start = load_file(folder / "age/model/members/1/model.safetensors")
    expected = {name: weight for name, weight in start.items() if name.startswith("base_model.asv_encoder.")}
    assert base.keys() >= expected.keys() > set()
    assert all(torch.equal(base[name], weight) for name, weight in expected.items())
    assert all(not name.startswith("base_model.") for member in members for name in member)
    assert not (folder / "age/model/members/base.safetensors").exists()


def test_members_that_share_a_base_predict_as_runs_of_their_own(folder, frozen, tmp_path):
    judged, parts = left_out(folder, "frozen"), read(frozen / "splits.tsv")["split"]
    parts[parts == "validation"] = "test"
    parts[judged.index[judged["member"] == 2]] = "validation"
    parts.to_csv(tmp_path / "parts.tsv", sep="\t")
    seed = json.loads((frozen / "model/members/2/config.json").read_text())["options"]["seed"]
    start = ["--pretrained", folder / "age/model/members/1", "--freeze-base"]
    split = ["--split", "file", "--split-file", tmp_path / "parts.tsv", "--seed", seed]
    assert train(folder, tmp_path / "o", *start, *split, epochs=1) == 0

    for name, model in (("alone", tmp_path / "o"), ("member", frozen / "model/members/2")):
        predict(folder, model, tmp_path / f"{name}.tsv")

    assert (tmp_path / "alone.tsv").read_bytes() == (tmp_path / "member.tsv").read_bytes()
    found, reported = predict(folder, frozen, tmp_path / "p.tsv"), read(frozen / "validation_predictions.tsv")
    pd.testing.assert_frame_equal(found.loc[reported.index], reported[found.columns], rtol=1e-8, atol=1e-9)


def test_a_run_that_starts_from_a_member_is_of_its_base_too(folder, frozen, tmp_path):
    shutil.copytree(frozen / "model", tmp_path / "model")
    files = ["--table", "t.biom", "--metadata", "m.tsv", "--metadata-column", "age", "--output-dir", tmp_path / "o"]
    config = parse("train", [str(part) for part in [*files, "--pretrained", tmp_path / "model/members/1"]])
    before = identity_of(config, "")
    assert identity_of(config, "") == before

    (tmp_path / "model/members/base.safetensors").write_bytes(b"another")

    assert identity_of(config, "") != before


@pytest.mark.parametrize("damaged", ["model", "model/members/1"])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda base: base.unlink(), r"\.\./base\.safetensors.* is missing"),
        (lambda base: base.write_bytes(base.read_bytes()[:-1] + b"x"), r"\.\./base\.safetensors .*digest"),
    ],
)
def test_a_shared_base_that_is_missing_or_another_is_one_message(
    damage, message, damaged, folder, frozen, tmp_path, capsys
):
    shutil.copytree(frozen / "model", tmp_path / "model")
    damage(tmp_path / "model/members/base.safetensors")

    assert run("predict", "--model", tmp_path / damaged, *study_of(folder), "--output", tmp_path / "p.tsv") == 2

    said = capsys.readouterr().err
    assert re.search(message, said)
    assert "Traceback" not in said


def results(output):
    names = [path.relative_to(output) for path in (output / "model").rglob("*.safetensors")]
    names += [path.relative_to(output) for path in output.glob("*.tsv")]
    return {str(name): (output / name).read_bytes() for name in sorted(names)}


def test_a_run_goes_on_in_the_member_that_was_interrupted_and_leaves_finished_ones_alone(
    folder, tmp_path, monkeypatch, capsys
):
    batches = []

    def stop(callback, trainer, pl_module, outputs, trained, batch_idx):
        batches.append(batch_idx)
        if len(batches) == 10:
            os.kill(os.getpid(), signal.SIGINT)

    options = ["--ensemble", 2, "--coverage", 0.8]
    with monkeypatch.context() as patch:
        patch.setattr("aam.training.reports.BatchReport.on_train_batch_end", stop)
        assert train(folder, tmp_path / "o", *options) == 130
    assert "command with --resume" in capsys.readouterr().err
    first = tmp_path / "o/members/1/checkpoints/best.ckpt"
    assert first.exists()
    assert (tmp_path / "o/members/2").exists()
    before = first.stat().st_mtime_ns
    assert train(folder, tmp_path / "o", "--resume") == 2
    assert train(folder, tmp_path / "o", "--ensemble", 3, "--resume") == 2
    said = capsys.readouterr().err
    assert re.search(r"--ensemble was 2\b.*\bnot given", said)
    assert "--ensemble was 2 and is 3" in said

    assert train(folder, tmp_path / "o", *options, "--resume") == 0

    assert first.stat().st_mtime_ns == before
    assert results(tmp_path / "o") == results(folder / "age")
    assert train(folder, tmp_path / "o", *options, "--resume") == 0
    assert "nothing was done" in capsys.readouterr().err


def _without_member(model):
    shutil.rmtree(model / "members/2")


def _with_weights_of_another(model):
    shutil.copy(model / "members/1/model.safetensors", model / "members/2/model.safetensors")


def _with_a_member_twice(model):
    shutil.rmtree(model / "members/2")
    shutil.copytree(model / "members/1", model / "members/2")


def _with_other_thresholds(model):
    config = json.loads((model / "config.json").read_text())
    config["ensemble"]["calibration"]["thresholds"] = ["wide"]
    (model / "config.json").write_text(json.dumps(config))


def _with_one_threshold_too_many(model):
    config = json.loads((model / "config.json").read_text())
    config["ensemble"]["calibration"]["thresholds"] *= 2
    (model / "config.json").write_text(json.dumps(config))


def _without_vectors(model):
    (model / "model.safetensors").write_bytes(b"")


@pytest.mark.parametrize(
    "damage",
    [
        _without_member, _with_weights_of_another, _with_a_member_twice, _with_other_thresholds, _with_one_threshold_too_many,
        _without_vectors,
    ],
)  # fmt: skip
def test_a_directory_whose_parts_are_missing_or_damaged_is_one_message(damage, folder, tmp_path, capsys):
    shutil.copytree(folder / "age/model", tmp_path / "model")
    damage(tmp_path / "model")

    assert run("predict", "--model", tmp_path / "model", *study_of(folder), "--output", tmp_path / "p.tsv") == 2

    said = capsys.readouterr().err
    assert "cannot be loaded" in said
    assert "Traceback" not in said
    assert not (tmp_path / "p.tsv").exists()


def test_an_ensemble_is_no_start_but_its_members_are(folder, tmp_path, capsys):
    assert train(folder, tmp_path / "o", "--pretrained", folder / "age") == 2
    assert "such as model/members/1" in capsys.readouterr().err

    frozen = ["--pretrained", folder / "age/model/members/1", "--freeze-base", "--ensemble", 2]
    assert train(folder, tmp_path / "o", *frozen, "--batch-size", "auto", "--find-lr", epochs=1) == 0

    assert "batch-size: auto" not in (tmp_path / "o/config.yaml").read_text()
    assert (tmp_path / "o/members/2/plots/find_lr.png").exists()


def test_inspect_counts_the_weights_of_all_members(folder, capsys):
    assert run("inspect", folder / "age", folder / "age/model/members/1") == 0

    shown = capsys.readouterr().out
    assert "aam run directory with a trained predictor, for --model\n" in shown  # its members alone are a start
    assert "aam model directory: trained predictor, for --model, --pretrained\n" in shown


def test_the_batch_that_ended_a_member_is_computed_again(folder, tmp_path, capsys):
    diverging = [
        "--optimizer",
        "sgd",
        "--lr",
        100,
        "--gradient-clip",
        1e9,
        "--warmup-fraction",
        0,
        "--loss-type",
        "mse",
    ]
    assert train(folder, tmp_path / "o", "--ensemble", 2, *diverging, epochs=5) == 2
    assert "members/1/nonfinite-batch.json" in capsys.readouterr().err

    assert train(folder, tmp_path / "o", "--ensemble", 2, *diverging, "--replay", epochs=5) == 0

    assert "members/1: batch" in capsys.readouterr().out
