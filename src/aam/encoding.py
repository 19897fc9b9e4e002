"""What a model makes of a batch: the vectors that objectives read."""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class SampleEncoding:
    """Vectors of the samples of a batch.

    Attributes
    ----------
    context
        Each sample's ASVs in the context of their sample, packed: [T, D].
    sample_offsets
        Sample ``i`` holds those from ``sample_offsets[i]`` to before ``sample_offsets[i + 1]``, [B + 1].
    sample_vectors
        One vector per sample, [B, D].
    """

    context: Float[Tensor, "T D"]
    sample_offsets: Int[Tensor, "B1"]
    sample_vectors: Float[Tensor, "B D"]


@dataclass(frozen=True)
class Encoding:
    """All that objectives may read.

    Attributes
    ----------
    samples
        The samples as they are.
    masked_nucleotides
        Vectors of the patches that hold the masked nucleotides, [R, K, D]; None where none are masked.
    hidden_context
        Vectors of the pairs whose abundance was hidden, read with it hidden, [Q, D]; None where none are.
    hidden_asv_context
        Vectors of the pairs whose ASV was hidden, read with it hidden, [G, D]; None where none are.
    asv_vectors
        Vectors of the distinct ASVs, from their nucleotides alone, [U, D]; None where they were not needed.
    target_features
        What the heads for the user's target read, [B, F]; None in a model without such heads.
    """

    samples: SampleEncoding
    masked_nucleotides: Float[Tensor, "R K D"] | None = None
    hidden_context: Float[Tensor, "Q D"] | None = None
    hidden_asv_context: Float[Tensor, "G D"] | None = None
    asv_vectors: Float[Tensor, "U D"] | None = None
    target_features: Float[Tensor, "B F"] | None = None
