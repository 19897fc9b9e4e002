"""Collective operations of ranks: sums and means over the parts of a batch, with gradients to every rank."""

from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn

from aam.batch import RankSlice


class OutOfMemoryElsewhereError(torch.OutOfMemoryError):
    """Another rank has run out of memory and will not take part in the next collective operation."""


def raise_if_any_rank_ran_out_of_memory(is_out_of_memory: bool = False) -> None:
    """Wait for all ranks; if one has run out of memory, raise on the others.

    Every rank calls this before each collective operation of a step, and once at the step's end. A rank that has run out of
    memory calls it instead, so that nobody waits for it and all give the step up at one place. What is sent is one number in
    main memory: a GPU is not waited for.

    Parameters
    ----------
    is_out_of_memory
        Whether this rank has run out of memory.

    Raises
    ------
    OutOfMemoryElsewhereError
        Another rank has run out of memory, and this one has not.
    """
    any_is_out = torch.tensor(int(is_out_of_memory))
    dist.all_reduce(any_is_out, op=dist.ReduceOp.MAX)
    if any_is_out and not is_out_of_memory:
        raise OutOfMemoryElsewhereError("another rank has run out of memory")


def sum_over_ranks(x: Tensor, share: RankSlice | None) -> Tensor:
    """Sum a tensor over all ranks; the gradient on each rank is that of all ranks' results together.

    Every rank must call this, in the same order. Adding zeros is exact, so a sum also gathers values that ranks hold at different
    positions.

    Parameters
    ----------
    x
        Tensor of the same shape on every rank.
    share
        Part of the batch that this rank has; None on a single process.

    Returns
    -------
    Tensor
        Sum, of the shape and dtype of `x`; `x` itself on a single process.
    """
    return x if share is None else _Sum.apply(x)  # type: ignore[return-value]


class _Sum(torch.autograd.Function):
    """Sums over ranks, and the gradients likewise."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Sum the tensors of all ranks."""
        summed = x.clone(memory_format=torch.contiguous_format)
        raise_if_any_rank_ran_out_of_memory()
        dist.all_reduce(summed)
        return summed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Sum the gradients of all ranks."""
        return _Sum.forward(ctx, gradients[0])


def mean_over_ranks(total: Float[Tensor, ""], n: int, share: RankSlice | None) -> Float[Tensor, ""]:
    """Compute the mean of a loss over the terms of all ranks.

    It is the mean that a single rank with the whole batch has: a rank with few terms weighs little. As every rank has the same
    loss, the gradients, averaged over ranks as DDP and FSDP do, are those of that single rank: the gradient of the sum holds the
    number of ranks that they divide by.

    Parameters
    ----------
    total
        Sum of the loss over the terms of this rank, a scalar.
    n
        Number of terms of this rank.
    share
        Part of the batch that this rank has; None on a single process.

    Returns
    -------
    Tensor
        Mean, a scalar of the dtype of `total`; 0 where no rank has a term.
    """
    summed = sum_over_ranks(torch.stack([total, total.new_full((), n)]), share)
    return summed[0] / summed[1].detach().clamp(min=1)


def gather_samples(vectors: Float[Tensor, "B D"], share: RankSlice | None) -> Float[Tensor, "N D"]:
    """Gather the vectors of the samples of all ranks.

    Returns
    -------
    Tensor
        Vectors [N, D] in the order of the whole batch of N samples.
    """
    if share is None:
        return vectors
    placed = vectors.new_zeros(share.n_samples, vectors.shape[1]).index_copy(0, share.samples, vectors)
    return sum_over_ranks(placed, share)


def place_asv_vectors(encoded: Float[Tensor, "V D"], n_asvs: int, share: RankSlice | None) -> Float[Tensor, "U D"]:
    """Place the vectors of the ASVs that a rank has encoded at their positions among the batch's distinct ASVs.

    Parameters
    ----------
    encoded
        Vectors of the V ASVs that this rank has encoded.
    n_asvs
        Number of distinct ASVs of the whole batch, U.
    share
        Part of the batch that this rank has; None on a single process.

    Returns
    -------
    Tensor
        Vectors [U, D]; zeros for ASVs that the rank neither encodes nor needs.
    """
    if share is None:
        return encoded
    placed = encoded.new_zeros(n_asvs, encoded.shape[1]).index_copy(0, share.encoded, encoded)
    return sum_over_ranks(placed, share) if share.is_pooled else placed


def gather_asvs(vectors: Float[Tensor, "U D"], share: RankSlice | None) -> Float[Tensor, "U D"]:
    """Gather the vectors of the distinct ASVs of all ranks.

    Returns
    -------
    Tensor
        Vectors [U, D]; that of each ASV comes from the rank that counts it.
    """
    if share is None or share.is_pooled:
        return vectors
    placed = torch.zeros_like(vectors).index_copy(0, share.counted, vectors[share.counted])
    return sum_over_ranks(placed, share)


@torch.no_grad()
def average_gradients(weights: Iterable[nn.Parameter]) -> None:
    """Average over ranks the gradients of weights that every rank has whole, in place.

    A gradient that some ranks lack counts as zero there; one that all lack stays absent. Gradients are sent together once all are
    there, not while others are still computed: beside the work of a step they are small, and a rank that runs out of memory in the
    backward pass has then sent nothing.
    """
    weights = [weight for weight in weights if weight.requires_grad]
    has_gradient = torch.tensor([weight.grad is not None for weight in weights], dtype=torch.uint8)
    raise_if_any_rank_ran_out_of_memory()
    dist.all_reduce(has_gradient, op=dist.ReduceOp.MAX)
    used = [weight for weight, is_used in zip(weights, has_gradient.tolist(), strict=True) if is_used]
    if not used:
        return
    flat = torch.cat([(torch.zeros_like(weight) if weight.grad is None else weight.grad).flatten() for weight in used])
    raise_if_any_rank_ran_out_of_memory()
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for weight, gradient in zip(used, flat.split([weight.numel() for weight in used]), strict=True):
        weight.grad = gradient.view_as(weight)
