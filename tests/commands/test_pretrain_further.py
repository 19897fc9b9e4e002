"""Pre-training that goes on from an earlier model: its weights and objectives are taken over, and what is new is said."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file

from helpers import commands
from helpers.commands import QUIET, TINY, simulate

RUN = ["--epochs", "1", "--batch-size", "8", "--rarefy-depth", "none", "--precision", "32-true"]
STILL = ["--lr", "1e-9", "--weight-decay", "0"]

pytestmark = QUIET


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Simulate two studies, and pre-train on the first."""
    folder = tmp_path_factory.mktemp("going-on")
    for seed, name in enumerate(("public", "own")):
        simulate(folder / name, 24, 30, 20, "--seed", seed)
    assert pretrain(folder, "public", folder / "first", "--lr", "0.01", *TINY) == 0
    return folder


def pretrain(folder, study, output, *options):
    return commands.pretrain(folder / study, output, *RUN, *options)


def weights(output):
    return load_file(output / "model" / "model.safetensors")


def scores(output):
    return json.loads((output / "metrics.json").read_text())


def test_a_run_that_hardly_moves_leaves_the_earlier_model(folder, tmp_path, capsys):
    assert pretrain(folder, "own", tmp_path, "--pretrained", folder / "first", *STILL) == 0

    assert "goes on from the encoder of" in capsys.readouterr().err
    before, after = weights(folder / "first"), weights(tmp_path)
    assert before.keys() == after.keys()
    for name, weight in before.items():
        torch.testing.assert_close(after[name], weight, rtol=1e-4, atol=1e-6, msg=name)


def test_on_the_same_study_it_begins_with_the_scores_that_it_had(folder, tmp_path):
    assert pretrain(folder, "public", tmp_path, "--pretrained", folder / "first", *STILL) == 0

    before, after = scores(folder / "first"), scores(tmp_path)
    assert after["unweighted-unifrac_mae"] == pytest.approx(before["unweighted-unifrac_mae"], rel=1e-3)
    assert after["nucleotides_loss"] == pytest.approx(before["nucleotides_loss"], rel=1e-3)


def test_an_objective_that_the_model_did_not_have_is_new_and_said(folder, tmp_path, capsys):
    types = ["--encoder-type", "faith-pd", "shannon", "--nuc-penalty", "0"]
    assert pretrain(folder, "own", tmp_path, "--pretrained", folder / "first", *types, *STILL) == 0

    assert "objectives: faith-pd, shannon" in capsys.readouterr().err
    before, after = weights(folder / "first"), weights(tmp_path)
    same = {name for name in before if not name.startswith("objectives.")}
    assert same == {name for name in after if not name.startswith("objectives.")}
    for name in same:
        torch.testing.assert_close(after[name], before[name], rtol=1e-4, atol=1e-6, msg=name)
    assert abs(scores(tmp_path)["shannon_r2"]) < 2  # a new head has the size of the values that it predicts


@pytest.mark.parametrize(
    ("earlier", "types", "new"),
    [
        (["unweighted-unifrac", "bray-curtis"], [], set()),
        ([], ["unweighted-unifrac", "bray-curtis"], {"bray-curtis"}),
        (["unweighted-unifrac", "bray-curtis"], ["jaccard", "bray-curtis"], {"jaccard"}),
        (["unweighted-unifrac", "bray-curtis"], ["bray-curtis"], {"bray-curtis"}),
    ],
)
def test_a_distance_goes_on_if_it_is_read_from_the_vectors_as_before(folder, tmp_path, capsys, earlier, types, new):
    chosen = ["--encoder-type", *types] if types else []
    first = ["--encoder-type", *earlier] if earlier else []
    assert pretrain(folder, "public", tmp_path / "a", *TINY, *first) == 0

    assert pretrain(folder, "public", tmp_path / "b", "--pretrained", tmp_path / "a", *chosen, *STILL) == 0

    said = capsys.readouterr().err
    assert ("new objectives: " + ", ".join(sorted(new)) + "." if new else "and its objectives.") in said
    before, after = weights(tmp_path / "a"), weights(tmp_path / "b")
    for name, weight in after.items():
        if name.startswith("objectives.") and name.split(".")[1] not in new:
            torch.testing.assert_close(weight, before[name], rtol=1e-4, atol=1e-6, msg=name)


def test_its_shape_is_that_of_the_earlier_model(folder, tmp_path, capsys):
    assert pretrain(folder, "own", tmp_path, "--pretrained", folder / "first", "--embedding-dim", "16", *STILL) == 0

    assert re.search(r"shape; .*--embedding-dim\b", capsys.readouterr().err)
    assert json.loads((tmp_path / "model" / "config.json").read_text())["model"]["embedding_dim"] == 8


@pytest.mark.parametrize(("name", "message"), [("absent", "absent"), ("own", "own")])
def test_what_holds_no_model_is_refused_before_anything_is_written(name, message, folder, tmp_path, capsys):
    assert pretrain(folder, "own", tmp_path / "out", "--pretrained", folder / name) == 2

    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "out").exists()
