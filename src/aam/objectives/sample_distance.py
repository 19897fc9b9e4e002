"""Distances between samples, read as distances between sample vectors."""

import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import Metric

from aam.batch import Batch
from aam.encoding import Encoding
from aam.figures import draw_regression
from aam.metrics.regression import regression_metrics
from aam.nn.gather import rows
from aam.objectives.objective import Objective, Overall

TARGET = "distance"
"""Name of the square matrix among a batch's targets."""


class SampleDistance(Objective):
    """Make the Euclidean distance between sample vectors, per √width, equal a distance between samples such as UniFrac.

    The head has no weights: whoever holds the vectors holds the distances.
    """

    def forward(self, encoding: Encoding, batch: Batch) -> Float[Tensor, "P"]:
        """Give the distance of each pair of samples, in the order of `torch.triu_indices`."""
        vectors = encoding.samples.sample_vectors
        first, second = _pairs(batch)
        return torch.linalg.vector_norm(rows(vectors, first) - rows(vectors, second), dim=1) / vectors.shape[1] ** 0.5

    def loss(self, prediction: Float[Tensor, "P"], batch: Batch) -> Float[Tensor, ""]:
        """Mean squared error over the pairs; 0 for a batch of one sample."""
        if not len(prediction):
            return prediction.sum()
        return F.mse_loss(prediction, self._truth(batch).to(prediction.dtype))

    def metrics(self) -> dict[str, Metric]:
        """Errors and correlations over the pairs within batches."""
        return regression_metrics()

    def scored(self, prediction: Float[Tensor, "P"], batch: Batch) -> tuple[Tensor, Tensor]:
        """Predicted and true distances."""
        return prediction, self._truth(batch)

    def draw(self, prediction: Tensor, truth: Tensor, overall: Overall) -> Figure:
        """Predicted against true distances."""
        name, r2 = "distance between samples", float(overall.metrics["r2"])
        return draw_regression(prediction.numpy(), truth.numpy(), name, r2, overall.n, "pairs of samples")

    @staticmethod
    def _truth(batch: Batch) -> Tensor:
        first, second = _pairs(batch)
        return batch.targets[TARGET][first, second]


def _pairs(batch: Batch) -> tuple[Tensor, Tensor]:
    device = batch.sample_index.device
    first, second = torch.triu_indices(batch.n_samples, batch.n_samples, offset=1, device=device)
    return first, second
