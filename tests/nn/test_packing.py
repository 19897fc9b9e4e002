"""Packed pairs as padded rows, against torch's own padding."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pad_sequence

from aam.nn.attention import pad, pad_mask


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
