"""A SequenceEncoder with heads for the user's target and for counts."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from aam.batch import Batch, Encoding, SampleEncoding
from aam.models.asv_encoder import ASVEncoder
from aam.models.sequence_encoder import SequenceEncoder
from aam.nn.attention import Packed
from aam.nn.covariates import CovariateConditioning
from aam.nn.transformer import AttentionPooling
from aam.objectives.objective import Objective
from aam.objectives.target import Target


class SequencePredictor(nn.Module):
    """Fine-tune a `SequenceEncoder` on a metadata column.

    The heads read the sample vector and a second pooling of the ASVs, so that a target may depend on other ASVs than the distances
    between samples do. A conditioning changes these features by covariates.
    """

    def __init__(
        self,
        base_model: SequenceEncoder,
        objectives: dict[str, Objective],
        freeze_base: bool = False,
        conditioning: CovariateConditioning | None = None,
    ) -> None:
        super().__init__()
        self.base_model = base_model
        self.freeze_base = freeze_base
        self.pooling = AttentionPooling(base_model.config)
        self.objectives = nn.ModuleDict(objectives)
        self.conditioning = conditioning
        base_model.requires_grad_(not freeze_base)

    def train(self, mode: bool = True) -> "SequencePredictor":
        """Switch dropout on or off, and return the model; a frozen base never drops anything."""
        super().train(mode)
        if self.freeze_base:
            self.base_model.eval()
        return self

    def forward(self, batch: Batch) -> Encoding:
        """Compute all vectors that the batch asks for, and the input of the target's heads."""
        encoding = self.base_model(batch)
        return replace(encoding, target_features=self.target_features(encoding.samples, batch))

    def target_features(self, samples: SampleEncoding, batch: Batch) -> Float[Tensor, "B F"]:
        """Compute the input of the target's heads: microbial features, changed by the covariates if there are any; [B, F]."""
        features = self.microbial_features(samples)
        return features if self.conditioning is None else self.conditioning(features, samples, batch)

    def microbial_features(self, samples: SampleEncoding) -> Float[Tensor, "B F"]:
        """Concatenate the sample vectors with the second pooling of the samples' ASVs, [B, F]."""
        pooled = self.pooling(samples.context, Packed(samples.sample_offsets))
        return torch.cat([samples.sample_vectors, pooled], dim=1)

    @property
    def base_encoder(self) -> SequenceEncoder:
        """The encoder that the heads read."""
        return self.base_model

    @property
    def asv_encoder(self) -> ASVEncoder:
        """The base's encoder of ASVs."""
        return self.base_model.asv_encoder

    @property
    def target(self) -> Target:
        """The head for the user's target."""
        return self.objectives["target"]  # type: ignore[return-value]

    def active_objectives(self) -> dict[str, Objective]:
        """Return the objectives that this model can learn from, by name; those of a frozen base are left out."""
        heads = dict(self.objectives.items())
        return heads if self.freeze_base else {**self.base_model.active_objectives(), **heads}  # type: ignore[return-value]
