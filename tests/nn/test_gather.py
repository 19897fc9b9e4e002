"""Rows by number: plain indexing, with a gradient that repeats."""

import pytest
import torch

from aam.nn.attention import gather_rows


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
