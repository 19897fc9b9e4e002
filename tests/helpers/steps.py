"""Steps on nine samples in three batches, and the gradients of each."""

import numpy as np
import torch
from lightning.pytorch.callbacks import Callback

from aam.batch import TARGET
from aam.config.model import ModelConfig
from aam.config.training import TrainingConfig
from aam.data.batching.batch_composition import BySamples
from aam.data.batching.batches import BatchMaker, Drawing, EpochSampler, loader, plan_in_order
from aam.models.build import build_encoder, build_predictor
from aam.objectives.target import RegressionTarget
from aam.target_transform import TargetTransform
from aam.training.fit import fit
from aam.training.module import TrainingModule
from helpers.studies import make_study

SHAPE = ModelConfig(embedding_dim=8, attention_heads=2, attention_layers=1, ffn_ratio=1.5, dropout=0.0, max_bp=11)
AGES = np.array([31.0, 40.0, 22.0, 75.0, 58.0, 64.0, 19.0, 48.0, 36.0, 27.0, 52.0])
TRAINED, HELD = np.arange(9), np.array([9, 10])  # three batches
CONFIG = TrainingConfig(epochs=2, batch_size=3, lr=1e-2, precision="64-true", warmup_fraction=0.0)


class Gradients(Callback):
    """Keeps the gradients of each step of the optimiser."""

    def __init__(self):
        self.steps = []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        named = pl_module.model.named_parameters()
        self.steps.append({name: weight.grad.clone() for name, weight in named if weight.grad is not None})


def plan(config=CONFIG, shape=SHAPE, distance=None):
    """Plan a regression, or the learning of a distance."""
    torch.manual_seed(4)
    study = make_study(n_samples=11)
    if distance is None:
        targets = {TARGET: lambda packed: AGES[packed.samples]}
        head = RegressionTarget(shape, "age", TargetTransform(44.0, 20.0))
        module = TrainingModule(
            build_predictor(build_encoder(shape, []), head, []), {"target": 1.0}, config, main="target"
        )
    else:
        targets = {"bray-curtis": distance}
        module = TrainingModule(build_encoder(shape, ["bray-curtis"]), {"bray-curtis": 1.0}, config)
    maker = BatchMaker(study, Drawing(None, 1024, 0), targets=targets)
    sampler = EpochSampler(TRAINED, BySamples(3), 0, study.digest())
    return module, (loader(maker, sampler), loader(maker, plan_in_order(HELD, 2)))


def run(folder, *callbacks, config=CONFIG, saving=None, **kind):
    """Fit, and give the module, the gradients of each step, and the summary."""
    folder.mkdir(exist_ok=True)
    (module, loaders), gradients = plan(config, **kind), Gradients()
    summary = fit(module, loaders, folder, config, [gradients, *callbacks], saving)
    return module, gradients.steps, summary
