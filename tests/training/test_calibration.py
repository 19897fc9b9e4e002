"""What a new model's vectors are like before the first step."""

import numpy as np
import pytest
import torch

from aam.config.model import ModelConfig
from aam.models.build import build_encoder, build_predictor
from aam.objectives.sample_distance import SHARED_AT_FIRST
from aam.objectives.target import RegressionTarget
from aam.target_transform import TargetTransform
from aam.training.losses import calibrate_encoder, calibrate_head
from conftest import make_batch, make_study

CONFIG = ModelConfig(embedding_dim=8, attention_heads=2, attention_layers=1, ffn_ratio=1.5, dropout=0.5, max_bp=11)


@pytest.fixture
def distances():
    points = np.random.default_rng(4).random((5, 3))
    return np.linalg.norm(points[:, None] - points[None], axis=2) / 2


def batch_of(distances=None):
    targets = {} if distances is None else {"distance": lambda packed: distances}
    return make_batch(make_study(n_samples=5), targets=targets)


def changed(before, model):
    return {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}


def snapshot(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_distances_begin_at_the_size_that_the_samples_have(distances):
    model, batch = build_encoder(CONFIG, ["distance"]).double(), batch_of(distances)

    calibrate_encoder(model, batch)

    truth = np.square(distances[np.triu_indices(5, 1)])
    predicted = model.objectives["distance"](model(batch), batch).square()
    between = torch.pdist(model(batch).samples.sample_vectors).square() / 8
    assert predicted.mean().item() == pytest.approx(truth.mean(), rel=1e-9)
    assert between.mean().item() == pytest.approx(SHARED_AT_FIRST * truth.mean(), rel=1e-9)


def test_asv_vectors_are_standardised_over_the_batch():
    model, batch = build_encoder(CONFIG, []).double(), batch_of()

    calibrate_encoder(model, batch)

    standardised = model.sample_encoder.standardise(model.asv_encoder(batch.tokens))
    torch.testing.assert_close(standardised.mean(0), torch.zeros(8, dtype=torch.float64), rtol=0, atol=1e-9)
    torch.testing.assert_close(standardised.std(0, correction=0), torch.ones(8, dtype=torch.float64))


def test_only_sizes_change_and_all_weights_stay(distances):
    model = build_encoder(CONFIG, ["distance", "nucleotides"])
    before = snapshot(model)

    calibrate_encoder(model, batch_of(distances))

    assert changed(before, model) == {
        "scale", "sample_encoder.standardise.mean", "sample_encoder.standardise.scale", "objectives.distance.unshared.1.bias",
    }  # fmt: skip
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("truth", [None, np.zeros((5, 5))], ids=["no distances", "all samples alike"])
def test_without_distances_to_match_sample_vectors_keep_their_size(truth):
    model = build_encoder(CONFIG, [] if truth is None else ["distance"])

    calibrate_encoder(model, batch_of(truth))

    assert model.scale.item() == 1.0


def test_a_single_sample_is_enough_to_start():
    model = build_encoder(CONFIG, ["distance"])
    batch = make_batch(make_study(n_samples=5), [2], targets={"distance": lambda packed: np.zeros((1, 1))})

    calibrate_encoder(model, batch)

    assert model.scale.item() == 1.0
    assert torch.isfinite(model(batch).samples.sample_vectors).all()


def test_calibrating_twice_changes_nothing(distances):
    model, batch = build_encoder(CONFIG, ["distance"]).double(), batch_of(distances)
    calibrate_encoder(model, batch)
    before = snapshot(model)

    calibrate_encoder(model, batch)

    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=1e-9, atol=1e-9)


def test_a_new_head_reads_standardised_features_and_nothing_else_changes():
    model = build_predictor(
        build_encoder(CONFIG, []), RegressionTarget(CONFIG, "age", TargetTransform(3.0, 2.0)), []
    ).double()
    batch, before = batch_of(), snapshot(model)

    calibrate_head(model, batch)

    read = model.target.standardise(model(batch).target_features)
    torch.testing.assert_close(read.mean(0), torch.zeros(16, dtype=torch.float64), rtol=0, atol=1e-9)
    torch.testing.assert_close(read.std(0, correction=0), torch.ones(16, dtype=torch.float64))
    head = "objectives.target.standardise"
    assert changed(before, model) == {f"{head}.mean", f"{head}.scale"}


def test_dropout_does_not_enter_calibration(distances):
    results = []
    for seed in (1, 2):
        torch.manual_seed(0)
        model = build_predictor(
            build_encoder(CONFIG, ["distance"]), RegressionTarget(CONFIG, "age", TargetTransform(3.0, 2.0)), []
        )
        torch.manual_seed(seed)
        calibrate_encoder(model.train().base_model, batch_of(distances))
        calibrate_head(model.train(), batch_of(distances))
        results.append(snapshot(model))

    assert all(torch.equal(value, results[1][name]) for name, value in results[0].items())


def test_distances_beyond_1_are_learned_in_units_of_their_mean_and_scored_in_their_own(distances):
    model, batch = build_encoder(CONFIG, ["distance"]).double(), batch_of(50 * distances)

    calibrate_encoder(model, batch)

    objective, encoding = model.objectives["distance"], model(batch)
    prediction = objective(encoding, batch)
    predicted, truth = objective.scored(prediction, batch)
    unit = objective.unit.item()
    assert unit == pytest.approx(truth.mean().item())
    assert predicted.square().mean().item() == pytest.approx(truth.square().mean().item())
    assert prediction.square().mean().item() == pytest.approx((truth / unit).square().mean().item())
    assert truth.mean().item() == pytest.approx(50 * distances[np.triu_indices(5, 1)].mean())
