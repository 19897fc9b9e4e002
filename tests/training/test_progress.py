"""Where somebody watches there is a bar; elsewhere there is a line per epoch."""

import io
import sys

import lightning
import pytest
import torch
from torch.utils.data import DataLoader

from aam.training.progress import EpochBar, EpochLines, progress

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
