"""A model that is trained long enough knows its samples by heart, and a loss that is no number stops the run."""

import lightning
import numpy as np
import pytest
import torch
from torchmetrics.functional import accuracy, r2_score

from aam.batch import TARGET
from aam.config.model import tiny
from aam.config.training import TrainingConfig
from aam.errors import AamError
from aam.models.build import build_encoder, build_predictor
from aam.objectives.target import ClassificationTarget, RegressionTarget
from aam.target_transform import TargetTransform
from aam.training.losses import calibrate_encoder, calibrate_head
from aam.training.module import TrainingModule
from helpers.studies import make_batch, make_study

AGES = np.array([3.0, 41.0, 17.0, 80.0, 25.0, 66.0, 9.0, 52.0])
CLASSES = np.array([0, 2, 1, 1, 0, 2, 2, 0])


def prepare(target, truth):
    """Give a batch of eight samples and a predictor calibrated on it."""
    batch = make_batch(make_study(n_samples=8), targets={TARGET: lambda packed: truth[packed.samples]})
    model = build_predictor(build_encoder(tiny(), []), target, [])
    calibrate_encoder(model.base_model, batch)
    calibrate_head(model, batch)
    return batch, TrainingModule(model.train(), {"target": 1.0}, TrainingConfig(), main="target")


def learn(module, batch, steps=120):
    optimizer = torch.optim.AdamW(module.model.parameters(), lr=4e-3)
    for _ in range(steps):
        _, losses = module._predict(batch)
        optimizer.zero_grad()
        losses["target"].backward()
        optimizer.step()
    module.model.eval()
    predictions, _ = module._predict(batch)
    return module.model.target.scored(predictions["target"].detach(), batch)


def test_eight_ages_are_learned_by_heart():
    batch, module = prepare(RegressionTarget(tiny(), "age", TargetTransform(AGES.mean(), AGES.std())), AGES)

    predicted, truth = learn(module, batch)

    assert r2_score(predicted, truth) > 0.99


def test_eight_classes_are_learned_by_heart():
    batch, module = prepare(ClassificationTarget(tiny(), "site", ["gut", "skin", "tongue"]), CLASSES)

    predicted, truth = learn(module, batch)

    assert accuracy(predicted, truth, task="multiclass", num_classes=3) == 1
    assert predicted.max(dim=1).values.min() > 0.9


def test_a_loss_that_is_no_number_stops_the_run():
    batch, module = prepare(
        RegressionTarget(tiny(), "age", TargetTransform(AGES.mean(), AGES.std())), np.full(8, np.nan)
    )

    module.trainer = lightning.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)

    with pytest.raises(AamError, match=r"became nan at step 0 \(epoch 1\)\..*--lr\b"):
        module.add_gradients(batch, torch.ones(()))
