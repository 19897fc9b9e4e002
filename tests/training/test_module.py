"""The training module: weighted losses, metrics over unequal batches, and what learns how."""

import lightning
import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error, r2_score

from aam.batch import TARGET
from aam.config.model import ModelConfig
from aam.config.training import TrainingConfig
from aam.data.batching.batches import BatchMaker, Drawing, Masking, loader, plan_in_order
from aam.models.build import build_encoder, build_predictor
from aam.objectives.target import RegressionTarget
from aam.target_transform import TargetTransform
from aam.training.module import TrainingModule
from helpers.studies import make_study

SHAPE = ModelConfig(embedding_dim=8, attention_heads=2, attention_layers=1, ffn_ratio=1.5, dropout=0.0, max_bp=11)
AGES = np.array([31.0, 40.0, 22.0, 75.0, 58.0, 64.0, 19.0])
WEIGHTS = {"target": 1.0, "distance": 2.0, "counts": 0.25}

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*", "ignore:.*does not have many workers.*")


def module(freeze_base=False, main="target", weights=WEIGHTS):
    base = build_encoder(SHAPE, ["distance"])
    model = build_predictor(base, RegressionTarget(SHAPE, "age", TargetTransform(44.0, 20.0)), ["counts"], freeze_base)
    return TrainingModule(model, weights, TrainingConfig(weight_decay=0.3), main).double()


def batches(batch_size, samples=range(7)):
    def distances(packed):
        return np.abs(AGES[packed.samples][:, None] - AGES[packed.samples]) / 60

    targets = {TARGET: lambda packed: AGES[packed.samples], "distance": distances}
    maker = BatchMaker(make_study(n_samples=7), Drawing(None, 1024, 0), Masking(count_mask_ratio=0.3), targets)
    return loader(maker, plan_in_order(np.array(samples), batch_size))


def validate(module, batches):
    trainer = lightning.Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    return trainer.validate(module, batches, verbose=False)[0]


def predictions(module, batches):
    """Predict each batch with the model alone: ages and distances, and their truths."""
    model, ages, distances = module.model.eval(), [], []
    with torch.no_grad():
        for batch in batches:
            encoding = model(batch)
            ages.append(model.target.in_own_units(model.target(encoding, batch), batch))
            vectors = encoding.samples.sample_vectors
            pairs = np.triu_indices(len(vectors), 1)
            own = torch.nn.functional.softplus(model.active_objectives()["distance"].unshared(vectors))
            predicted = (torch.cdist(vectors, vectors).square() / 8 + (own + own.T) / 2).sqrt()[pairs]
            distances.append(torch.stack([predicted, batch.targets["distance"][pairs]]))
    return torch.cat(ages).numpy(), *torch.cat(distances, dim=1).numpy()


def test_metrics_over_unequal_batches_weigh_every_sample_and_every_pair_alike():
    ours = module()

    found = validate(ours, batches(3))  # of 3, 2 and 2 samples

    ages, distances, truths = predictions(ours, batches(3))
    expected = {
        "validation/target_mae": mean_absolute_error(AGES, ages),
        "validation/target_r2": r2_score(AGES, ages),
        "validation/distance_mae": mean_absolute_error(truths, distances),
        "validation/distance_r2": r2_score(truths, distances),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-6)


def test_the_batch_size_does_not_change_the_metrics_of_samples():
    ours = module()

    first, second = validate(ours, batches(3)), validate(ours, batches(7))

    names = ["validation/loss", "validation/target_loss", "validation/target_mae", "validation/target_pearson"]
    assert {name: first[name] for name in names} == pytest.approx({name: second[name] for name in names}, rel=1e-6)


def test_validating_twice_counts_nothing_twice():
    ours = module()

    assert validate(ours, batches(3)) == validate(ours, batches(3))


def test_a_batch_of_one_sample_scores_its_age_and_no_distance():
    found = validate(module(), batches(1, samples=[3, 1]))

    assert "validation/target_mae" in found
    assert found["validation/distance_loss"] == 0
    assert not [name for name in found if name.startswith("validation/distance_") and not name.endswith("loss")]


