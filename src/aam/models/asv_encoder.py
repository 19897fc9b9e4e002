"""One vector per ASV, from its nucleotides."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from aam import vocabulary
from aam.config.model import ModelConfig
from aam.nn.attention import PaddedLayout
from aam.nn.patches import PatchStem, patch_mask
from aam.nn.transformer import AttentionPooling, Transformer, recomputed


class ASVEncoder(nn.Module):
    """Read the nucleotides of an ASV with a transformer, ``patch_size`` of them per position, and pool them into one vector.

    ASVs are read in chunks of ``asv_chunk_size``, ASVs of one length together, and with ``gradient_checkpointing`` little is kept
    of them for the backward pass; none of this changes a number.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = PatchStem(config)
        self.transformer = Transformer(config)
        self.pooling = AttentionPooling(config)

    def forward(self, tokens: Int[Tensor, "U L"]) -> Float[Tensor, "U D"]:
        """Compute one vector per ASV, [U, D]."""
        return self._in_chunks(self._pooled, tokens)

    def at_positions(self, tokens: Int[Tensor, "R L"], columns: Int[Tensor, "R K"]) -> Float[Tensor, "R K D"]:
        """Compute the vectors of the patches that hold the nucleotides at ``columns`` of each ASV, [R, K, D]."""
        return self._in_chunks(self._gathered, tokens, columns)

    def _in_chunks(self, encode: Callable[..., Tensor], tokens: Tensor, *aligned: Tensor) -> Tensor:
        """Encode ASVs chunk by chunk, sorted by length; rows of ``aligned`` go with those of ``tokens``."""
        lengths = (tokens != vocabulary.PAD).sum(dim=1)
        order = None if bool((lengths == lengths[:1]).all()) else lengths.argsort(stable=True)
        parts = [part if order is None else part[order] for part in (tokens, *aligned)]
        encoded = []
        for chunk, *rest in zip(*(part.split(self.config.asv_chunk_size) for part in parts), strict=True):
            longest = max([1, *(chunk != vocabulary.PAD).sum(dim=1).tolist()])  # a rank may have none to read
            encoded.append(encode(chunk[:, :longest], *rest))
        joined = torch.cat(encoded)
        return joined if order is None else joined.index_select(0, order.argsort())

    def _pooled(self, tokens: Tensor) -> Tensor:
        patches, layout = self._read(tokens)
        pool = self.pooling
        return recomputed(pool, patches, layout) if self.config.gradient_checkpointing else pool(patches, layout)

    def _gathered(self, tokens: Tensor, columns: Tensor) -> Tensor:
        patches, _ = self._read(tokens)
        last = patches.shape[1] - 1  # what is masked beyond a sequence's end is never scored
        index = (columns // self.config.patch_size).clamp(max=last)[:, :, None].expand(-1, -1, patches.shape[-1])
        return patches.gather(1, index)

    def _read(self, tokens: Tensor) -> tuple[Tensor, PaddedLayout]:
        mask = patch_mask(tokens, self.config.patch_size)
        layout = PaddedLayout(None if bool(mask.all()) else mask)  # equal lengths need no mask, and run faster without
        return self.transformer(self.stem(tokens), layout), layout
