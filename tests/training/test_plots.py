"""Pictures follow the best epoch, and are bounded in what they hold."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from aam.config.model import ModelConfig
from aam.models.build import build_encoder, build_predictor
from aam.objectives.objective import ValidationSummary
from aam.objectives.target import ClassificationTarget, RegressionTarget
from aam.target_transform import TargetTransform
from aam.training.best_epoch import Criterion
from aam.training.plots import ValidationPlots
from aam.training.progress import OverlaidTensorBoard

CONFIG = ModelConfig(embedding_dim=8, attention_heads=2, attention_layers=1, max_bp=5)


class Run:
    """A trainer and its module as far as the callback looks at them."""

    def __init__(self, callback):
        base = build_encoder(CONFIG, ["distance", "nucleotides"])
        self.model = build_predictor(base, RegressionTarget(CONFIG, "age", TargetTransform(0.0, 1.0)), [])
        self.callback, self.callback_metrics = callback, {}
        self.sanity_checking, self.global_step, self.current_epoch = False, 0, -1
        self.criterion = Criterion("loss", is_higher_better=False)
        self.overall = {}

    def validate(self, loss, *batches):
        """Go through one validation epoch."""
        self.global_step += 10
        self.current_epoch += 1
        self.overall = {
            name: ValidationSummary(4321, {"r2": torch.tensor(0.25)}) for name in ("target", "distance", "nucleotides")
        }
        self.callback_metrics["validation/loss"] = torch.tensor(loss)
        self.callback.on_validation_epoch_start(self, self)
        for number, outputs in enumerate(batches):
            self.callback.on_validation_batch_end(self, self, outputs, None, number)
        self.callback.on_validation_end(self, self)


@pytest.fixture
def tensorboard(tmp_path):
    logger = OverlaidTensorBoard(tmp_path / "tensorboard")
    yield logger
    logger.finalize("success")


@pytest.fixture
def run(tmp_path, tensorboard):
    return Run(ValidationPlots(tmp_path / "plots", tensorboard, most_points=50, seed=0))


def points(n, seed=0):
    stream = np.random.default_rng(seed)
    return {"target": (torch.tensor(stream.normal(size=n)), torch.tensor(stream.normal(size=n)))}


def steps(folder):
    events = EventAccumulator(str(folder / "tensorboard/validation"))
    events.Reload()
    return [image.step for image in events.Images("target")]


def test_a_picture_is_drawn_when_validation_is_better_than_ever_before(run, tmp_path):
    pictures = []
    for seed, loss in enumerate([3.0, 2.0, 2.0, 2.5, float("nan"), 1.0]):
        run.validate(loss, points(4, seed))
        pictures.append((tmp_path / "plots/target.png").read_bytes())

    is_new = [first != second for first, second in pairwise(pictures)]
    assert is_new == [True, False, False, False, True]
    run.callback.tensorboard.finalize("success")
    assert steps(tmp_path) == [9, 19, 59]


def test_the_check_before_training_draws_nothing(run, tmp_path):
    run.sanity_checking = True

    run.validate(1.0, points(4))

    assert not (tmp_path / "plots").exists()
    assert run.callback.best == float("inf")


def test_all_batches_of_the_epoch_and_none_of_the_last_are_in_the_picture(run, monkeypatch):
    seen = []
    monkeypatch.setattr(
        type(run.model.target), "draw", lambda self, prediction, truth, overall: seen.append((prediction, truth))
    )
    first, second, third = points(3, 1), points(2, 2), points(4, 3)

    run.validate(2.0, first, second)
    run.validate(1.0, third)

    expected = [torch.cat([first["target"][i], second["target"][i]]) for i in (0, 1)]
    assert [torch.equal(a, b) for a, b in zip(seen[0], expected, strict=True)] == [True, True]
    assert [torch.equal(a, b) for a, b in zip(seen[1], third["target"], strict=True)] == [True, True]


def numbered(n, batch_size):
    return [{"target": (part, part)} for part in torch.arange(n).double().split(batch_size)]


def drawn_points(run, monkeypatch, batches):
    """Validate, and give the points of the picture and its title."""
    figures = []
    draw = type(run.model.target).draw
    monkeypatch.setattr(
        type(run.model.target), "draw", lambda *arguments: figures.append(draw(*arguments)) or figures[-1]
    )
    run.validate(run.callback.best - 1 if np.isfinite(run.callback.best) else 0.0, *batches)
    axes = figures[-1].axes[0]
    return axes.collections[0].get_offsets()[:, 0].tolist(), axes.get_title()


def test_no_more_points_than_asked_for_are_drawn_of_early_and_late_batches_and_the_score_is_of_all(run, monkeypatch):
    shown, title = drawn_points(run, monkeypatch, numbered(4321, 8))

    assert len(set(shown)) == 50
    assert min(shown) < 1000
    assert max(shown) > 3300
    assert title == "R² = 0.250, 50 of 4,321 samples shown"


def test_the_seed_and_the_epoch_choose_the_points_and_the_batches_do_not(tmp_path, tensorboard, monkeypatch):
    def epochs(seed, *batch_sizes):
        run = Run(ValidationPlots(tmp_path / "plots", tensorboard, 50, seed))
        return [drawn_points(run, monkeypatch, numbered(300, size))[0] for size in batch_sizes]

    first = epochs(0, 8, 8)

    assert epochs(0, 7, 300) == first
    assert first[0] != first[1]
    assert epochs(1, 8, 8)[0] != first[0]


def test_a_confusion_matrix_is_of_all_samples():
    target = ClassificationTarget(CONFIG, "site", ["gut", "skin"])
    counts = torch.tensor([[300.0, 21.0], [1.0, 40.0]])

    axes = target.draw(torch.eye(2), torch.arange(2), ValidationSummary(362, {"confusion": counts})).axes[0]

    assert axes.get_title().endswith("n = 362")


def test_objectives_without_a_picture_or_without_points_leave_no_file(run, tmp_path):
    nothing = torch.zeros(0)

    run.validate(
        1.0, {"nucleotides": (torch.randn(3, 4), torch.tensor([0, 1, 2])), "distance": (nothing, nothing), **points(3)}
    )

    assert {item.name for item in (tmp_path / "plots").iterdir()} == {"target.png"}


def test_predictions_in_half_precision_with_gradients_are_drawn(run, tmp_path):
    prediction = torch.randn(4, dtype=torch.bfloat16, requires_grad=True)

    run.validate(1.0, {"target": (prediction, torch.randn(4))})

    assert (tmp_path / "plots/target.png").read_bytes().startswith(b"\x89PNG")
