"""Losses: vectors of a new model, sums with fixed and learned weights, and the average of the weights."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from torch import nn

from aam.config.model import ModelConfig
from aam.models.build import build_encoder, build_predictor
from aam.objectives.sample_distance import SHARED_AT_FIRST
from aam.objectives.target import RegressionTarget
from aam.target_transform import TargetTransform
from aam.training.losses import LossBalance, WeightAverage, calibrate_encoder, calibrate_head
from helpers.studies import make_batch, make_study
from helpers.watched_fit import CONFIG as TRAINING
from helpers.watched_fit import run

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


WEIGHTS = {"a": 1.0, "b": 0.5}
LOSSES = {"a": torch.tensor(40.0), "b": torch.tensor(0.02)}


def test_fixed_weights_add_up_the_losses():
    assert LossBalance(WEIGHTS)(LOSSES).item() == pytest.approx(40 + 0.01)
    assert not list(LossBalance(WEIGHTS).parameters())


def test_log_variances_come_to_rest_at_the_logarithm_of_their_loss():
    balance = LossBalance(WEIGHTS, "uncertainty")
    optimizer = torch.optim.Adam(balance.parameters(), lr=0.1)

    for _ in range(400):
        optimizer.zero_grad()
        balance(LOSSES).backward()
        optimizer.step()

    assert {name: s.item() for name, s in balance.log_variances.items()} == pytest.approx(
        {"a": math.log(40), "b": math.log(0.02)}, abs=0.01
    )


def test_at_rest_losses_of_any_size_weigh_by_their_share():
    balance = LossBalance({"a": 1.0, "b": 1.0}, "uncertainty")
    balance.calibrate(LOSSES)
    losses = {name: loss.clone().requires_grad_() for name, loss in LOSSES.items()}

    balance(losses).backward()

    assert (losses["a"].grad * losses["a"]).item() == pytest.approx(1)
    assert (losses["b"].grad * losses["b"]).item() == pytest.approx(1)


def test_a_loss_of_nothing_does_not_weigh_without_bound():
    balance = LossBalance(WEIGHTS, "uncertainty")
    losses = {"a": torch.tensor(0.0), "b": torch.tensor(1.0)}

    balance.calibrate(losses)

    assert torch.isfinite(balance(losses))
    assert balance.log_variances["a"].item() == 0


def test_epochs_are_compared_by_fixed_weights():
    balance = LossBalance(WEIGHTS, "uncertainty")
    balance.calibrate(LOSSES)

    assert balance.fixed(LOSSES).item() == pytest.approx(40.01)


pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*")

DECAY = 0.4  # reached after six steps
STEADY = dataclasses.replace(TRAINING, epochs=5, batch_size=2, schedule="constant", ema_decay=DECAY)


class Watch(Callback):
    """Averages by hand, and keeps the average and the scores after each epoch."""

    def __init__(self):
        self.n_steps, self.average, self.epochs = 0, {}, []

    def on_train_start(self, trainer, pl_module):
        self.average = copy_of(pl_module.model)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.global_step == self.n_steps:
            return
        decay = min(DECAY, (1 + self.n_steps) / (10 + self.n_steps))
        self.n_steps = trainer.global_step
        for name, weight in copy_of(pl_module.model).items():
            self.average[name] = decay * self.average[name] + (1 - decay) * weight

    def on_train_epoch_end(self, trainer, pl_module):
        scores = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.epochs.append((dict(self.average), copy_of(pl_module.model), scores))


def copy_of(model):
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


@pytest.mark.parametrize("accumulated", [1, 2])
def test_the_average_by_hand_is_what_is_kept_and_judged(accumulated, tmp_path):
    watch = Watch()
    config = dataclasses.replace(STEADY, gradient_accumulation_steps=accumulated)

    module, summary, _ = run(tmp_path / "o", config, callbacks=[watch])

    average, _, scores = watch.epochs[summary.best_epoch - 1]
    assert watch.n_steps == summary.epochs * 2 / accumulated
    for name, weight in module.model.named_parameters():
        torch.testing.assert_close(weight.double(), average[name], rtol=0, atol=1e-6)
    assert summary.metrics["loss"] == pytest.approx(scores["validation/loss"], rel=1e-4)


def test_averaging_changes_no_step_but_what_is_kept(tmp_path):
    averaged, plain = Watch(), Watch()

    kept, _, _ = run(tmp_path / "a", STEADY, callbacks=[averaged])
    usual, _, _ = run(tmp_path / "b", dataclasses.replace(STEADY, ema_decay=None), callbacks=[plain])

    for (_, with_average, _), (_, without, _) in zip(averaged.epochs, plain.epochs, strict=True):
        torch.testing.assert_close(with_average, without, rtol=0, atol=0)
    assert averaged.epochs[0][2]["validation/loss"] != plain.epochs[0][2]["validation/loss"]
    assert any(not torch.equal(a, b) for a, b in zip(kept.model.parameters(), usual.model.parameters(), strict=True))


def test_weights_that_rest_are_not_averaged():
    model = nn.Linear(3, 2)
    model.bias.requires_grad_(False)

    average = WeightAverage(model, 0.9)

    assert list(average.weights_of(model)) == ["weight"]


def test_a_model_gets_its_weights_back():
    model = nn.Linear(3, 2)
    average = WeightAverage(model, 0.9)
    before = model.weight.data.clone()
    model.weight.data += 1
    own = model.weight.data.clone()

    with average.swapped_into(model):
        lent = model.weight.data.clone()

    assert torch.equal(lent, before)
    assert torch.equal(model.weight, own)
    assert torch.equal(average.weights_of(model)["weight"], before)
