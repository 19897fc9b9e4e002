"""TensorBoard shows training and validation as two runs with the same tags."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from aam.training.progress import OverlaidTensorBoard


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
