"""Weights of attention are those that the fused kernels use, and watching them changes no result."""

import pytest
import torch

from aam.config.model import ModelConfig
from aam.nn.attention import Packed, PaddedLayout, pad_mask
from aam.nn.attention import pad as pad_rows
from aam.nn.attention_weights import AttentionWatch, attention_weights
from aam.nn.transformer import AttentionPooling, SelfAttention, Transformer

CONFIG = ModelConfig(embedding_dim=8, attention_heads=2, attention_layers=3, max_bp=5)
OFFSETS = torch.tensor([0, 4, 5, 12])
MODULES = [SelfAttention, AttentionPooling]


@pytest.fixture
def packed():
    return torch.randn(12, 8, dtype=torch.float64)


def by_hand(module, rows):
    """Compute the weights of one set with loops."""
    d = 4
    if isinstance(module, SelfAttention):
        projected = rows @ module.project_in.weight.T + module.project_in.bias
        query, key = projected[:, :8], projected[:, 8:16]
    else:
        key = (rows @ module.key_and_value.weight.T + module.key_and_value.bias)[:, :8]
        query = module.query.reshape(1, 8)
    weights = torch.zeros(2, len(query), len(rows), dtype=torch.float64)
    for head in range(2):
        for q in range(len(query)):
            part = slice(head * d, (head + 1) * d)
            scores = torch.stack([(query[q, part] * key[a, part]).sum() / d**0.5 for a in range(len(rows))])
            weights[head, q] = scores.exp() / scores.exp().sum()
    return weights.detach()


@pytest.mark.parametrize("kind", MODULES)
def test_the_weights_of_packed_sets_equal_loops_over_heads_and_positions(kind, packed):
    module = kind(CONFIG).double()

    found = attention_weights(module, packed, Packed(OFFSETS))

    assert [tuple(weights.shape[1:]) for weights in found] == (
        [(4, 4), (1, 1), (7, 7)] if kind is SelfAttention else [(1, 4), (1, 1), (1, 7)]
    )
    for weights, rows in zip(found, packed.tensor_split(OFFSETS[1:-1]), strict=True):
        torch.testing.assert_close(weights, by_hand(module, rows), rtol=1e-12, atol=0)
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:2], dtype=torch.float64))


@pytest.mark.parametrize("kind", MODULES)
def test_padded_rows_have_the_weights_of_packed_sets(kind, packed):
    module, mask = kind(CONFIG).double(), pad_mask(OFFSETS)

    found = attention_weights(module, pad_rows(packed, mask) + 3.0 * ~mask[:, :, None], PaddedLayout(mask))

    for weights, expected in zip(found, attention_weights(module, packed, Packed(OFFSETS)), strict=True):
        torch.testing.assert_close(weights, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("layout", [Packed(torch.tensor([0, 12])), PaddedLayout()])
def test_the_weighted_mean_of_the_values_is_what_the_module_returns(layout, packed):
    module = SelfAttention(CONFIG).double()
    x = packed if isinstance(layout, Packed) else packed[None]
    (weights,) = attention_weights(module, x, layout)

    value = module.project_in(packed)[:, 16:].unflatten(-1, (2, 4))
    expected = module.project_out(torch.einsum("hqa,ahd->qhd", weights, value).flatten(1))

    torch.testing.assert_close(module(x, layout).reshape(12, 8), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("precision", [torch.float32, torch.float64])
def test_watching_changes_neither_results_nor_gradients_to_the_bit(precision, packed, monkeypatch):
    monkeypatch.setattr("aam.nn.attention.POSITIONS_AT_A_TIME", 5)  # several parts, each through all blocks
    transformer, layout = Transformer(CONFIG).to(precision), Packed(OFFSETS)
    modules = {str(k): block.attention for k, block in enumerate(transformer.blocks)}
    x = packed.to(precision)

    def run():
        transformer.zero_grad()
        result = transformer(x, layout)
        result.square().sum().backward()
        return [result, *(weight.grad for weight in transformer.parameters())]

    plain = run()
    with AttentionWatch(modules) as watch, torch.no_grad():
        transformer(x, layout)
        seen = watch.take()
        with torch.enable_grad():
            watched = run()
    after = run()

    assert all(torch.equal(a, b) and torch.equal(a, c) for a, b, c in zip(plain, watched, after, strict=True))
    assert [[tuple(weights.shape) for weights in seen[name]] for name in modules] == [
        [(2, 4, 4), (2, 1, 1), (2, 7, 7)]
    ] * 3
    assert not any(weights.requires_grad for weights in seen["0"])
    assert not any(block.attention._forward_pre_hooks for block in transformer.blocks)


def test_half_precision_has_weights_in_single_precision(packed):
    module = AttentionPooling(CONFIG)

    with torch.autocast("cpu", torch.bfloat16):
        found = attention_weights(module, packed.float(), Packed(OFFSETS))

    assert all(weights.dtype == torch.float32 for weights in found)
    assert all(abs(float(weights.sum()) - 2) < 1e-5 for weights in found)
