"""The encoder of samples, with the heads that learn without labels."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from aam.batch import Batch, Encoding, SampleEncoding
from aam.config.model import ModelConfig
from aam.distributed.collective import place_asv_vectors
from aam.models.asv_encoder import ASVEncoder
from aam.models.sample_sequence_encoder import SampleSequenceEncoder
from aam.nn.attention import Packed, gather_rows
from aam.nn.transformer import AttentionPooling, Transformer
from aam.objectives.objective import UnlabelledObjective


class SequenceEncoder(nn.Module):
    """Encode nucleotides as ASV vectors, and these as one vector per sample; self-supervised objectives read both.

    Sample vectors are not normalised, since objectives compare their differences with distances between samples: ``scale`` brings
    them to the size of these distances.
    """

    def __init__(self, config: ModelConfig, objectives: dict[str, UnlabelledObjective]) -> None:
        super().__init__()
        self.config = config
        self.asv_encoder = ASVEncoder(config)
        self.sample_encoder = SampleSequenceEncoder(config)
        self.encoder = Transformer(config)
        self.pooling = AttentionPooling(config)
        self.scale = nn.Parameter(torch.ones(()))
        self.objectives = nn.ModuleDict(objectives)

    @property
    def base_encoder(self) -> "SequenceEncoder":
        """The encoder itself, as other models return theirs."""
        return self

    def asv_vectors(self, batch: Batch) -> Float[Tensor, "U D"]:
        """Return the vectors of the batch's distinct ASVs, [U, D]; those computed beforehand are not computed again."""
        if batch.asv_vectors is not None:
            return batch.asv_vectors.to(self.scale.dtype)
        tokens = batch.tokens if batch.share is None else batch.tokens[batch.share.encoded]
        return place_asv_vectors(self.asv_encoder(tokens), len(batch.tokens), batch.share)

    def encode_samples(self, asv_vectors: Float[Tensor, "U D"], batch: Batch) -> SampleEncoding:
        """Encode the samples of a batch from the vectors of its distinct ASVs, [U, D]."""
        layout = Packed(batch.sample_offsets)
        context = self.encoder(self.sample_encoder(asv_vectors, batch), layout)
        return SampleEncoding(context, batch.sample_offsets, self.pooling(context, layout) * self.scale)

    def encode_hidden(self, asv_vectors: Float[Tensor, "U D"], batch: Batch) -> Float[Tensor, "Q D"] | None:
        """Encode the pairs whose abundance is to be predicted, without showing it; [Q, D], or None without such pairs."""
        if batch.hidden is None:
            return None
        context = self.sample_encoder(asv_vectors, batch, batch.hidden)
        return gather_rows(self.encoder(context, Packed(batch.sample_offsets)), batch.hidden)

    def encode_hidden_asvs(self, asv_vectors: Float[Tensor, "U D"], batch: Batch) -> Float[Tensor, "G D"] | None:
        """Encode the pairs whose ASV is to be predicted, showing their abundance alone; [G, D], or None without such pairs."""
        if batch.hidden_asvs is None:
            return None
        context = self.sample_encoder(asv_vectors, batch, hidden_asvs=batch.hidden_asvs)
        return gather_rows(self.encoder(context, Packed(batch.sample_offsets)), batch.hidden_asvs)

    def forward(self, batch: Batch) -> Encoding:
        """Compute all vectors that the batch asks for."""
        asv_vectors = self.asv_vectors(batch)
        masked = batch.masked
        return Encoding(
            samples=self.encode_samples(asv_vectors, batch),
            masked_nucleotides=None if masked is None else self.asv_encoder.at_positions(masked.tokens, masked.columns),
            hidden_context=self.encode_hidden(asv_vectors, batch),
            hidden_asv_context=self.encode_hidden_asvs(asv_vectors, batch),
            asv_vectors=asv_vectors,
        )

    def active_objectives(self) -> dict[str, UnlabelledObjective]:
        """Return the objectives that this model can learn from, by name."""
        return dict(self.objectives.items())  # type: ignore[arg-type]
