"""The average of the weights: what it is by hand, and that it is what is judged and kept, and changes no step."""

import dataclasses

import pytest
import torch
from lightning.pytorch.callbacks import Callback
from test_fit import CONFIG, run
from torch import nn

from aam.training.losses import WeightAverage

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*")

DECAY = 0.4  # reached after six steps
STEADY = dataclasses.replace(CONFIG, epochs=5, batch_size=2, schedule="constant", ema_decay=DECAY)


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
