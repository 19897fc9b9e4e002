"""Samples through a trained model: nothing but the sample itself decides, and no ASV is encoded twice."""

import copy
import dataclasses
import itertools

import numpy as np
import pytest
import torch

from aam.config.model import ModelConfig, tiny
from aam.data.batching.batches import BatchMaker, BatchPlan, Drawing
from aam.data.rarefaction import EVALUATION
from aam.errors import ModelError
from aam.inference.build import build_model
from aam.inference.description import ModelDescription
from aam.inference.network import NetworkPredictor, PredictOptions, asv_vectors, weights_digest
from aam.labels.target import TargetState
from aam.models.build import build_encoder
from aam.storage.cache import Cache
from aam.target_transform import TargetTransform
from aam.training.losses import calibrate_encoder, calibrate_head
from helpers.studies import dense, make_batch, make_study, store_study

SHAPE = ModelConfig(
    embedding_dim=8, attention_heads=2, attention_layers=2, ffn_ratio=1.5, dropout=0.4, max_bp=11, asv_chunk_size=5
)
ENCODER = ModelDescription(model=SHAPE, objectives=(), depth=25, token_limit=1024, seed=3, study_digest="")
AGE = dataclasses.replace(
    ENCODER, target=TargetState("age", "regression", guess=40.0, transform=TargetTransform(41.0, 9.0))
)
SITE = dataclasses.replace(ENCODER, target=TargetState("site", "classification", guess="a", classes=("a", "b", "c")))


def trained(description):
    """Give a model whose weights are large enough for differences to show."""
    torch.manual_seed(5)
    model, batch = build_model(description).double(), make_batch(make_study(is_ragged=True))
    for name, parameter in model.named_parameters():
        if name.endswith("weight") and parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3)
    calibrate_encoder(model if description.target is None else model.base_model, batch)
    if description.target is not None:
        calibrate_head(model, batch)
    return model


@pytest.fixture
def reader(tmp_path):
    """Make readers that share no vectors of ASVs, so that each encodes its own."""
    numbers = itertools.count()

    def make(description=AGE, depth=25, batch_size=4, precision="64-true", model=None, passes=1, **changes):
        description = dataclasses.replace(description, model=dataclasses.replace(SHAPE, **changes))
        options = PredictOptions(Cache(tmp_path / str(next(numbers))), depth, batch_size, precision, passes)
        return NetworkPredictor(model or trained(description), description, options)

    return make


def changed(study, more_features=(), more_sequences=(), prefix=""):
    """Store a study anew with further features that no sample holds, or with other names of features."""
    letters = np.array(list("?ACGT"))
    sequences = ["".join(letters[row[row > 0]]) for row in study.tokens[np.arange(len(study.feature_ids))]]
    counts = np.hstack([dense(study), np.zeros((study.n_samples, len(more_features)), dtype=np.int64)])
    names = [prefix + name for name in study.feature_ids]
    return store_study(list(study.sample_ids), [*names, *more_features], [*sequences, *more_sequences], counts)


@pytest.fixture
def study():
    return make_study(n_samples=7, is_ragged=True)


@pytest.mark.parametrize("description", [AGE, SITE], ids=["regression", "classification"])
def test_predictions_are_those_of_the_whole_model_on_one_batch(reader, description, study):
    model = trained(description)

    predicted = reader(description, batch_size=3, model=copy.deepcopy(model)).predict(study).values

    model = model.double().eval()
    batch = BatchMaker(study, Drawing(25, 1024, seed=3))[BatchPlan(EVALUATION, tuple(range(study.n_samples)))]
    expected = model.target.in_own_units(model.target(model(batch), batch), batch)
    np.testing.assert_allclose(predicted, expected.detach().numpy(), rtol=0, atol=1e-11)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_the_batch_size_changes_nothing(reader, batch_size, study):
    one, other = reader(batch_size=4), reader(batch_size=batch_size)

    np.testing.assert_allclose(other.predict(study).values, one.predict(study).values, rtol=1e-12)
    np.testing.assert_allclose(other.embed(study), one.embed(study), rtol=0, atol=1e-12)


