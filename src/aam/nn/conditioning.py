"""The features of samples, changed by further columns of their metadata."""

from jaxtyping import Float
from torch import Tensor, nn

from aam.batch import Batch
from aam.config.conditioning import ConditioningConfig
from aam.config.model import ModelConfig
from aam.encoding import SampleEncoding
from aam.nn.condition_vectors import ConditionShape, ConditionVectors
from aam.nn.fusion import FUSIONS
from aam.nn.standardise import Standardise


class Conditioning(nn.Module):
    """Standardises features, so that they and the vectors of metadata are of one size, and fuses both.

    Parameters
    ----------
    config
        Shape of the model.
    width
        F.
    shape
        Of the metadata.
    options
        How.
    """

    def __init__(self, config: ModelConfig, width: int, shape: ConditionShape, options: ConditioningConfig) -> None:
        super().__init__()
        kind = FUSIONS[options.categorical_fusion]
        self.standardise = Standardise(width)
        self.vectors = ConditionVectors(shape, kind.vector_width(config, width), options.category_dropout)
        self.fusion = kind(config, width, shape.n_vectors)

    def forward(self, features: Float[Tensor, "B F"], samples: SampleEncoding, batch: Batch) -> Float[Tensor, "B F"]:
        """Give the features as the target's head is to read them."""
        return self.fusion(self.standardise(features), self.vectors(batch), samples)
