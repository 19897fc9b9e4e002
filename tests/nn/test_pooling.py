"""Attention pooling against torch's multi-head attention with one learned query."""

import pytest
import torch
from torch import nn

from aam.config.model import ModelConfig
from aam.nn.attention import Packed, PaddedLayout
from aam.nn.transformer import AttentionPooling

MASK = torch.tensor([[True, False, True], [True, True, True]])


@pytest.fixture
def pooling():
    layer = AttentionPooling(ModelConfig(embedding_dim=8, attention_heads=2)).double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.7)
    return layer


@pytest.fixture
def x():
    return torch.randn(2, 3, 8, dtype=torch.float64)


@pytest.mark.parametrize("mask", [None, MASK], ids=["all real", "some padding"])
def test_pooling_equals_torchs_attention_of_one_query(pooling, x, mask):
    reference = nn.MultiheadAttention(8, 2, batch_first=True, dtype=torch.float64)
    reference.in_proj_weight.data[:8], reference.in_proj_bias.data[:8] = torch.eye(8), 0.0
    reference.in_proj_weight.data[8:], reference.in_proj_bias.data[8:] = (
        pooling.key_and_value.weight, pooling.key_and_value.bias
    )  # fmt: skip
    reference.out_proj.load_state_dict(pooling.project_out.state_dict())
    query = pooling.query.reshape(1, 1, 8).expand(2, 1, 8)

    expected, _ = reference(query, x, x, key_padding_mask=None if mask is None else ~mask)

    torch.testing.assert_close(pooling(x, PaddedLayout(mask)), expected[:, 0], rtol=0, atol=1e-12)


def test_the_order_of_positions_is_nothing(pooling, x):
    order = torch.tensor([2, 0, 1])

    torch.testing.assert_close(
        pooling(x[:, order], PaddedLayout(MASK[:, order])), pooling(x, PaddedLayout(MASK)), rtol=0, atol=1e-12
    )


def test_padding_is_not_read_and_gets_no_gradient(pooling, x):
    x.requires_grad_()

    pooling(x, PaddedLayout(MASK)).square().sum().backward()

    assert (x.grad[~MASK] == 0).all()
    assert (x.grad[MASK] != 0).all()
    torch.testing.assert_close(
        pooling(x[:1, [0, 2]], PaddedLayout()), pooling(x, PaddedLayout(MASK))[:1], rtol=0, atol=1e-12
    )


def test_a_single_position_is_only_projected(pooling, x):
    value = pooling.key_and_value(x[:, :1])[:, 0, 8:]

    torch.testing.assert_close(pooling(x[:, :1], PaddedLayout()), pooling.project_out(value), rtol=0, atol=1e-12)


def test_repeated_positions_do_not_change_their_average(pooling, x):
    torch.testing.assert_close(
        pooling(torch.cat([x, x], dim=1), PaddedLayout()), pooling(x, PaddedLayout()), rtol=0, atol=1e-12
    )


def test_sets_that_lie_one_after_the_other_equal_padded_rows(pooling, x):
    packed = torch.cat([x[0, [0, 2]], x[1]])

    torch.testing.assert_close(
        pooling(packed, Packed(torch.tensor([0, 2, 5]))), pooling(x, PaddedLayout(MASK)), rtol=0, atol=1e-12
    )