@pytest.mark.parametrize("chunk_size", [1, 3, 256])
def test_the_chunk_size_changes_nothing(reader, chunk_size, study):
    other = reader(asv_chunk_size=chunk_size).embed(study)

    np.testing.assert_allclose(other, reader().embed(study), rtol=0, atol=1e-12)


def test_a_sample_reads_the_same_in_another_study_and_order(reader, study):
    part = study.select_samples(np.array([5, 0, 3]))

    alone = reader().embed(part)

    np.testing.assert_allclose(alone, reader().embed(study)[[5, 0, 3]], rtol=0, atol=1e-12)


def test_features_that_no_sample_holds_change_nothing(reader, study):
    wider = changed(study, [f"unused{i}" for i in range(4)], ["ACG", "T", "GGT", "CA"])

    np.testing.assert_allclose(reader().embed(wider), reader().embed(study), rtol=0, atol=1e-12)


def test_each_asv_is_encoded_once_however_many_samples_and_batches_hold_it(reader, study):
    ours, seen = reader(batch_size=1), []
    ours.base.asv_encoder.register_forward_pre_hook(lambda module, inputs: seen.extend(map(tuple, inputs[0].tolist())))

    ours.predict(study)

    assert sorted(seen) == sorted(map(tuple, study.tokens[np.arange(len(study.feature_ids))].tolist()))


def test_asvs_that_training_never_saw_are_read_from_their_letters(reader):
    unseen = make_study(n_samples=4, n_features=9, n_positions=7, seed=99)

    predicted = reader().predict(unseen).values

    assert np.isfinite(predicted).all()
    assert len(set(predicted)) == 4


def test_a_renamed_study_gives_the_same_without_rarefaction(reader, study):
    renamed = changed(study, prefix="other")

    np.testing.assert_array_equal(reader(depth=None).predict(renamed).values, reader(depth=None).predict(study).values)


def test_the_token_limit_and_the_seed_come_from_the_model(reader, study):
    limited = reader(dataclasses.replace(AGE, token_limit=2), depth=None)
    reseeded = reader(dataclasses.replace(AGE, seed=4))

    assert limited.drawing.token_limit == 2
    assert not np.allclose(limited.predict(study).values, reader(depth=None).predict(study).values)
    assert not np.allclose(reseeded.predict(study).values, reader().predict(study).values)
    np.testing.assert_array_equal(reader().predict(study).values, reader().predict(study).values)


@pytest.mark.parametrize("description", [AGE, SITE], ids=["regression", "classification"])
def test_single_precision_is_close_to_double(reader, description, study):
    double, single = reader(description), reader(description, precision="32-true")

    np.testing.assert_allclose(single.predict(study).values, double.predict(study).values, rtol=1e-4, atol=1e-5)
    vectors = double.embed(study)
    np.testing.assert_allclose(single.embed(study), vectors, rtol=0, atol=1e-4 * np.abs(vectors).max())
    assert single.embed(study).dtype == vectors.dtype == np.float64


def test_passes_are_the_mean_of_draws_of_their_own_and_say_how_far_these_differ(reader, study):
    model = trained(AGE)

    many = reader(model=copy.deepcopy(model), passes=40).predict(study)
    once = reader(model=copy.deepcopy(model)).predict(study).values
    twice = reader(model=copy.deepcopy(model), passes=2).predict(study)

    second = 2 * twice.values - once
    np.testing.assert_allclose(twice.columns["passes_sd"], np.abs(once - second) / 2**0.5)
    assert not np.allclose(second, once)
    shown = many.columns["passes_sd"]
    assert (np.abs(many.values - once) < 4 * shown + 1e-9).all()


def test_with_all_reads_one_pass_is_enough_and_that_is_said(reader, study, caplog):
    predicted = reader(depth=None, passes=3).predict(study)

    assert "passes_sd" not in predicted.columns
    assert "--prediction-passes has no effect" in caplog.text


