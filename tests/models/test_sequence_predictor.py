"""The predictor: a frozen base keeps still, and heads read the sample vector beside a pooling of their own."""

import numpy as np
import pytest
import torch

from aam.batch import TARGET, Encoding
from aam.config.model import ModelConfig
from aam.data.batching.batches import Masking
from aam.models.build import build_encoder, build_predictor
from aam.nn.attention import Packed
from aam.objectives.target import RegressionTarget
from aam.target_transform import TargetTransform
from helpers.studies import make_batch, make_study

CONFIG = ModelConfig(embedding_dim=8, attention_heads=2, attention_layers=1, ffn_ratio=1.5, dropout=0.5, max_bp=5)


@pytest.fixture
def batch():
    study = make_study(n_samples=3, n_features=7, n_positions=5)
    targets = {
        TARGET: lambda packed: np.array([1.0, 4.0, 2.0]),
        "distance": lambda packed: np.full((3, 3), 0.5) - np.eye(3) / 2,
    }
    return make_batch(
        study, masking=Masking(nuc_mask_ratio=0.3, count_mask_ratio=0.3, asv_mask_ratio=0.3), targets=targets
    )


def predictor(freeze_base, own=("counts",)):
    base = build_encoder(CONFIG, ["distance", "nucleotides", "masked-asvs"])
    return build_predictor(base, RegressionTarget(CONFIG, "age", TargetTransform(2.0, 1.5)), own, freeze_base).double()


def learn(model, batch):
    encoding = model(batch)
    objectives = model.active_objectives()
    sum(objective.loss(objective(encoding, batch), batch) for objective in objectives.values()).backward()


def test_a_frozen_base_gets_no_gradient_and_keeps_its_weights(batch):
    model = predictor(freeze_base=True).train()
    before = {name: value.clone() for name, value in model.base_model.state_dict().items()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.1)

    learn(model, batch)
    optimizer.step()

    assert all(parameter.grad is None for parameter in model.base_model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.base_model.state_dict().items())
    own = [parameter for name, parameter in model.named_parameters() if not name.startswith("base_model.")]
    assert all(parameter.grad is not None for parameter in own)


def test_a_frozen_base_stays_in_evaluation_mode_while_the_heads_train():
    model = predictor(freeze_base=True)

    model.train()

    assert model.training
    assert model.target.training
    assert not any(module.training for module in model.base_model.modules())
    assert not model.eval().training


def test_a_base_that_learns_gets_gradients_and_trains():
    model = predictor(freeze_base=False).train()

    assert all(module.training for module in model.modules())
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_every_weight_of_a_model_that_learns_gets_a_gradient(batch):
    model = predictor(freeze_base=False).eval()

    learn(model, batch)

    silent = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    assert not silent


def test_unfreezing_an_earlier_frozen_base_lets_it_learn():
    base = build_encoder(CONFIG, [])
    build_predictor(base, RegressionTarget(CONFIG, "age", TargetTransform(0.0, 1.0)), [], freeze_base=True)

    model = build_predictor(base, RegressionTarget(CONFIG, "age", TargetTransform(0.0, 1.0)), [], freeze_base=False)

    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize(
    ("freeze_base", "names"),
    [(False, {"distance", "nucleotides", "masked-asvs", "target", "counts"}), (True, {"target", "counts"})],
)
def test_a_frozen_base_has_nothing_to_learn_of_its_own(freeze_base, names):
    assert set(predictor(freeze_base).active_objectives()) == names


def test_heads_read_the_sample_vector_beside_their_own_pooling(batch):
    model = predictor(freeze_base=False).eval()
    base = model.base_model(batch)

    features = model(batch).target_features

    pooled = model.pooling(base.samples.context, Packed(base.samples.sample_offsets))
    assert features.shape == (3, 16)
    torch.testing.assert_close(features[:, :8], base.samples.sample_vectors, rtol=0, atol=0)
    torch.testing.assert_close(features[:, 8:], pooled, rtol=0, atol=0)


def test_the_rest_of_the_encoding_is_that_of_the_base(batch):
    model = predictor(freeze_base=False).eval()

    ours, base = model(batch), model.base_model(batch)

    torch.testing.assert_close(ours.samples.context, base.samples.context, rtol=0, atol=0)
    torch.testing.assert_close(ours.masked_nucleotides, base.masked_nucleotides, rtol=0, atol=0)
    torch.testing.assert_close(ours.hidden_context, base.hidden_context, rtol=0, atol=0)
    assert base.target_features is None


def test_dropout_changes_the_head_alone_and_only_in_training(batch):
    model = predictor(freeze_base=False).train()
    vectors, features = ([model(batch).samples.sample_vectors for _ in range(2)], model(batch).target_features.detach())

    torch.testing.assert_close(*vectors, rtol=0, atol=0)
    encoding = Encoding(model(batch).samples, target_features=features)
    assert not torch.equal(model.target(encoding, batch), model.target(encoding, batch))
    model.eval()
    torch.testing.assert_close(model.target(encoding, batch), model.target(encoding, batch), rtol=0, atol=0)
