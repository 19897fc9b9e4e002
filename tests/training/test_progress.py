"""Bars where somebody watches and lines elsewhere; TensorBoard shows training and validation with the same tags."""

import io
import sys

import lightning
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.data import DataLoader

from aam.training.progress import EpochBar, EpochLines, OverlaidTensorBoard, progress

LOSSES = [[4.0, 2.0], [3.0, 1.0], [2.0, 0.5]]

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*LeafSpec.*", "ignore:.*num_workers.*", "ignore:.*does not have many workers.*"
)


class Scripted(lightning.LightningModule):
    """Has the losses that `LOSSES` says, and half of them in validation."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def training_step(self, batch, batch_idx):
        loss = self.weight * 0 + LOSSES[self.current_epoch][batch_idx]
        self.log("train/loss", loss, prog_bar=True, on_step=False, on_epoch=True, batch_size=1)
        self.log("train/hidden", loss, on_step=False, on_epoch=True, batch_size=1)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("validation/loss", LOSSES[self.current_epoch][batch_idx] / 2, prog_bar=True, batch_size=1)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


class Steady(lightning.LightningModule):
    """Takes as many seconds of a clock per batch as it is told."""

    def __init__(self, clock, seconds):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.clock, self.seconds = clock, seconds

    def training_step(self, batch, batch_idx):
        self.clock.now += self.seconds
        return self.weight * 0

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def lines_of(seconds_per_batch, n_batches, n_epochs, tmp_path):
    """Train by a clock, and give the lines with the seconds at which they were logged."""
    clock, lines = Clock(), []
    module = Steady(clock, seconds_per_batch)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "aam.training.progress.logger.info", lambda text, *values: lines.append((clock.now - 1000, text % values))
        )
        lightning.Trainer(
            accelerator="cpu", max_epochs=n_epochs, callbacks=[EpochLines(clock)], logger=False,
            enable_checkpointing=False, enable_model_summary=False, default_root_dir=tmp_path,
        ).fit(module, DataLoader(list(range(n_batches)), batch_size=1))  # fmt: skip
    return lines


def fit(callback, tmp_path):
    lightning.Trainer(
        accelerator="cpu", max_epochs=3, callbacks=[callback], logger=False, enable_checkpointing=False,
        enable_model_summary=False, num_sanity_val_steps=0, default_root_dir=tmp_path,
    ).fit(Scripted(), DataLoader([0, 1], batch_size=1), DataLoader([0, 1], batch_size=1))  # fmt: skip


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("stream", "kind"), [(Terminal(), EpochBar), (io.StringIO(), EpochLines)])
def test_a_terminal_gets_a_bar_and_a_file_gets_lines(stream, kind, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream)

    assert isinstance(progress(), kind)


def test_every_epoch_is_one_line_with_its_own_means(tmp_path, caplog):
    with caplog.at_level("INFO", logger="aam"):
        fit(EpochLines(), tmp_path)

    lines = [record.getMessage() for record in caplog.records if record.name == "aam.training.progress"]
    assert [line.split(":")[0] for line in lines] == [f"Epoch {epoch} of at most 3" for epoch in (1, 2, 3)]
    for line, losses in zip(lines, LOSSES, strict=True):
        shown = dict(part.rsplit(" ", 1) for part in line.partition(": ")[2].split(", "))
        assert {name: float(value) for name, value in shown.items()} == {
            "train/loss": sum(losses) / 2, "validation/loss": sum(losses) / 4
        }  # fmt: skip


def test_a_long_epoch_tells_where_it_is_once_a_minute(tmp_path):
    lines = lines_of(7.0, 50, 1, tmp_path)

    assert lines[:-1] == [
        (21.0, "Epoch 1: batch 3 of 50, about 5 min left in this epoch."),
        (84.0, "Epoch 1: batch 12 of 50, about 4 min left in this epoch."),
        (147.0, "Epoch 1: batch 21 of 50, about 3 min left in this epoch."),
        (210.0, "Epoch 1: batch 30 of 50, about 2 min left in this epoch."),
        (273.0, "Epoch 1: batch 39 of 50, about 1 min left in this epoch."),
        (336.0, "Epoch 1: batch 48 of 50, less than a minute left in this epoch."),
    ]
    assert lines[-1] == (350.0, "Epoch 1 of at most 1: ")


def test_epochs_shorter_than_a_minute_are_told_by_their_own_line_alone(tmp_path):
    lines = lines_of(2.0, 15, 4, tmp_path)

    assert [second for second, _ in lines] == [20.0, 30.0, 60.0, 90.0, 120.0]
    assert [text for _, text in lines if "batch" in text] == [
        "Epoch 1: batch 10 of 15, less than a minute left in this epoch."
    ]


def test_lines_write_nothing_to_the_terminal(tmp_path, capsys):
    fit(EpochLines(), tmp_path)

    assert "it/s" not in "".join(capsys.readouterr())


def test_a_bar_shows_losses_and_no_bar_of_validation(tmp_path, capsys):
    fit(EpochBar(), tmp_path)

    shown = "".join(capsys.readouterr())
    assert "Epoch 2: 100%" in shown
    assert "train/loss" in shown
    assert "train/hidden" not in shown
    assert "v_num" not in shown
    assert "Validation" not in shown


@pytest.fixture
def tensorboard(tmp_path):
    logger = OverlaidTensorBoard(tmp_path / "tensorboard")
    yield logger
    logger.finalize("success")


def read(folder):
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def curves(folder):
    """Give what TensorBoard would draw of a run: (step, value) of each tag."""
    events = read(folder)
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_training_and_validation_curves_lie_over_each_other(tensorboard, tmp_path):
    tensorboard.log_metrics({"train/loss": 3.0, "validation/loss": 4.0, "train/learning_rate": 0.5}, step=1)
    tensorboard.log_metrics({"train/loss": 2.0}, step=2)
    tensorboard.finalize("success")

    assert curves(tmp_path / "tensorboard/train") == {"loss": [(1, 3.0), (2, 2.0)], "learning_rate": [(1, 0.5)]}
    assert curves(tmp_path / "tensorboard/validation") == {"loss": [(1, 4.0)]}


def test_the_trainers_own_bookkeeping_is_left_out(tensorboard, tmp_path):
    tensorboard.log_metrics({"epoch": 3.0, "validation_loss": 1.0, "test/loss": 2.0}, step=1)
    tensorboard.finalize("success")

    assert curves(tmp_path / "tensorboard/train") == curves(tmp_path / "tensorboard/validation") == {}
    assert {item.name for item in (tmp_path / "tensorboard").iterdir()} == {"train", "validation"}


def test_a_picture_is_shown_with_the_validation_samples(tensorboard, tmp_path):
    figure = Figure(figsize=(2, 1), dpi=50)
    figure.add_subplot().plot(np.arange(3))

    tensorboard.log_figure("target", figure, step=7)
    tensorboard.finalize("success")

    (image,) = read(tmp_path / "tensorboard/validation").Images("target")
    assert (image.step, image.width, image.height) == (7, 100, 50)
    assert image.encoded_image_string.startswith(b"\x89PNG")


def test_hyperparameters_are_not_logged_twice(tensorboard, tmp_path):
    tensorboard.log_hyperparams({"lr": 0.1})
    tensorboard.finalize("success")

    assert curves(tmp_path / "tensorboard/train") == {}
    assert (tensorboard.name, tensorboard.version) == ("tensorboard", "")
