"""A regression of four samples, watched on three others, that takes a second."""

import numpy as np
import torch

from aam.batch import TARGET
from aam.config.model import ModelConfig
from aam.config.training import TrainingConfig
from aam.data.batching.batch_composition import BySamples
from aam.data.batching.batches import BatchMaker, Drawing, EpochSampler, loader, plan_in_order
from aam.models.build import build_encoder, build_predictor
from aam.objectives.target import RegressionTarget
from aam.target_transform import TargetTransform
from aam.training.fit import fit
from aam.training.losses import calibrate_encoder, calibrate_head
from aam.training.module import TrainingModule
from helpers.studies import make_study

SHAPE = ModelConfig(embedding_dim=8, attention_heads=2, attention_layers=1, ffn_ratio=1.5, dropout=0.0, max_bp=11)
AGES = np.array([31.0, 40.0, 22.0, 75.0, 58.0, 64.0, 19.0])
TRAINED, HELD = np.array([0, 1, 3, 5]), np.array([2, 4, 6])
CONFIG = TrainingConfig(epochs=3, batch_size=4, lr=1e-2, precision="64-true", warmup_fraction=0.0)


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