def test_a_single_pair_has_a_loss_but_no_score():
    scores = validate(module(), batches(2, samples=range(2)))

    assert np.isfinite(scores["validation/distance_loss"])
    assert "validation/distance_r2" not in scores
    assert "validation/target_mae" in scores


def test_metrics_accumulate_in_double_precision_whatever_the_model_is_in():
    ours = module().to(torch.float32)

    validate(ours, batches(3))

    assert {metric.sum_abs_error.dtype for metric in (scores["mae"] for scores in ours.scores.values())} == {
        torch.float64
    }


def test_numbers_of_all_predictions_are_kept_for_the_pictures():
    ours = module()

    found = validate(ours, batches(3))  # of 3, 2 and 2 samples: 3, 1 and 1 pairs

    assert {name: overall.n for name, overall in ours.overall.items() if name != "counts"} == {
        "target": 7,
        "distance": 5,
    }
    assert float(ours.overall["target"].metrics["r2"]) == pytest.approx(found["validation/target_r2"], rel=1e-6)


@pytest.mark.parametrize("main", ["target", None])
def test_the_loss_that_chooses_is_the_main_ones_or_the_weighted_sum(main):
    found = validate(module(main=main), batches(7))

    losses = {name: found[f"validation/{name}_loss"] for name in WEIGHTS}
    total = losses["target"] if main else sum(WEIGHTS[name] * loss for name, loss in losses.items())
    assert found["validation/loss"] == pytest.approx(total, rel=1e-6)


def test_gradients_are_those_of_the_weighted_sum():
    ours = module()
    (batch,) = batches(7)

    def gradients(weights):
        ours.zero_grad()
        _, losses = ours._predict(batch)
        sum(weight * losses[name] for name, weight in weights.items()).backward()
        return {name: 0 if p.grad is None else p.grad.clone() for name, p in ours.model.named_parameters()}

    parts = [gradients({name: weight}) for name, weight in WEIGHTS.items()]
    ours.zero_grad()
    ours.balance(ours._predict(batch)[1]).backward()

    for name, parameter in ours.model.named_parameters():
        if parameter.grad is None:  # what no objective here reads
            assert name == "base_model.sample_encoder.hidden_asv"
        else:
            torch.testing.assert_close(parameter.grad, sum(part[name] for part in parts), rtol=0, atol=1e-10)


def optimizer_of(module):
    lightning.Trainer(
        accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    ).fit(module, batches(7))  # fmt: skip
    return module.optimizers().optimizer


@pytest.mark.filterwarnings(
    "ignore:.*log_every_n_steps.*", "ignore:.*num_workers.*", "ignore:.*in eval mode.*", "ignore:.*val_dataloader.*"
)
@pytest.mark.parametrize("freeze_base", [False, True])
def test_matrices_are_decayed_vectors_are_not_and_a_frozen_base_is_neither(freeze_base):
    weights = {"target": 1.0, "counts": 0.25} if freeze_base else WEIGHTS
    ours = module(freeze_base, weights=weights)

    groups = optimizer_of(ours).param_groups

    names = {id(parameter): name for name, parameter in ours.model.named_parameters()}
    trained = {names[id(parameter)]: group["weight_decay"] for group in groups for parameter in group["params"]}
    assert all((decay == 0.3) == (ours.model.get_parameter(name).ndim > 1) for name, decay in trained.items())
    assert set(trained.values()) == {0.3, 0.0}
    own = {name for name in names.values() if not name.startswith("base_model.")}
    assert set(trained) == (own if freeze_base else set(names.values()))


def test_dropout_depends_on_the_seed_and_the_step_alone():
    ours = module()
    ours.trainer = lightning.Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    drawn = []
    for already_drawn, batch_idx in ((0, 3), (5, 3), (0, 4)):
        torch.rand(already_drawn)
        ours.on_train_batch_start(None, batch_idx)
        drawn.append(torch.rand(4))

    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
