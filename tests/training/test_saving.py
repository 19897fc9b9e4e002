"""A run that was stopped anywhere and continued ends as one that never stopped, to the bit."""

import dataclasses
import errno
import os
import signal

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from aam.config.augmentation import AugmentationConfig
from aam.config.model import ModelConfig
from aam.config.saving import SavingConfig
from aam.config.training import TrainingConfig
from aam.data.augmentations.augmenter import augmentations_of
from aam.data.batches import BatchMaker, Drawing, EpochSampler, Masking, loader, plan_in_order
from aam.data.composition import BySamples
from aam.errors import Stopped
from aam.models.build import build_encoder, build_predictor
from aam.objectives.target import TARGET, RegressionTarget
from aam.training.checkpoints import PROGRESS, Identity, Progress, read_checkpoint, write_checkpoint
from aam.training.fit import fit
from aam.training.module import TrainingModule
from aam.training.saving import SavingPlan
from aam.training.stop_signals import HEARD, StopSignals, earlier_handlers, requeue
from conftest import make_study

SHAPE = ModelConfig(embedding_dim=8, attention_heads=2, attention_layers=1, ffn_ratio=1.5, dropout=0.3, max_bp=11)
AGES = np.array([31.0, 40.0, 22.0, 75.0, 58.0, 64.0, 19.0, 48.0, 36.0, 27.0])
TRAINED, HELD = np.arange(7), np.array([7, 8, 9])  # four batches and two
CONFIG = TrainingConfig(epochs=3, batch_size=2, lr=1e-2, precision="32-true", seed=3)
AUGMENTATION = AugmentationConfig(asv_dropout=0.3, abundance_noise=0.3, nucleotide_substitution=0.1)
IDENTITY = Identity({"lr": 0.01}, {}, "study")

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*")


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
    model = build_predictor(build_encoder(SHAPE, []), RegressionTarget(SHAPE, "age", 44.0, 20.0), ["counts"])
    module = TrainingModule(model, {"target": 1.0, "counts": 0.5}, config, main="target")
    sampler = EpochSampler(TRAINED, BySamples(2), np.ones(10), 3, study.digest(), n_epochs=config.epochs)
    n_workers = config.num_workers or 0
    train, validation = loader(maker, sampler, n_workers), loader(maker, plan_in_order(HELD, 2), n_workers)
    last = folder / "checkpoints/last.ckpt"
    progress = Progress(**read_checkpoint(last)[PROGRESS]) if last.exists() else None
    plan = SavingPlan(IDENTITY, saving or SavingConfig(), progress)
    folder.mkdir(exist_ok=True)
    return module, fit(module, train, validation, folder, config, [] if stop is None else [stop], plan)


def curves(folder):
    """Give each curve's (step, value) pairs, as TensorBoard shows them."""
    found = {}
    for name in ("train", "validation"):
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


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """Give a function that trains without a stop, once for each number of accumulated batches."""
    known = {}

    def of(config):
        accumulated = config.gradient_accumulation_steps
        if accumulated not in known:
            torch.set_num_threads(1)
            folder = tmp_path_factory.mktemp("whole") / "o"
            known[accumulated] = (*run(folder, config), folder)
        return known[accumulated]

    return of


@pytest.mark.parametrize(
    ("accumulated", "n_workers", "stop", "saved"),
    [
        (1, 0, StopAt(0, 0), Progress(0, 1, 1)),
        (1, 1, StopAt(1, 1), Progress(1, 2, 6)),
        (1, 0, StopAt(1, 3), Progress(1, 4, 8)),  # before validation
        (1, 0, StopAt(1, 1, is_validation=True), Progress(1, 4, 8)),
        (3, 0, StopAt(1, 0), Progress(1, 3, 3)),  # after the gradients of three batches
        (3, 1, StopAt(1, 3), Progress(1, 4, 4)),  # the last batch is a step of its own
    ],
)
def test_a_run_that_a_signal_stopped_goes_on_as_if_it_had_not(
    accumulated, n_workers, stop, saved, uninterrupted, tmp_path
):
    config = dataclasses.replace(CONFIG, gradient_accumulation_steps=accumulated, num_workers=n_workers)
    with pytest.raises(Stopped) as stopped:
        run(tmp_path / "o", config, stop=stop)
    assert stopped.value.number == signal.SIGTERM
    assert steps_saved(tmp_path / "o") == dataclasses.asdict(saved)

    continued = run(tmp_path / "o", config)

    *whole, folder = uninterrupted(config)
    assert_same(whole, continued, (folder, tmp_path / "o"))


