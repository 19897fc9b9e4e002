"""Between packed pairs and padded rows: the one place where a sample's ASVs are padded."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def pad_mask(sample_offsets: Int[Tensor, "B1"]) -> Bool[Tensor, "B A"]:
    """Tell which positions of the padded rows are real."""
    lengths = sample_offsets.diff()
    return torch.arange(int(lengths.max()), device=lengths.device) < lengths[:, None]


def pad(packed: Float[Tensor, "T D"], mask: Bool[Tensor, "B A"]) -> Float[Tensor, "B A D"]:
    """Give every sample a row of its own, with zeros after its last ASV."""
    padded = packed.new_zeros(*mask.shape, packed.shape[-1])
    padded[mask] = packed
    return padded
