"""The transformer and its pooling against torch's own layers that hold the same weights."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from aam.config.model import ModelConfig
from aam.nn.attention import Packed, PaddedLayout
from aam.nn.transformer import INITIAL_STD, AttentionPooling, Block, SelfAttention, Transformer

CONFIG = ModelConfig(embedding_dim=8, attention_heads=2, attention_layers=3, ffn_ratio=1.5, dropout=0.0)
MASK = torch.tensor([[True, True, False, True, False], [True, True, True, True, True]])
MASKS = pytest.mark.parametrize("mask", [None, MASK], ids=["all real", "some padding"])


def vectors():
    return torch.randn(2, 5, 8, dtype=torch.float64)


def randomised(module):
    """Give every parameter a size at which an error would show."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.4)
    return module.double().eval()


def copy_attention(source, reference):
    reference.in_proj_weight.data, reference.in_proj_bias.data = source.project_in.weight, source.project_in.bias
    reference.out_proj.weight.data, reference.out_proj.bias.data = source.project_out.weight, source.project_out.bias


def torch_layer(block):
    """Give torch's pre-norm encoder layer the weights of a block."""
    first, last = block.feed_forward[1], block.feed_forward[3]
    layer = nn.TransformerEncoderLayer(
        8, 2, first.out_features, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    copy_attention(block.attention, layer.self_attn)
    pairs = (
        (block.attention_norm, layer.norm1), (block.feed_forward[0], layer.norm2), (first, layer.linear1), (last, layer.linear2)
    )  # fmt: skip
    for ours, theirs in pairs:
        theirs.weight.data, theirs.bias.data = ours.weight.data, ours.bias.data
    return layer.double().train()  # its fast path of evaluation replaces padding by zeros


@MASKS
def test_attention_equals_torchs(mask):
    attention, x = randomised(SelfAttention(CONFIG)), vectors()
    reference = nn.MultiheadAttention(8, 2, batch_first=True, dtype=torch.float64)
    copy_attention(attention, reference)

    expected, _ = reference(x, x, x, key_padding_mask=None if mask is None else ~mask)

    torch.testing.assert_close(attention(x, PaddedLayout(mask)), expected, rtol=0, atol=1e-12)


@MASKS
def test_a_stack_equals_torchs_pre_norm_layers_and_a_last_norm(mask):
    stack, x = randomised(Transformer(CONFIG)), vectors()

    expected = x
    for block in stack.blocks:
        expected = torch_layer(block)(expected, src_key_padding_mask=None if mask is None else ~mask)
    expected = nn.functional.layer_norm(expected, (8,), stack.norm.weight, stack.norm.bias)

    torch.testing.assert_close(stack(x, PaddedLayout(mask)), expected, rtol=0, atol=1e-12)


def test_what_stands_at_padding_does_not_matter():
    stack, x = randomised(Transformer(CONFIG)), vectors()
    other = torch.where(MASK[..., None], x, 1e3 * vectors())

    torch.testing.assert_close(
        stack(other, PaddedLayout(MASK))[MASK], stack(x, PaddedLayout(MASK))[MASK], rtol=0, atol=1e-12
    )


def test_a_mask_that_hides_nothing_changes_nothing():
    stack, x = randomised(Transformer(CONFIG)), vectors()

    torch.testing.assert_close(
        stack(x, PaddedLayout(torch.ones(2, 5, dtype=torch.bool))), stack(x, PaddedLayout()), rtol=0, atol=1e-12
    )


def test_permuted_positions_give_permuted_vectors():
    stack, x, order = randomised(Transformer(CONFIG)), vectors(), torch.tensor([3, 0, 4, 1, 2])

    torch.testing.assert_close(
        stack(x[:, order], PaddedLayout(MASK[:, order])), stack(x, PaddedLayout(MASK))[:, order], rtol=0, atol=1e-12
    )


def test_padding_gets_no_gradient_from_what_is_real():
    stack, x = randomised(Transformer(CONFIG)), vectors().requires_grad_()

    stack(x, PaddedLayout(MASK))[MASK].square().sum().backward()

    assert (x.grad[~MASK] == 0).all()
    assert (x.grad[MASK] != 0).all()


@pytest.mark.parametrize(("ratio", "width"), [(4.0, 32), (0.3, 2), (0.01, 1)])
def test_the_feed_forward_width_is_a_multiple_of_the_embedding_width(ratio, width):
    block = Block(ModelConfig(embedding_dim=8, attention_heads=2, ffn_ratio=ratio))

    assert block.feed_forward[1].out_features == width


def test_a_new_deep_stack_passes_its_input_on_nearly_unchanged():
    config = ModelConfig(embedding_dim=64, attention_heads=2, attention_layers=8)
    stack, x = Transformer(config), torch.randn(2, 5, 64)

    change = stack(x, PaddedLayout()) - stack.norm(x)

    assert change.std() < 0.15
    written = torch.stack([block.attention.project_out.weight for block in stack.blocks])
    assert written.std().item() == pytest.approx(INITIAL_STD / 4, rel=0.05)  # 4: the root of two branches in 8 blocks
    assert all((block.feed_forward[-1].bias == 0).all() for block in stack.blocks)


def test_sets_that_lie_one_after_the_other_equal_padded_rows():
    stack, x = randomised(Transformer(CONFIG)), vectors()
    packed, offsets = torch.cat([x[0, :3], x[1]]), torch.tensor([0, 3, 8])
    rows = PaddedLayout(torch.tensor([[True, True, True, False, False], [True] * 5]))

    torch.testing.assert_close(stack(packed, Packed(offsets)), stack(x, rows)[rows.mask], rtol=0, atol=1e-12)


@pytest.mark.parametrize("at_a_time", [1, 4, 6, 13])
def test_sets_that_are_read_some_at_a_time_give_the_same_vectors_and_gradients(at_a_time, monkeypatch):
    stack, x = randomised(Transformer(CONFIG)), torch.randn(14, 8, dtype=torch.float64)
    layout = Packed(torch.tensor([0, 3, 8, 8, 9, 12, 14]))  # one is empty

    def run():
        stack.zero_grad()
        y = stack(x, layout)
        y.square().sum().backward()
        return [y.detach(), *(weight.grad.clone() for weight in stack.parameters())]

    whole = run()
    monkeypatch.setattr("aam.nn.attention.POSITIONS_AT_A_TIME", at_a_time)

    sizes = [len(part) for part, _ in layout.parts(x)]
    assert sum(sizes) == 14
    assert len(sizes) > 1
    assert all(size <= max(at_a_time, 5) for size in sizes)  # a set is never cut
    for first, second in zip(whole, run(), strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=1e-11)


COMPARE_COMPILED = """
import copy, torch
from aam.config.model import ModelConfig
from aam.nn.attention import PaddedLayout
from aam.nn.transformer import Transformer

torch.manual_seed(0)
plain = Transformer(ModelConfig(embedding_dim=8, attention_heads=2, attention_layers=1, ffn_ratio=1.5)).double()
compiled = copy.deepcopy(plain)
compiled.compile_blocks()
x, results = torch.randn(2, 5, 8, dtype=torch.float64), []
for stack in (plain, compiled):
    stack(x, PaddedLayout()).square().sum().backward()
    results.append([stack(x, PaddedLayout()).detach(), *(parameter.grad for parameter in stack.parameters())])
for first, second in zip(*results, strict=True):
    torch.testing.assert_close(first, second, rtol=0, atol=1e-10)
assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0
"""


@pytest.mark.slow
def test_a_compiled_stack_gives_the_same_vectors_and_gradients():
    subprocess.run(
        [sys.executable, "-c", COMPARE_COMPILED], check=True
    )  # the checks of shapes in this process hinder it


PADDED = torch.tensor([[True, False, True], [True, True, True]])


@pytest.fixture
def pooling():
    layer = AttentionPooling(ModelConfig(embedding_dim=8, attention_heads=2)).double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.7)
    return layer


