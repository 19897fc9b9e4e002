"""Which epoch is kept, and when training stops: by any number of the validation, in its direction."""

import dataclasses

import pytest
import torch
from lightning.pytorch.callbacks import Callback

from aam.errors import ConfigError
from aam.objectives.target import ClassificationTarget, RegressionTarget
from aam.target_transform import TargetTransform
from aam.training.best_epoch import Criterion, criterion_of
from helpers.watched_fit import CONFIG, SHAPE, run

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*")

UNSTEADY = dataclasses.replace(CONFIG, epochs=14, lr=0.2, patience=3)


class Watch(Callback):
    """Keeps what each epoch's validation gives."""

    def __init__(self):
        self.epochs = []

    def on_train_epoch_end(self, trainer, pl_module):
        self.epochs.append({name: float(value) for name, value in trainer.callback_metrics.items()})


def first_best(values, is_higher_better):
    return values.index(max(values) if is_higher_better else min(values))


@pytest.mark.parametrize(
    ("name", "is_higher_better"), [("target_spearman", True), ("target_mae", False), ("target_pearson", True)]
)
def test_any_metric_chooses_the_epoch_and_when_to_stop(name, is_higher_better, tmp_path):
    watch = Watch()
    config = dataclasses.replace(UNSTEADY, best_metric=name)

    _, summary, _ = run(tmp_path / "o", config, callbacks=[watch])

    values = [epoch[f"validation/{name}"] for epoch in watch.epochs]
    best = first_best(values, is_higher_better)
    assert summary.best_epoch == best + 1
    assert summary.epochs == min(best + 1 + config.patience, config.epochs)
    assert summary.metrics[name] == pytest.approx(values[best], rel=1e-4)  # of single precision
    assert torch.load(tmp_path / "o/checkpoints/best.ckpt", weights_only=True)["epoch"] == best


def test_metrics_disagree_about_the_best_epoch(tmp_path):
    """Else the test above could not tell which metric chose."""
    chosen = {
        name: run(tmp_path / name, dataclasses.replace(UNSTEADY, best_metric=name))[1].best_epoch
        for name in ("loss", "target_spearman", "target_pearson")
    }

    assert len(set(chosen.values())) > 1, chosen


def test_a_metric_that_the_run_does_not_have_is_refused_with_those_that_it_has(tmp_path):
    with pytest.raises(ConfigError, match=r"--best-metric r2 .*: .*loss, target_loss, target_r2\b"):
        run(tmp_path / "o", dataclasses.replace(CONFIG, best_metric="r2"))


def test_an_epoch_without_a_value_is_the_worst():
    criterion = Criterion("target_pearson", is_higher_better=True)

    assert (
        criterion.cost({}) == criterion.cost({"validation/target_pearson": torch.tensor(float("nan"))}) == float("inf")
    )
    assert criterion.cost({"validation/target_pearson": torch.tensor(-0.9)}) == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("target", "lower", "higher"),
    [
        (RegressionTarget(SHAPE, "age", TargetTransform()), {"mae", "rmse"}, {"r2", "pearson", "spearman"}),
        (ClassificationTarget(SHAPE, "site", ["gut", "skin"]), set(), {"accuracy", "balanced_accuracy", "macro_f1", "auroc"}),
    ],
    ids=["numbers", "classes"],
)  # fmt: skip
def test_every_number_of_the_target_has_its_direction(target, lower, higher):
    directions = {True: higher, False: lower | {"loss"}}

    for is_higher_better, names in directions.items():
        for name in names:
            assert criterion_of(f"target_{name}", {"target": target}).is_higher_better is is_higher_better
    with pytest.raises(ConfigError) as refused:
        criterion_of("target_confusion", {"target": target})  # no single number
    assert str(refused.value).count(",") == len(lower | higher) + 1
