"""A loss that is not finite stops the run, with all that is needed to look into it."""

import json
import re

import pytest
import torch
from lightning.pytorch.callbacks import Callback

from aam.config.saving import SavingConfig
from aam.training.nonfinite import NonFiniteLossError
from helpers.stopped_run import CONFIG, assert_same, run, steps_saved

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*")

OFTEN = SavingConfig(checkpoint_steps=1)


class Spoil(Callback):
    """Makes something not finite when the third batch has been trained on."""

    def __init__(self, spoil):
        self.spoil = spoil

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if batch_idx == 2:
            self.spoil(pl_module.model)


def spoil_weight(model):
    with torch.no_grad():
        model.base_model.sample_encoder.counts.hidden.fill_(float("nan"))


def spoil_output(model):
    model.target.register_forward_hook(lambda *_: torch.full((2, 1), float("inf")))


@pytest.mark.parametrize(
    ("spoil", "where"), [(spoil_weight, "weights, "), (spoil_output, r"the output of \S*target\.")]
)
def test_the_batch_and_the_place_are_written_down(spoil, where, tmp_path):
    with pytest.raises(NonFiniteLossError, match=r"became (nan|inf) at step 3 \(epoch 1\)") as failure:
        run(tmp_path / "o", CONFIG, OFTEN, Spoil(spoil))

    report = json.loads((tmp_path / "o/nonfinite-batch.json").read_text())
    assert re.search(f"Not finite: {where}", str(failure.value))
    assert {name: report[name] for name in ("epoch", "batch", "step", "seed")} == {
        "epoch": 0, "batch": 3, "step": 3, "seed": 3,
    }  # fmt: skip
    assert set(report["samples"]) < {f"S{row}" for row in range(7)}
    assert any(value in ("nan", "inf") for value in report["losses"].values())


def test_the_last_good_checkpoint_is_kept_and_can_be_continued(tmp_path):
    whole = run(tmp_path / "whole")
    with pytest.raises(NonFiniteLossError):
        run(tmp_path / "o", CONFIG, OFTEN, Spoil(spoil_weight))
    assert steps_saved(tmp_path / "o")["steps"] == 2

    assert_same(whole, run(tmp_path / "o"))


def test_a_report_that_cannot_be_written_hides_no_error(tmp_path, caplog):
    (tmp_path / "o/nonfinite-batch.json").mkdir(parents=True)

    with pytest.raises(NonFiniteLossError, match=r"smaller --lr\b"):
        run(tmp_path / "o", CONFIG, None, Spoil(spoil_output))

    assert "nonfinite-batch.json cannot be written" in caplog.text
