"""Rows of a matrix by their number, whose gradients are summed in one order."""

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F


def rows(matrix: Float[Tensor, "N D"], index: Int[Tensor, "T"]) -> Float[Tensor, "T D"]:
    """Give ``matrix[index]``; where a row is read more than once, its gradient is the same in every run.

    The gradient of plain indexing is summed by all threads of a CPU at once, in the order in which they happen to come, if it has
    32,768 elements or more; then no two trainings are equal.
    """
    return F.embedding(index, matrix)
