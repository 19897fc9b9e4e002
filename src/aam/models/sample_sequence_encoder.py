"""The ASVs of a sample in the context of each other and of their abundances."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from aam.batch import Batch
from aam.config.model import ModelConfig
from aam.nn.abundance import CountEmbedding, Standardise
from aam.nn.attention import Packed, gather_rows
from aam.nn.transformer import Transformer


class SampleSequenceEncoder(nn.Module):
    """Give each ASV's vector its abundance, and let the ASVs of a sample read each other; their order is nothing."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim = config.embedding_dim
        self.standardise = Standardise(dim)
        self.counts = CountEmbedding(config)
        self.hidden_asv = nn.Parameter(torch.randn(dim) * dim**-0.5)
        self.transformer = Transformer(config)

    def forward(
        self,
        asv_vectors: Float[Tensor, "U D"],
        batch: Batch,
        hidden: Int[Tensor, "Q"] | None = None,
        hidden_asvs: Int[Tensor, "G"] | None = None,
    ) -> Float[Tensor, "T D"]:
        """Give each sample's ASVs in context, packed.

        ``hidden`` pairs are read without abundance, ``hidden_asvs`` without knowing which ASV it is.
        """
        vectors = gather_rows(self.standardise(asv_vectors), batch.asv_index)
        if hidden_asvs is not None:
            nothing = self.hidden_asv.to(vectors.dtype).expand(len(hidden_asvs), -1)
            vectors = vectors.index_copy(0, hidden_asvs, nothing)
        return self.transformer(self.counts(vectors, batch, hidden), Packed(batch.sample_offsets))
