"""Attention: packed sets equal padded rows, every kernel computes the same, and rows are found by number."""

import logging
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from aam.nn.attention import KERNELS, Packed, PaddedLayout, attend_padded, attention_kernel, gather_rows, pad, pad_mask

CPU = torch.device("cpu")


def parts(n_queries, n_keys, seed=0, dtype=torch.float64):
    """Give queries, keys and values of 3 heads of width 4 that have gradients."""
    torch.manual_seed(seed)
    return [torch.randn(n, 3, 4, dtype=dtype, requires_grad=True) for n in (n_queries, n_keys, n_keys)]


def softmax_of_sets(query, key, value, lengths):
    """Attend inside each set, written out."""
    attended = []
    per_query = lengths if len(query) == len(key) else [1] * len(lengths)
    for q, k, v in zip(query.split(per_query), key.split(lengths), value.split(lengths), strict=True):
        weights = torch.einsum("qhd,khd->hqk", q, k / 2).softmax(-1)  # 2: the root of the width
        attended.append(torch.einsum("hqk,khd->qhd", weights, v))
    return torch.cat(attended)


@settings(max_examples=25, deadline=None)
@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5), one_query=st.booleans())
@pytest.mark.parametrize("way", ["one by one", "padded"])
def test_sets_are_attended_to_alone_with_the_right_gradients(way, lengths, one_query):
    total, ends = sum(lengths), torch.tensor([0, *lengths]).cumsum(0)
    query, key, value = parts(len(lengths) if one_query else total, total)
    weight = torch.randn_like(query)

    query_ends = ends if len(query) == len(key) else torch.arange(len(ends))
    attend = {
        "padded": lambda: attend_padded(query, key, value, query_ends, ends),
        "one by one": lambda: Packed(ends).attend(query, key, value),
    }
    attended = attend[way]()
    gradients = torch.autograd.grad((attended * weight).sum(), (query, key, value))

    expected = softmax_of_sets(query, key, value, lengths)
    torch.testing.assert_close(attended, expected, rtol=0, atol=1e-12)
    for found, wanted in zip(
        gradients, torch.autograd.grad((expected * weight).sum(), (query, key, value)), strict=True
    ):
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["sdpa", *KERNELS])
def test_every_kernel_computes_the_same_forwards_and_backwards(name):
    query, key, value = (part[None] for part in parts(5, 5, dtype=torch.float32))
    mask = torch.tensor([[True, True, False, True, True]])
    results = []

    for kernel in ("math", name):
        with attention_kernel(kernel, CPU, torch.float32):
            attended = PaddedLayout(mask).attend(query, key, value)
            results.append([attended, *torch.autograd.grad(attended.square().sum(), (query, key, value))])

    for first, second in zip(*results, strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=1e-5)


@pytest.mark.filterwarnings("ignore::UserWarning")  # of the profiler of torch 2.11, about itself
@pytest.mark.parametrize("name", KERNELS)
def test_the_kernel_that_was_asked_for_runs(name):
    query, key, value = (part[None].transpose(1, 2) for part in parts(5, 5, dtype=torch.float32))
    available = name != "mem_efficient"  # which PyTorch has on GPUs only
    watch = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU])
    with watch as profile, attention_kernel(name, CPU, torch.float32):
        F.scaled_dot_product_attention(query, key, value)

    ran = {event.key for event in profile.key_averages()}
    assert ("aten::_scaled_dot_product_attention_math" in ran) == (name == "math")
    assert ("aten::_scaled_dot_product_flash_attention_for_cpu" in ran) == (name == "flash" or not available)


def test_a_kernel_that_the_machine_lacks_is_replaced_and_said_once(caplog):
    with caplog.at_level(logging.WARNING), attention_kernel("mem_efficient", CPU, torch.float32):
        PaddedLayout().attend(*(part[None] for part in parts(4, 4, dtype=torch.float32)))

    (message,) = caplog.messages
    assert re.search(r"--attn-implementation mem_efficient .*\(cpu\).*float32.*\(sdpa\)", message)


def test_the_kernel_is_chosen_for_the_block_only():
    before = torch.backends.cuda.flash_sdp_enabled()

    with attention_kernel("math", CPU, torch.float64):
        inside = torch.backends.cuda.flash_sdp_enabled()

    assert (inside, torch.backends.cuda.flash_sdp_enabled()) == (False, before)


def test_half_precision_is_attended_to_in_single_precision_on_a_cpu():
    half = [part.detach().to(torch.bfloat16)[None] for part in parts(6, 6)]

    with torch.autocast("cpu", torch.bfloat16):
        attended = PaddedLayout().attend(*half)

    expected = PaddedLayout().attend(*(part.float() for part in half))
    assert attended.dtype == torch.float32
    torch.testing.assert_close(attended, expected, rtol=0, atol=0)


def offsets(lengths):
    return torch.tensor([0, *lengths]).cumsum(0)


@settings(max_examples=40, deadline=None)
@given(lengths=st.lists(st.integers(1, 7), min_size=1, max_size=5))
def test_padding_equals_torchs_and_the_mask_undoes_it(lengths):
    packed = torch.randn(sum(lengths), 8, dtype=torch.float64)

    mask = pad_mask(offsets(lengths))
    padded = pad(packed, mask)

    assert torch.equal(padded, pad_sequence(list(packed.split(lengths)), batch_first=True))
    assert mask.sum(dim=1).tolist() == lengths
    assert torch.equal(padded[mask], packed)


def test_a_mask_is_as_wide_as_the_richest_sample():
    assert pad_mask(offsets([2, 3])).tolist() == [[True, True, False], [True, True, True]]


def test_gradients_go_back_to_the_pairs_they_came_from():
    packed = torch.randn(5, 8, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 3, 8, dtype=torch.float64)

    (pad(packed, pad_mask(offsets([2, 3]))) * weight).sum().backward()

    assert torch.equal(packed.grad, torch.cat([weight[0, :2], weight[1]]))


@pytest.fixture
def _two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def gradient(matrix, index, weights):
    leaf = matrix.clone().requires_grad_()
    (gather_rows(leaf, index) * weights).sum().backward()
    assert leaf.grad is not None
    return leaf.grad


@pytest.mark.parametrize("n", [0, 1, 9])
def test_rows_and_their_gradients_are_those_of_indexing(n):
    matrix, index = torch.randn(5, 3, dtype=torch.float64), torch.randint(0, 5, (n,))
    weights = torch.randn(n, 3, dtype=torch.float64)
    leaf = matrix.clone().requires_grad_()
    (leaf[index] * weights).sum().backward()

    torch.testing.assert_close(gather_rows(matrix, index), matrix[index], rtol=0, atol=0)
    torch.testing.assert_close(gradient(matrix, index, weights), leaf.grad)


@pytest.mark.usefixtures("_two_threads")
def test_with_two_threads_the_gradient_is_the_same_to_the_bit_every_time():
    matrix, index, weights = torch.randn(300, 64), torch.randint(0, 300, (1500,)), torch.randn(1500, 64)

    found = {gradient(matrix, index, weights).numpy().tobytes() for _ in range(30)}

    assert len(found) == 1
