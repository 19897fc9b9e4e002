"""The stem of the ASV encoder, which turns patches of neighbouring nucleotides into one position each."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from aam import vocabulary
from aam.config.model import ModelConfig


class PatchStem(nn.Module):
    """Embed patches of neighbouring nucleotides, as vision transformers embed patches of pixels (Dosovitskiy et al. 2021).

    A patch is the sum of its nucleotides' embeddings, one table by their position in the patch and one by their position in the
    sequence, plus an embedding of the patch's position. From the first step on, ASVs that differ in a nucleotide have different
    vectors: amplicons of one region are nearly aligned. With a patch of one nucleotide, this is the usual embedding.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.size, dim = config.patch_size, config.embedding_dim
        n_patches = -(-config.max_bp // self.size)
        self.in_patch = nn.Parameter(torch.randn(self.size * vocabulary.SIZE, dim) * dim**-0.5)
        self.in_sequence = nn.Parameter(torch.randn(n_patches * self.size * vocabulary.SIZE, dim) * dim**-0.5)
        self.place = nn.Parameter(torch.randn(n_patches, dim) * dim**-0.5)

    def forward(self, tokens: Int[Tensor, "U L"]) -> Float[Tensor, "U P D"]:
        """Compute one vector per patch, [U, P, D]."""
        n_asvs, patches = len(tokens), _in_patches(tokens, self.size)  # U P S
        n_patches = patches.shape[1]
        table = self.in_sequence + self.in_patch.repeat(len(self.place), 1)
        first = torch.arange(n_patches * self.size, device=tokens.device).view(n_patches, self.size) * vocabulary.SIZE
        summed = F.embedding_bag((patches + first).flatten(0, 1), table, mode="sum")
        return summed.view(n_asvs, n_patches, table.shape[1]) + self.place[:n_patches]


def patch_mask(tokens: Int[Tensor, "U L"], size: int) -> Bool[Tensor, "U P"]:
    """Return which patches hold a nucleotide, [U, P]; the first always counts, so that every row has a position to read."""
    mask = (_in_patches(tokens, size) != vocabulary.PAD).any(dim=-1)
    return mask | (torch.arange(mask.shape[1], device=mask.device) == 0)


def _in_patches(tokens: Tensor, size: int) -> Tensor:
    """Cut sequences into patches, [U, P, S]; the last is filled with padding."""
    tokens = F.pad(tokens, (0, -tokens.shape[1] % size), value=vocabulary.PAD)
    return tokens.unflatten(1, (-1, size))
