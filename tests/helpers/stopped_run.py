"""A run of four training samples' batches an epoch, with dropout, rarefaction and augmentations, that can be stopped anywhere."""

import os
import signal

import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from aam.batch import TARGET
from aam.config.model import AugmentationConfig, ModelConfig
from aam.config.saving import SavingConfig
from aam.config.training import TrainingConfig
from aam.data.batching.augmentation import augmentations_of
from aam.data.batching.batch_composition import BySamples
from aam.data.batching.batches import BatchMaker, Drawing, EpochSampler, Masking, loader, plan_in_order
from aam.models.build import build_encoder, build_predictor
from aam.objectives.target import RegressionTarget
from aam.target_transform import TargetTransform
from aam.training.checkpoints import PROGRESS, Identity, Progress, read_checkpoint
from aam.training.fit import fit
from aam.training.module import TrainingModule
from aam.training.saving import SavingPlan
from helpers.studies import make_study

SHAPE = ModelConfig(embedding_dim=8, attention_heads=2, attention_layers=1, ffn_ratio=1.5, dropout=0.3, max_bp=11)
AGES = np.array([31.0, 40.0, 22.0, 75.0, 58.0, 64.0, 19.0, 48.0, 36.0, 27.0])
TRAINED, HELD = np.arange(7), np.array([7, 8, 9])  # four batches and two
CONFIG = TrainingConfig(epochs=3, batch_size=2, lr=1e-2, precision="32-true", seed=3)
AUGMENTATION = AugmentationConfig(asv_dropout=0.3, abundance_noise=0.3, nucleotide_substitution=0.1)
IDENTITY = Identity({"lr": 0.01}, {}, "study")


class StopAt(Callback):
    """Sends a signal to this process, or fails, while a batch is trained on or validated."""

    def __init__(self, epoch, batch, sent=signal.SIGTERM, is_validation=False):
        self.place, self.sent, self.is_validation = (epoch, batch), sent, is_validation

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if not self.is_validation and (trainer.current_epoch, batch_idx) == self.place:
            self.stop()

    def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        if self.is_validation and (trainer.current_epoch, batch_idx) == self.place:
            self.stop()

    def stop(self):
        if self.sent is None:
            raise ZeroDivisionError
        os.kill(os.getpid(), self.sent)


def run(folder, config=CONFIG, saving=None, stop=None):
    """Train, from where the folder's checkpoint is if there is one."""
    torch.manual_seed(4)
    study = make_study(n_samples=10)
    masking = Masking(count_mask_ratio=0.3)
    targets = {TARGET: lambda packed: AGES[packed.samples]}
    maker = BatchMaker(study, Drawing(60, 1024, 3), masking, targets, augmentations_of(AUGMENTATION))
    model = build_predictor(
        build_encoder(SHAPE, []), RegressionTarget(SHAPE, "age", TargetTransform(44.0, 20.0)), ["counts"]
    )
    module = TrainingModule(model, {"target": 1.0, "counts": 0.5}, config, main="target")
    sampler = EpochSampler(TRAINED, BySamples(2), 3, study.digest(), n_epochs=config.epochs)
    n_workers = config.num_workers or 0
    train, validation = loader(maker, sampler, n_workers), loader(maker, plan_in_order(HELD, 2), n_workers)
    last = folder / "checkpoints/last.ckpt"
    progress = Progress(**read_checkpoint(last)[PROGRESS]) if last.exists() else None
    plan = SavingPlan(IDENTITY, saving or SavingConfig(), progress)
    folder.mkdir(exist_ok=True)
    return module, fit(module, (train, validation), folder, config, [] if stop is None else [stop], plan)


def in_order_of_writing(folder):
    """Rename event files, which TensorBoard reads in the order of their names.

    Those are of seconds and a counter without leading zeros: files 9 and 10 of one process and second would be read in the wrong
    order. Runs that are continued by another process never are that quick.
    """
    files = sorted(folder.glob("*tfevents*"), key=lambda file: file.stat().st_mtime_ns)
    for number, file in enumerate(files):
        file.rename(folder / f"{number:03}.tfevents")


def curves(folder):
    """Give each curve's (step, value) pairs, as TensorBoard shows them."""
    found = {}
    for name in ("train", "validation"):
        in_order_of_writing(folder / "tensorboard" / name)
        events = EventAccumulator(str(folder / "tensorboard" / name)).Reload()
        for tag in events.Tags()["scalars"]:
            found[f"{name}/{tag}"] = [(event.step, event.value) for event in events.Scalars(tag)]
    return found


def assert_same(first, second, folders=()):
    assert first[1] == second[1]
    for name, value in first[0].state_dict().items():
        assert torch.equal(value, second[0].state_dict()[name]), name
    if folders:
        states = [torch.load(folder / "checkpoints/last.ckpt", weights_only=True) for folder in folders]
        for key in ("state_dict", "optimizer_states", "lr_schedulers", "callbacks", "loops", "progress"):
            torch.testing.assert_close(states[0][key], states[1][key], rtol=0, atol=0)
        assert curves(folders[0]) == curves(folders[1])


def steps_saved(folder):
    return read_checkpoint(folder / "checkpoints/last.ckpt")[PROGRESS]