@pytest.fixture
def x():
    return torch.randn(2, 3, 8, dtype=torch.float64)


@pytest.mark.parametrize("mask", [None, PADDED], ids=["all real", "some padding"])
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
        pooling(x[:, order], PaddedLayout(PADDED[:, order])), pooling(x, PaddedLayout(PADDED)), rtol=0, atol=1e-12
    )


def test_padding_is_not_read_and_gets_no_gradient(pooling, x):
    x.requires_grad_()

    pooling(x, PaddedLayout(PADDED)).square().sum().backward()

    assert (x.grad[~PADDED] == 0).all()
    assert (x.grad[PADDED] != 0).all()
    torch.testing.assert_close(
        pooling(x[:1, [0, 2]], PaddedLayout()), pooling(x, PaddedLayout(PADDED))[:1], rtol=0, atol=1e-12
    )


def test_a_single_position_is_only_projected(pooling, x):
    value = pooling.key_and_value(x[:, :1])[:, 0, 8:]

    torch.testing.assert_close(pooling(x[:, :1], PaddedLayout()), pooling.project_out(value), rtol=0, atol=1e-12)


def test_repeated_positions_do_not_change_their_average(pooling, x):
    torch.testing.assert_close(
        pooling(torch.cat([x, x], dim=1), PaddedLayout()), pooling(x, PaddedLayout()), rtol=0, atol=1e-12
    )


def test_pooled_sets_that_lie_one_after_the_other_equal_padded_rows(pooling, x):
    packed = torch.cat([x[0, [0, 2]], x[1]])

    torch.testing.assert_close(
        pooling(packed, Packed(torch.tensor([0, 2, 5]))), pooling(x, PaddedLayout(PADDED)), rtol=0, atol=1e-12
    )
