"""What ranks compute together: sums and means over the parts of a batch, with gradients to every rank."""

from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn

from aam.batch import RankSlice


class OutOfMemoryElsewhereError(torch.OutOfMemoryError):
    """Another rank has run out of memory, and will not come to what ranks compute together next."""


def raise_if_any_rank_ran_out_of_memory(is_out_of_memory: bool = False) -> None:
    """Wait for all ranks; if memory does not suffice on one, raise on the others.

    Every rank comes here before each thing that a step computes together, and once at the step's end. A rank that has run out of
    memory comes here instead, so that nobody waits for it and all give the step up at one place. What is sent is one number in
    main memory: a GPU is not waited for.

    Raises
    ------
    OutOfMemoryElsewhereError
        Another rank came here out of memory.
    """
    any_is_out = torch.tensor(int(is_out_of_memory))
    dist.all_reduce(any_is_out, op=dist.ReduceOp.MAX)
    if any_is_out and not is_out_of_memory:
        raise OutOfMemoryElsewhereError("another rank has run out of memory")


def sum_over_ranks(x: Tensor, share: RankSlice | None) -> Tensor:
    """Add up a tensor of one shape over all ranks; the gradient of each rank is that of all ranks' results together.

    Every rank must come here, in the same order. Adding zeros is exact, so a sum also brings together what ranks have in different
    places.
    """
    return x if share is None else _Sum.apply(x)  # type: ignore[return-value]


class _Sum(torch.autograd.Function):
    """Adds up over ranks, and the gradients likewise."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Add up the tensors."""
        summed = x.clone(memory_format=torch.contiguous_format)
        raise_if_any_rank_ran_out_of_memory()
        dist.all_reduce(summed)
        return summed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Add up the gradients."""
        return _Sum.forward(ctx, gradients[0])


def mean_over_ranks(total: Float[Tensor, ""], n: int, share: RankSlice | None) -> Float[Tensor, ""]:
    """Divide the sum of a loss over what the batch of all ranks holds by how much that is; 0 where it is nothing.

    Ranks with little weigh little: it is the mean that one rank with the whole batch has. That every rank has the same loss makes
    its gradients, averaged over ranks as DDP and FSDP do, those of that one rank: the sum's gradient holds what they divide by.
    """
    summed = sum_over_ranks(torch.stack([total, total.new_full((), n)]), share)
    return summed[0] / summed[1].detach().clamp(min=1)


def gather_samples(vectors: Float[Tensor, "B D"], share: RankSlice | None) -> Float[Tensor, "N D"]:
    """Give the vectors of the samples of all ranks, in the order of the whole batch."""
    if share is None:
        return vectors
    placed = vectors.new_zeros(share.n_samples, vectors.shape[1]).index_copy(0, share.samples, vectors)
    return sum_over_ranks(placed, share)


def place_asv_vectors(encoded: Float[Tensor, "V D"], n_asvs: int, share: RankSlice | None) -> Float[Tensor, "U D"]:
    """Lay the vectors that a rank has encoded among those of the batch's distinct ASVs; zeros where it has, and needs, none."""
    if share is None:
        return encoded
    placed = encoded.new_zeros(n_asvs, encoded.shape[1]).index_copy(0, share.encoded, encoded)
    return sum_over_ranks(placed, share) if share.is_pooled else placed


def gather_asvs(vectors: Float[Tensor, "U D"], share: RankSlice | None) -> Float[Tensor, "U D"]:
    """Give the vectors of the distinct ASVs of all ranks; each comes from the rank where it counts."""
    if share is None or share.is_pooled:
        return vectors
    placed = torch.zeros_like(vectors).index_copy(0, share.counted, vectors[share.counted])
    return sum_over_ranks(placed, share)


@torch.no_grad()
def average_gradients(weights: Iterable[nn.Parameter]) -> None:
    """Average the gradients of weights that every rank has whole.

    A gradient that some ranks lack counts as zero there; one that all lack stays absent. They are sent together once all are
    there, not while others are still computed: beside the work of a step they are small, and a rank that runs out of memory in the
    backward pass has then sent nothing.
    """
    weights = [weight for weight in weights if weight.requires_grad]
    is_used = torch.tensor([weight.grad is not None for weight in weights], dtype=torch.uint8)
    raise_if_any_rank_ran_out_of_memory()
    dist.all_reduce(is_used, op=dist.ReduceOp.MAX)
    used = [weight for weight, is_one in zip(weights, is_used.tolist(), strict=True) if is_one]
    if not used:
        return
    joined = torch.cat([(torch.zeros_like(each) if each.grad is None else each.grad).flatten() for each in used])
    raise_if_any_rank_ran_out_of_memory()
    dist.all_reduce(joined)
    joined /= dist.get_world_size()
    for weight, gradient in zip(used, joined.split([weight.numel() for weight in used]), strict=True):
        weight.grad = gradient.view_as(weight)
