"""The three predictors behind one interface, on models that an earlier version saved."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aam.config.study import StudyConfig
from aam.data.study_build import read_study
from aam.errors import MetadataError, ModelError
from aam.inference.ensemble_predictor import EnsemblePredictor
from aam.inference.kernel import KernelPredictor
from aam.inference.network import NetworkPredictor, PredictOptions
from aam.inference.predictor import open_predictor, target_of
from aam.io.metadata import read_metadata
from aam.runs.results import prediction_columns
from aam.storage.cache import Cache

SAVED = Path(__file__).parent / "saved_at_1709cfd"


@dataclass(frozen=True)
class Expected:
    """Properties of a saved model."""

    kind: type
    depth: int | None
    embedding_depth: int
    n_dimensions: int
    columns_read: tuple[str, ...] = ()


MODELS = {
    "encoder": Expected(NetworkPredictor, 2374, 2374, 8),
    "network": Expected(NetworkPredictor, 2000, 2000, 8, ("sex", "birth_weight")),
    "kernel": Expected(KernelPredictor, None, 2374, 8),
    "ensemble": Expected(EnsemblePredictor, 2374, 2374, 2 * 8),
}
WITH_TARGET = ("network", "kernel", "ensemble")


def opened(name, **options):
    return open_predictor(SAVED / name, PredictOptions(Cache(None), **options))


def saved_table(name) -> pd.DataFrame:
    """Read what the earlier version wrote, by the names that columns have now."""
    table = pd.read_csv(SAVED / f"{name}.tsv", sep="\t", dtype={"sample-id": str})
    return table.rename(columns={"unlike": "is_outlier"}).set_index("sample-id")


def assert_equal_tables(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert list(found.columns) == list(expected.columns)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-6, atol=1e-9)


@pytest.fixture(scope="module")
def study():
    files = SAVED / "study"
    return read_study(StudyConfig(table=files / "table.biom", sequences=files / "sequences.fasta"), max_bp=40)


@pytest.fixture(scope="module")
def metadata():
    return read_metadata(SAVED / "study" / "metadata.tsv")


@pytest.mark.parametrize("name", MODELS)
def test_a_model_opens_as_the_predictor_of_its_kind(name):
    expected, predictor = MODELS[name], opened(name)

    assert type(predictor) is expected.kind
    assert predictor.depth == expected.depth
    assert predictor.embedding_depth == expected.embedding_depth
    assert predictor.n_dimensions == expected.n_dimensions
    assert predictor.columns_read == expected.columns_read
    assert predictor.description.model.max_bp == 40


@pytest.mark.parametrize("name", WITH_TARGET)
def test_predictions_equal_those_of_the_version_that_saved_the_model(name, study, metadata):
    predictor, expected = opened(name), saved_table(name)

    predicted = predictor.predict(study, metadata)

    columns = prediction_columns(target_of(predictor, name), study.sample_ids, predicted.values)
    found = pd.DataFrame({**columns, **predicted.columns}).set_index("sample-id")
    assert_equal_tables(found, expected)
    if predicted.chosen is not None:
        names = np.array([column.removeprefix("probability:") for column in expected if ":" in column])
        sets = [set(names[is_chosen]) for is_chosen in predicted.chosen]
        assert sets == [set(cell.split("|")) for cell in expected["set"]]


def test_vectors_equal_those_of_the_version_that_saved_the_encoder(study):
    vectors = opened("encoder").embed(study)

    found = pd.DataFrame(vectors, index=study.sample_ids, columns=[f"dim{k + 1}" for k in range(8)])
    assert_equal_tables(found.rename_axis("sample-id"), saved_table("encoder"))


def test_a_kernel_head_embeds_with_its_pretrained_encoder(study):
    np.testing.assert_array_equal(opened("kernel").embed(study), opened("encoder").embed(study))


def test_an_ensemble_embeds_with_all_its_members(study):
    vectors = opened("ensemble").embed(study)

    members = [opened(f"ensemble/members/{number}").embed(study) for number in (1, 2)]
    assert vectors.shape == (40, 16)
    np.testing.assert_array_equal(vectors, np.concatenate(members, axis=1))


@pytest.mark.parametrize("name", MODELS)
def test_samples_are_predicted_and_embedded_one_by_one_as_together(name, study, metadata):
    some = study.select_samples(np.array([7, 2]))
    predictor = opened(name)

    np.testing.assert_allclose(predictor.embed(some), predictor.embed(study)[[7, 2]], rtol=0, atol=1e-12)
    if name in WITH_TARGET:
        alone, together = predictor.predict(some, metadata), predictor.predict(study, metadata)
        np.testing.assert_allclose(alone.values, together.values[[7, 2]], rtol=1e-12)


@pytest.mark.parametrize(("name", "depth"), [("encoder", 500), ("network", 500), ("ensemble", 500), ("kernel", None)])
def test_a_depth_that_is_asked_for_holds_for_all_but_the_kernels(name, depth):
    predictor = opened(name, depth=500)

    assert predictor.depth == depth
    assert predictor.embedding_depth == 500


def test_an_encoder_has_no_target(study, metadata):
    predictor = opened("encoder")

    with pytest.raises(ModelError, match=r"without a target.*'aam train --pretrained'"):
        predictor.predict(study, metadata)
    with pytest.raises(ModelError, match=r"PATH is a pre-trained encoder without a target.*--pretrained PATH"):
        target_of(predictor, "PATH")


@pytest.mark.parametrize("call", ["predict", "warn_of_unknown_cells"])
def test_columns_that_a_network_reads_must_be_given(call, study, metadata):
    predictor = opened("network")
    arguments = {"predict": (study, None), "warn_of_unknown_cells": (None, study)}[call]

    with pytest.raises(MetadataError, match=r"'sex', 'birth_weight'.*--metadata FILE"):
        getattr(predictor, call)(*arguments)