@pytest.mark.parametrize("description", [AGE, SITE], ids=["regression", "classification"])
def test_half_precision_is_near_and_keeps_vectors_of_its_own(reader, description, study):
    double, half = reader(description), reader(description, precision="bf16-mixed")

    expected = double.predict(study).values
    found = half.predict(study).values

    scale = 9.0 if description is AGE else 1.0
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.1 * scale)
    assert not np.allclose(found, expected, rtol=1e-9)
    np.testing.assert_array_equal(double.predict(study).values, expected)


def test_probabilities_of_a_sample_sum_to_one(reader, study):
    probability = reader(SITE).predict(study).values

    assert probability.shape == (7, 3)
    np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=0, atol=1e-12)


def test_vectors_of_a_predictor_are_those_of_its_base(reader, study):
    model = trained(AGE)

    of_predictor = reader(AGE, model=copy.deepcopy(model)).embed(study)

    of_base = reader(ENCODER, model=model.base_model).embed(study)
    np.testing.assert_allclose(of_predictor, of_base, rtol=0, atol=0)
    assert of_base.shape == (7, 8)


def test_reading_leaves_no_graph_and_no_dropout(reader, study):
    ours = reader()

    first, second = ours.predict(study).values, ours.predict(study).values

    np.testing.assert_array_equal(first, second)
    assert all(parameter.grad is None for parameter in ours.model.parameters())
    assert not any(module.training for module in ours.model.modules())


def test_an_encoder_without_a_target_predicts_nothing(reader, study):
    with pytest.raises(ModelError, match="'aam train --pretrained'"):
        reader(ENCODER).predict(study)


@pytest.fixture
def encoder():
    return build_encoder(tiny(), []).double().eval()


def encoded_rows(model):
    """Count the ASVs that the encoder reads from now on."""
    rows = []
    model.asv_encoder.register_forward_pre_hook(lambda _, arguments: rows.append(len(arguments[0])))
    return rows


def test_they_are_what_the_encoder_gives(encoder, study, tmp_path):
    vectors = asv_vectors(encoder.asv_encoder, study, Cache(tmp_path))

    tokens = torch.from_numpy(study.tokens[np.arange(len(study.feature_ids))].astype(np.int64))
    with torch.no_grad():
        expected = encoder.asv_encoder(tokens)
    torch.testing.assert_close(torch.from_numpy(vectors.copy()), expected, rtol=0, atol=1e-12)


def test_a_second_call_reads_them_from_disk(encoder, study, tmp_path):
    rows = encoded_rows(encoder)

    first = asv_vectors(encoder.asv_encoder, study, Cache(tmp_path))
    second = asv_vectors(encoder.asv_encoder, study, Cache(tmp_path))

    assert sum(rows) == len(study.feature_ids)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("change", ["weights", "study", "cut", "precision"])
def test_another_encoder_or_study_is_encoded_anew(encoder, study, tmp_path, change):
    asv_vectors(encoder.asv_encoder, study, Cache(tmp_path))
    rows = encoded_rows(encoder)
    if change == "weights":
        with torch.no_grad():
            encoder.asv_encoder.pooling.query[0, 0] += 1e-9
    if change == "study":
        study = make_study(seed=1)
    if change == "cut":
        study = study.cut(5)
    if change == "precision":
        encoder.float()

    asv_vectors(encoder.asv_encoder, study, Cache(tmp_path))

    assert sum(rows) == len(study.feature_ids)


def test_samples_read_from_them_equal_samples_read_from_nucleotides(encoder, study, tmp_path):
    vectors = asv_vectors(encoder.asv_encoder, study, Cache(tmp_path))

    with torch.no_grad():
        whole = encoder(make_batch(study)).samples.sample_vectors
        from_vectors = encoder(make_batch(study, asv_vectors=vectors)).samples.sample_vectors

    torch.testing.assert_close(from_vectors, whole, rtol=0, atol=1e-12)


def test_a_digest_depends_on_every_weight(encoder):
    before = weights_digest(encoder)
    with torch.no_grad():
        encoder.scale += 1e-12

    assert weights_digest(encoder) != before
