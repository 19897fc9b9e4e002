"""Between packed positions and padded rows: the one place where sets of different sizes are padded."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def pad_mask(offsets: Int[Tensor, "B1"]) -> Bool[Tensor, "B A"]:
    """Tell which positions of the padded rows are real."""
    lengths = offsets.diff()
    return torch.arange(int(lengths.max()), device=lengths.device) < lengths[:, None]


def pad(packed: Float[Tensor, "T ..."], mask: Bool[Tensor, "B A"]) -> Float[Tensor, "B A ..."]:
    """Give every set a row of its own, with zeros after its last position."""
    padded = packed.new_zeros(*mask.shape, *packed.shape[1:])
    padded[mask] = packed
    return padded
