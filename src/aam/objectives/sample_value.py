"""A number that each sample has, such as its diversity, read from the sample vector."""

from functools import partial

import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import Metric

from aam.batch import Batch, BatchTarget, Encoding
from aam.config.model import ModelConfig
from aam.distributed.collective import mean_over_ranks
from aam.ecology.resources import StudyResources
from aam.figures import draw_regression
from aam.metrics.regression import regression_metrics
from aam.nn.abundance import Standardise
from aam.objectives.baselines import MeanBaseline
from aam.objectives.objective import Baseline, Settings, UnlabelledObjective, ValidationSummary
from aam.objectives.sample_distance import measure_of


class SampleValue(UnlabelledObjective):
    """Predict a value of each sample's reads.

    It is learned standardised by mean and standard deviation of one batch of training samples (`calibrate`), which then stay. The
    sample vectors that the head reads are standardised likewise, by statistics that are learned further.

    Parameters
    ----------
    name
        Of the value, in the table.
    dim
        Width of the sample vectors.
    """

    headline = "r2"

    def __init__(self, name: str, dim: int) -> None:
        super().__init__()
        self.name = name
        self.standardise = Standardise(dim)
        self.head = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, 1))
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("std", torch.ones(()))

    @classmethod
    def build(cls, config: ModelConfig, name: str, settings: Settings) -> "SampleValue":
        """Build the head."""
        return cls(name, config.embedding_dim)

    def target(self, resources: StudyResources) -> BatchTarget:
        """Compute the value of each sample, from the reads that were drawn."""
        return partial(measure_of(self.name), resources=resources)  # type: ignore[return-value]

    def calibrate(self, encoding: Encoding, batch: Batch) -> None:
        """Standardise what the head reads and what it predicts."""
        truth = self._truth(batch)
        self.standardise.fit(encoding.samples.sample_vectors)
        self.get_buffer("mean").copy_(truth.mean())
        std = truth.std(correction=0)
        self.get_buffer("std").copy_(std if std > 0 else torch.ones_like(std))

    def forward(self, encoding: Encoding, batch: Batch) -> Float[Tensor, "B"]:
        """Give each sample's value, standardised."""
        return self.head(self.standardise(encoding.samples.sample_vectors)).squeeze(1)

    def loss(self, prediction: Float[Tensor, "B"], batch: Batch) -> Float[Tensor, ""]:
        """Huber loss in standard deviations."""
        truth = (self._truth(batch) - self.get_buffer("mean")) / self.get_buffer("std")
        total = F.huber_loss(prediction, truth.to(prediction.dtype), reduction="sum")
        return mean_over_ranks(total, len(truth), batch.share)

    def metrics(self) -> dict[str, Metric]:
        """Errors and correlations in the value's own units."""
        return regression_metrics()

    def scored(self, prediction: Float[Tensor, "B"], batch: Batch) -> tuple[Tensor, Tensor]:
        """Predicted and true values in own units."""
        return prediction * self.get_buffer("std") + self.get_buffer("mean"), self._truth(batch)

    def baseline(self) -> Baseline:
        """Predict the mean of training samples."""
        return MeanBaseline(self._truth)

    def draw(self, prediction: Tensor, truth: Tensor, overall: ValidationSummary) -> Figure:
        """Predicted against true values."""
        r2 = float(overall.metrics["r2"])
        return draw_regression(prediction.numpy(), truth.numpy(), self.name, r2, overall.n)

    def _truth(self, batch: Batch) -> Tensor:
        return batch.targets[self.name]
