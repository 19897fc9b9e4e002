"""Scaled dot-product attention inside rows of equal length, or inside sets of any size that lie one after the other."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

logger = logging.getLogger(__name__)

KERNELS = {
    "flash": (SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH),
    "mem_efficient": (SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH),
    "math": (SDPBackend.MATH,),
}
"""By the value of ``--attn-implementation``: the kernel, and those that take its place where it cannot read a mask."""

POSITIONS_AT_A_TIME = 1024
"""Most positions, of whole sets, that a CPU reads at a time; their hidden layer takes 2 MB at width 128."""


@contextmanager
def attention_kernel(name: str, device: torch.device, dtype: torch.dtype) -> Iterator[None]:
    """Run all attention in the block on one kind of kernel, in the backward pass, too.

    Parameters
    ----------
    name
        A key of `KERNELS`, or ``sdpa`` for PyTorch's choice. One that cannot run is replaced by ``sdpa`` with one warning.
    device, dtype
        Device and number format of the attention.
    """
    if name == "sdpa":
        yield
    elif not _can_run(KERNELS[name][0], device, dtype):
        logger.warning(
            "--attn-implementation %s cannot run on this device (%s) in %s; PyTorch chooses the kernel (sdpa).",
            name, device.type, str(dtype).removeprefix("torch."),
        )  # fmt: skip
        yield
    else:
        with sdpa_kernel(list(KERNELS[name])):
            yield


def _can_run(kernel: SDPBackend, device: torch.device, dtype: torch.dtype) -> bool:
    sample = torch.zeros(1, 1, 8, 8, device=device, dtype=dtype)
    with sdpa_kernel(kernel), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns of each reason, and then raises
        try:
            F.scaled_dot_product_attention(sample, sample, sample)
        except RuntimeError:
            return False
    return True


def gather_rows(matrix: Float[Tensor, "N D"], index: Int[Tensor, "T"]) -> Float[Tensor, "T D"]:
    """Return ``matrix[index]``, [T, D]; where a row is read more than once, its gradient is the same in every run.

    The gradient of plain indexing is summed by all threads of a CPU at once, in an order that changes from run to run, if it has
    32,768 elements or more; then no two trainings are equal.
    """
    return F.embedding(index, matrix)


def pad_mask(offsets: Int[Tensor, "B1"]) -> Bool[Tensor, "B A"]:
    """Return which positions of the padded rows are real, [B, A]."""
    lengths = offsets.diff()
    return torch.arange(int(lengths.max()), device=lengths.device) < lengths[:, None]


def pad(packed: Float[Tensor, "T ..."], mask: Bool[Tensor, "B A"]) -> Float[Tensor, "B A ..."]:
    """Return one row per set, with zeros after its last position, [B, A, ...]."""
    padded = packed.new_zeros(*mask.shape, *packed.shape[1:])
    padded[mask] = packed
    return padded


@dataclass(frozen=True)
class PaddedLayout:
    """Positions as rows of a block [B, A, ...]; each position attends to the real ones of its row.

    Attributes
    ----------
    mask
        Which positions are real, [B, A]; None if all are, which is faster.
    """

    mask: Bool[Tensor, "B A"] | None = None

    def parts(self, x: Tensor) -> list[tuple[Tensor, "PaddedLayout"]]:
        """Return all rows as one part: the caller has chosen how many rows to read at a time."""
        return [(x, self)]

    def attend(
        self, query: Float[Tensor, "B Q H d"], key: Float[Tensor, "B A H d"], value: Float[Tensor, "B A H d"]
    ) -> Float[Tensor, "B Q H d"]:
        """Compute the attention of each row's queries to its keys and values, [B, Q, H, d]."""
        mask = None if self.mask is None else self.mask[:, None, None, :]
        query, key, value = (part.transpose(1, 2) for part in (query, key, value))
        return _attention(query, key, value, mask).transpose(1, 2)


@dataclass(frozen=True)
class Packed:
    """Positions of all sets one after the other, [T, ...]; each attends to those of its set. On a CPU, nothing is padded.

    Attributes
    ----------
    offsets
        Set ``i`` holds the positions from ``offsets[i]`` to before ``offsets[i + 1]``; [B + 1].
    """

    offsets: Int[Tensor, "B1"]

    def parts(self, x: Float[Tensor, "T D"]) -> list[tuple[Tensor, "Packed"]]:
        """Cut positions between sets into parts that stay in a CPU's cache; on a GPU, return all as one part."""
        if x.device.type != "cpu" or len(x) <= POSITIONS_AT_A_TIME:
            return [(x, self)]
        ends, starts = self.offsets.tolist(), [0]
        for number in range(1, len(ends) - 1):
            if ends[number + 1] - ends[starts[-1]] > POSITIONS_AT_A_TIME:
                starts.append(number)
        bounds = pairwise([*starts, len(ends) - 1])
        return [(x[ends[a] : ends[b]], Packed(self.offsets[a : b + 1] - self.offsets[a])) for a, b in bounds]

    def attend(
        self, query: Float[Tensor, "Q H d"], key: Float[Tensor, "T H d"], value: Float[Tensor, "T H d"]
    ) -> Float[Tensor, "Q H d"]:
        """Compute the attention of each set's queries to its keys and values; one query per position (Q = T) or per set (Q = B)."""
        ends = self.offsets
        if len(ends) == 1:  # a rank without samples: nothing, with the gradients, zeros, that the others have
            return query * (key.sum() + value.sum())
        query_ends = ends if len(query) == len(key) else torch.arange(len(ends), device=ends.device)
        one_by_one = query.device.type == "cpu"
        return (_attend_one_by_one if one_by_one else attend_padded)(query, key, value, query_ends, ends)


def attend_padded(query: Tensor, key: Tensor, value: Tensor, query_ends: Tensor, ends: Tensor) -> Tensor:
    """Compute attention inside all sets in one call, padded to the largest: few and large kernels, as GPUs need them.

    Parameters
    ----------
    query, key, value
        Packed, [Q, H, d], [T, H, d] and [T, H, d].
    query_ends, ends
        Offsets of each set's queries, and of its keys and values, [B + 1].

    Returns
    -------
    Tensor
        Attention of each query, [Q, H, d].
    """
    query_mask, mask = pad_mask(query_ends), pad_mask(ends)
    return PaddedLayout(mask).attend(pad(query, query_mask), pad(key, mask), pad(value, mask))[query_mask]


def _attend_one_by_one(query: Tensor, key: Tensor, value: Tensor, query_ends: Tensor, ends: Tensor) -> Tensor:
    attended = []
    for query_bounds, bounds in zip(pairwise(query_ends.tolist()), pairwise(ends.tolist()), strict=True):
        parts = query[slice(*query_bounds)], key[slice(*bounds)], value[slice(*bounds)]
        attended.append(_attention(*(part.transpose(0, 1)[None] for part in parts))[0].transpose(0, 1))
    return torch.cat(attended)


def _attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """Compute attention, [B, H, A, d]; on a CPU in float32, as the backward pass of bfloat16 attention is far slower there."""
    if query.device.type != "cpu" or query.dtype != torch.bfloat16:
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    with torch.autocast("cpu", enabled=False):
        return F.scaled_dot_product_attention(query.float(), key.float(), value.float(), attn_mask=mask)
