"""Distances between samples, read as distances between sample vectors."""

from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import Metric

from aam.batch import Batch
from aam.config.model import ModelConfig
from aam.config.objective_table import OBJECTIVES
from aam.config.objectives import ObjectivesConfig
from aam.drawn import BatchTarget
from aam.ecology.resources import Measure, StudyResources
from aam.encoding import Encoding
from aam.figures import draw_regression
from aam.loading import load
from aam.metrics.regression import regression_metrics
from aam.nn.gather import rows
from aam.objectives.mean_baseline import MeanBaseline
from aam.objectives.objective import Overall
from aam.objectives.unlabelled import Baseline, Settings, UnlabelledObjective

TARGET = "distance"
"""Name of the user's own matrix in the table."""


def measure_of(name: str) -> Measure:
    """Load the function that computes a distance or a value, by its name in the table."""
    path = OBJECTIVES[name].measure
    assert path is not None, f"{name} has no measure"
    return load(path)


class SampleDistance(UnlabelledObjective):
    """Make the Euclidean distance between sample vectors, per √width, equal a distance between samples such as UniFrac.

    Without a projection the head has no weights: whoever holds the vectors holds the distances. Only one distance can be had so;
    each further one is read from a linear map of the vectors. If any distance among the first samples is beyond 1, distances are
    learned in units of ``unit``, the mean of those.

    Parameters
    ----------
    name
        Of the distance, in the table.
    dim
        Width of a linear map of the sample vectors; None to read the vectors themselves.
    """

    headline = "r2"

    def __init__(self, name: str = TARGET, dim: int | None = None) -> None:
        super().__init__()
        self.name = name
        self.projection = nn.Identity() if dim is None else nn.Linear(dim, dim, bias=False)
        if isinstance(self.projection, nn.Linear):
            nn.init.eye_(self.projection.weight)
        self.register_buffer("unit", torch.ones(()))

    @classmethod
    def settle(cls, options: ObjectivesConfig, resources: StudyResources) -> dict[str, Any]:
        """Leave the vectors themselves to the first distance that was named."""
        pairwise = [name for name in options.encoder_type if OBJECTIVES[name].needs_pairs]
        return {"unprojected": pairwise[0]} if pairwise else {}

    @classmethod
    def build(cls, config: ModelConfig, name: str, settings: Settings) -> "SampleDistance":
        """Build with a projection, unless it is the first distance."""
        return cls(name, None if settings.get("unprojected", name) == name else config.embedding_dim)

    def target(self, resources: StudyResources) -> BatchTarget:
        """Compute the distances of the samples of a batch, from the reads that were drawn."""
        return partial(measure_of(self.name), resources=resources)  # type: ignore[return-value]

    def vector_scale(self, encoding: Encoding, batch: Batch) -> float | None:
        """Bring the vectors to the mean distance that the samples have, in the unit of learning."""
        if isinstance(self.projection, nn.Linear):
            return None
        return self._missing_factor(encoding, batch)

    def calibrate(self, encoding: Encoding, batch: Batch) -> None:
        """Settle the unit, and let a projection start from the mean distance that the samples have."""
        self.get_buffer("unit").copy_(self._unit_of(batch))
        if isinstance(self.projection, nn.Linear):
            self.projection.weight.data.mul_(self._missing_factor(encoding, batch) or 1.0)

    def forward(self, encoding: Encoding, batch: Batch) -> Float[Tensor, "P"]:
        """Give the distance of each pair of samples in units of ``unit``, in the order of `torch.triu_indices`."""
        vectors = self.projection(encoding.samples.sample_vectors)
        first, second = _pairs(batch)
        return torch.linalg.vector_norm(rows(vectors, first) - rows(vectors, second), dim=1) / vectors.shape[1] ** 0.5

    def loss(self, prediction: Float[Tensor, "P"], batch: Batch) -> Float[Tensor, ""]:
        """Mean squared error over the pairs; 0 for a batch of one sample."""
        if not len(prediction):
            return prediction.sum()
        return F.mse_loss(prediction, (self._truth(batch) / self.get_buffer("unit")).to(prediction.dtype))

    def metrics(self) -> dict[str, Metric]:
        """Errors and correlations over the pairs within batches."""
        return regression_metrics()

    def scored(self, prediction: Float[Tensor, "P"], batch: Batch) -> tuple[Tensor, Tensor]:
        """Predicted and true distances, in their own units."""
        return prediction * self.get_buffer("unit"), self._truth(batch)

    def baseline(self) -> Baseline:
        """Predict the mean distance of training samples for every pair."""
        return MeanBaseline(self._truth)

    def draw(self, prediction: Tensor, truth: Tensor, overall: Overall) -> Figure:
        """Predicted against true distances."""
        name = "distance between samples" if self.name == TARGET else f"{self.name} between samples"
        r2 = float(overall.metrics["r2"])
        return draw_regression(prediction.numpy(), truth.numpy(), name, r2, overall.n, "pairs of samples")

    def _truth(self, batch: Batch) -> Tensor:
        first, second = _pairs(batch)
        return batch.targets[self.name][first, second]

    def _unit_of(self, batch: Batch) -> Tensor:
        truth = self._truth(batch)
        is_large = bool(len(truth)) and bool(truth.max() > 1)
        return truth.mean() if is_large else torch.ones_like(self.get_buffer("unit"))

    def _missing_factor(self, encoding: Encoding, batch: Batch) -> float | None:
        predicted, truth = self(encoding, batch), self._truth(batch) / self._unit_of(batch)
        if len(truth) and predicted.mean() > 0 and truth.mean() > 0:
            return float(truth.mean() / predicted.mean())
        return None


def _pairs(batch: Batch) -> tuple[Tensor, Tensor]:
    device = batch.sample_index.device
    first, second = torch.triu_indices(batch.n_samples, batch.n_samples, offset=1, device=device)
    return first, second
