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
    """Add abundances to the ASVs' vectors, and apply a transformer to the ASVs of each sample; their order does not matter."""

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
        """Encode each sample's ASVs in the context of their sample.

        Parameters
        ----------
        asv_vectors
            Vectors of the batch's distinct ASVs, [U, D].
        batch
            The samples.
        hidden
            Packed pairs that are read without their abundance, [Q].
        hidden_asvs
            Packed pairs that are read without their ASV's vector, [G].

        Returns
        -------
        Tensor
            One vector per packed pair, [T, D].
        """
        vectors = gather_rows(self.standardise(asv_vectors), batch.asv_index)
        if hidden_asvs is not None:
            unknown = self.hidden_asv.to(vectors.dtype).expand(len(hidden_asvs), -1)
            vectors = vectors.index_copy(0, hidden_asvs, unknown)
        return self.transformer(self.counts(vectors, batch, hidden), Packed(batch.sample_offsets))