def test_a_run_that_crashed_goes_on_from_where_it_was_saved_and_may_crash_again(uninterrupted, tmp_path):
    often = SavingConfig(checkpoint_steps=2)
    for stop, saved in ((StopAt(0, 2, None), Progress(0, 2, 2)), (StopAt(1, 1, None), Progress(1, 0, 4))):
        with pytest.raises(ZeroDivisionError):
            run(tmp_path / "o", CONFIG, often, stop)
        assert steps_saved(tmp_path / "o") == dataclasses.asdict(saved)

    continued = run(tmp_path / "o")

    *whole, folder = uninterrupted(CONFIG)
    assert_same(whole, continued, (folder, tmp_path / "o"))


def test_a_run_is_saved_when_the_minutes_have_passed(tmp_path):
    with pytest.raises(ZeroDivisionError):
        run(tmp_path / "o", CONFIG, SavingConfig(checkpoint_minutes=1e-9), StopAt(0, 2, None))

    assert steps_saved(tmp_path / "o") == dataclasses.asdict(Progress(0, 2, 2))


def test_what_is_trained_to_its_end_is_not_trained_again(uninterrupted, tmp_path):
    *whole, folder = uninterrupted(CONFIG)

    again = run(folder, stop=StopAt(0, 0, None))

    assert_same(whole, again)


def test_a_run_that_stopped_early_is_at_its_end(tmp_path):
    config = dataclasses.replace(CONFIG, epochs=20, lr=0.5, patience=1)
    whole = run(tmp_path / "o", config)

    again = run(tmp_path / "o", config, stop=StopAt(0, 0, None))

    assert whole[1].epochs < 20
    assert_same(whole, again)


def test_checkpoints_that_cannot_be_written_are_warned_about_and_change_no_result(
    uninterrupted, tmp_path, caplog, monkeypatch
):
    def full(path, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("aam.training.saving.write_checkpoint", full)

    lossy = run(tmp_path / "o")

    assert_same(uninterrupted(CONFIG)[:2], lossy)
    assert list((tmp_path / "o").glob("checkpoints/*")) == []
    assert "best.ckpt could not be saved, there is none before it: [Errno 28] No space left" in caplog.text


def test_no_checkpoint_tells_of_better_weights_than_are_on_disk(uninterrupted, tmp_path, monkeypatch):
    def no_best(path, content):
        if path.name == "best.ckpt":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_checkpoint(path, content)

    monkeypatch.setattr("aam.training.saving.write_checkpoint", no_best)

    lossy = run(tmp_path / "o")

    assert_same(uninterrupted(CONFIG)[:2], lossy)
    assert list((tmp_path / "o").glob("checkpoints/*")) == []


def test_a_tensorboard_that_cannot_be_written_is_warned_about_once(uninterrupted, tmp_path, caplog):
    (tmp_path / "o").mkdir()
    (tmp_path / "o/tensorboard").write_text("in the way")

    without = run(tmp_path / "o")

    assert_same(uninterrupted(CONFIG)[:2], without)
    assert caplog.text.count("Training goes on without curves") == 1


def test_pictures_that_cannot_be_drawn_are_warned_about(uninterrupted, tmp_path, caplog):
    (tmp_path / "o").mkdir()
    (tmp_path / "o/plots").write_text("in the way")

    without = run(tmp_path / "o")

    assert_same(uninterrupted(CONFIG)[:2], without)
    assert "Training goes on without it" in caplog.text


def test_what_a_killed_writer_left_is_removed_and_nothing_else(tmp_path):
    folder = tmp_path / "o/checkpoints"
    folder.mkdir(parents=True)
    for name in (".last-0123abcd.ckpt", ".best-0123abcd.ckpt", "mine.ckpt", ".last-of-mine.ckpt"):
        (folder / name).touch()

    run(tmp_path / "o", dataclasses.replace(CONFIG, epochs=1))

    assert {path.name for path in folder.iterdir()} == {"best.ckpt", "last.ckpt", "mine.ckpt", ".last-of-mine.ckpt"}


def test_a_second_ctrl_c_stops_at_once_and_handlers_are_put_back():
    handlers = [signal.getsignal(number) for number in HEARD]

    with earlier_handlers():
        signals = StopSignals()
        signals.listen()
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)

    assert signals.received == signal.SIGINT
    assert [signal.getsignal(number) for number in HEARD] == handlers


def test_under_slurm_the_job_is_put_back_into_the_queue(tmp_path, monkeypatch):
    (tmp_path / "scontrol").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n')
    (tmp_path / "scontrol").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "77")

    with pytest.raises(Stopped) as stopped:
        run(tmp_path / "o", stop=StopAt(0, 1, signal.SIGUSR1))

    assert stopped.value.number == signal.SIGUSR1
    assert (tmp_path / "asked").read_text() == "requeue 77\n"


def test_a_job_that_cannot_be_put_back_is_warned_about(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SLURM_JOB_ID", "77")

    requeue()

    assert "Job 77 could not be put back into SLURM's queue: " in caplog.text
