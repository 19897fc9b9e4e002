"""A training run: it ends with its best epoch, stops early, and leaves its files."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import LambdaCallback
from torch.nn import functional as F

from aam.batch import TARGET
from aam.config.model import ModelConfig
from aam.config.training import TrainingConfig, TransferConfig
from aam.data.batch_composition import BySamples
from aam.data.batches import BatchMaker, Drawing, EpochSampler, loader, plan_in_order
from aam.models.build import build_encoder, build_predictor
from aam.objectives.target import RegressionTarget
from aam.target_transform import TargetTransform
from aam.training.fit import WRITTEN, fit
from aam.training.losses import calibrate_encoder, calibrate_head
from aam.training.module import TrainingModule
from aam.training.nonfinite import REPORT
from conftest import make_study

PRETRAINED = Path("pretrained")  # is not read here
SHAPE = ModelConfig(embedding_dim=8, attention_heads=2, attention_layers=1, ffn_ratio=1.5, dropout=0.0, max_bp=11)
AGES = np.array([31.0, 40.0, 22.0, 75.0, 58.0, 64.0, 19.0])
TRAINED, HELD = np.array([0, 1, 3, 5]), np.array([2, 4, 6])
CONFIG = TrainingConfig(epochs=3, batch_size=4, lr=1e-2, precision="64-true", warmup_fraction=0.0)

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*")


def run(folder, config=CONFIG, transfer=None, callbacks=()):
    """Fit a regression of four samples, watched on three others."""
    torch.manual_seed(4)
    study = make_study(n_samples=7)
    maker = BatchMaker(study, Drawing(None, 1024, 0), targets={TARGET: lambda packed: AGES[packed.samples]})
    model = build_predictor(build_encoder(SHAPE, []), RegressionTarget(SHAPE, "age", TargetTransform(44.0, 20.0)), [])
    validation = loader(maker, plan_in_order(HELD, 2))
    (some,) = loader(maker, plan_in_order(TRAINED, 4))
    calibrate_encoder(model.base_model, some)
    calibrate_head(model, some)
    module = TrainingModule(model, {"target": 1.0}, config, main="target", transfer=transfer)
    train = loader(maker, EpochSampler(TRAINED, BySamples(config.batch_size), 0, study.digest()))
    folder.mkdir()
    return module, fit(module, (train, validation), folder, config, callbacks), validation


def weights(module):
    return {name: value.double() for name, value in module.model.state_dict().items()}


def test_the_weights_and_metrics_are_those_of_the_best_epoch(tmp_path):
    module, summary, validation = run(tmp_path / "o", dataclasses.replace(CONFIG, epochs=12, lr=0.1))

    best = torch.load(tmp_path / "o/checkpoints/best.ckpt", weights_only=True)
    assert summary.best_epoch - 1 == best["epoch"] < summary.epochs - 1  # it got worse again
    assert all(torch.equal(value, best["state_dict"][name].float()) for name, value in module.state_dict().items())
    losses = []
    with torch.no_grad():
        for batch in validation:
            z = module.model.double().eval().target(module.model(batch), batch)[:, 0]
            losses.append(F.huber_loss(z, (batch.targets[TARGET] - 44) / 20, reduction="none"))
    assert summary.metrics["loss"] == pytest.approx(torch.cat(losses).mean().item(), rel=1e-5)
    assert summary.metrics["loss"] == summary.metrics["target_loss"]


def test_training_stops_after_the_patience(tmp_path):
    _, summary, _ = run(tmp_path / "o", dataclasses.replace(CONFIG, epochs=60, lr=0.1, patience=2))

    assert summary.epochs == summary.best_epoch + 2


def test_accumulated_batches_learn_what_one_large_batch_does(tmp_path):
    large, _, _ = run(tmp_path / "a")
    halves, _, _ = run(tmp_path / "b", dataclasses.replace(CONFIG, batch_size=2, gradient_accumulation_steps=2))

    for name, value in weights(large).items():
        torch.testing.assert_close(weights(halves)[name], value, rtol=0, atol=1e-7)


def test_a_run_leaves_its_files_and_nothing_elsewhere(tmp_path, monkeypatch):
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")

    run(tmp_path / "o")

    assert {item.name for item in (tmp_path / "o").iterdir()} == set(WRITTEN) - {REPORT}
    assert {item.name for item in (tmp_path / "o/checkpoints").iterdir()} == {"best.ckpt"}
    assert list((tmp_path / "cwd").iterdir()) == []


def test_two_runs_are_the_same_to_the_last_bit(tmp_path):
    first, second = (run(tmp_path / name) for name in "ab")

    assert first[1] == second[1]
    assert all(torch.equal(value, weights(second[0])[name]) for name, value in weights(first[0]).items())


@pytest.mark.parametrize("precision", ["32-true", "64-true", "bf16-mixed"])
def test_every_precision_trains_and_leaves_single_precision_weights(precision, tmp_path):
    module, summary, _ = run(tmp_path / "o", dataclasses.replace(CONFIG, precision=precision))

    assert np.isfinite(summary.metrics["loss"])
    assert {value.dtype for value in module.model.state_dict().values()} == {torch.float32}


def test_double_precision_is_double(tmp_path):
    run(tmp_path / "o")

    saved = torch.load(tmp_path / "o/checkpoints/best.ckpt", weights_only=True)
    assert {value.dtype for name, value in saved["state_dict"].items() if name.startswith("model.")} == {torch.float64}


def test_blocks_move_only_from_the_epoch_on_that_unfreezes_them(tmp_path):
    config = dataclasses.replace(CONFIG, epochs=2)
    upper, _, _ = run(tmp_path / "a", config, TransferConfig(pretrained=PRETRAINED, unfreeze_epochs=1))
    heads, _, _ = run(tmp_path / "b", config, TransferConfig(pretrained=PRETRAINED, unfreeze_epochs=2))

    moved = {name for name, value in weights(upper).items() if not torch.equal(value, weights(heads)[name])}

    assert any(name.startswith("base_model.encoder.blocks") for name in moved)
    assert not any(name.startswith(("base_model.asv_encoder", "base_model.sample_encoder")) for name in moved)


def test_a_plateau_halves_the_rate(tmp_path):
    config = dataclasses.replace(CONFIG, epochs=8, lr=1e-6, schedule="plateau", plateau_epochs=2, patience=8)

    rates = []
    noting = LambdaCallback(
        on_train_epoch_end=lambda trainer, _: rates.append(trainer.optimizers[0].param_groups[0]["lr"])
    )

    run(tmp_path / "o", config, callbacks=[noting])

    assert rates[0] == 1e-6
    assert rates[-1] <= 0.25e-6  # hardly anything is learned at such a rate


def test_the_rate_found_is_used_drawn_and_leaves_the_weights_alone(tmp_path):
    module, _, _ = run(tmp_path / "a", dataclasses.replace(CONFIG, epochs=1, find_lr=True, lr=TrainingConfig.lr))

    rate = module.training_config.lr
    assert 1e-6 < rate < 1
    assert (tmp_path / "a/plots/find_lr.png").stat().st_size > 1000
    named, _, _ = run(tmp_path / "b", dataclasses.replace(CONFIG, epochs=1, lr=rate))
    for name, value in weights(named).items():
        assert torch.equal(weights(module)[name], value)
