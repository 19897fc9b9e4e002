"""What is said of samples that a model reads, and models that know nothing of their training samples."""

import json
import shutil

import numpy as np
import pytest

from aam.inference.model_directory import load_model
from aam.inference.network import PredictOptions
from aam.inference.new_samples import is_trained_on, new_sample_remarks
from aam.inference.predictor import open_predictor
from aam.storage.cache import Cache
from helpers.commands import QUIET, succeed
from helpers.people import people
from helpers.studies import make_study

pytestmark = QUIET

NETWORK = [
    "--head", "network", "--embedding-dim", "8", "--attention-layers", "1", "--attention-heads", "2", "--max-bp", "60",
    "--epochs", "1", "--rarefy-depth", "none",
]  # fmt: skip


@pytest.fixture(scope="module", params=[[], ["--ensemble", "2"]], ids=["one", "ensemble"])
def model(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("network")
    labelled = people().labelled(folder, "age", "--group-column", "subject")
    succeed("train", *labelled, *NETWORK, *request.param, "--output-dir", folder / "run")
    return folder / "run" / "model"


def test_a_network_knows_its_training_samples_and_their_reads(model, tmp_path):
    predictor = open_predictor(model, PredictOptions(Cache(tmp_path)))
    samples = predictor.description.samples

    assert samples is not None
    assert len(samples.reads) == 48
    assert predictor.training_reads is not None
    assert sorted(samples.reads) == sorted(predictor.training_reads)


def test_a_model_that_was_saved_without_digests_opens_and_says_nothing(model, tmp_path):
    shutil.copytree(model, tmp_path / "old")
    state = json.loads((tmp_path / "old/state.json").read_text())
    del state["training_samples"]
    (tmp_path / "old/state.json").write_text(json.dumps(state))
    study = make_study(n_samples=4)

    predictor = open_predictor(tmp_path / "old", PredictOptions(Cache(tmp_path)))

    assert load_model(tmp_path / "old")[1].samples is None
    assert not is_trained_on(predictor.description, study).any()
    assert new_sample_remarks(predictor, study) == []
    assert predictor.training_reads is None


def test_few_reads_are_named_by_those_of_training(model, tmp_path):
    predictor = open_predictor(model, PredictOptions(Cache(tmp_path)))
    study = make_study(n_samples=3)
    depths = np.array([4, 6, 2000])

    (remark,) = new_sample_remarks(predictor, type(study)(**{**vars(study), "depths": depths}))

    assert "2 of 3 samples have too few reads to say anything of (4 to 6 reads" in remark
