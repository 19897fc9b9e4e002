"""A value of each sample, such as its diversity, predicted from the sample vector."""

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

    The value is learned standardised by mean and standard deviation of one batch of training samples (`calibrate`), which stay
    fixed. The sample vectors that the head reads are standardised likewise, by statistics that training goes on to change.

    Parameters
    ----------
    name
        Name of the value in the table of objectives.
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
        """Return a new head."""
        return cls(name, config.embedding_dim)

    def target(self, resources: StudyResources) -> BatchTarget:
        """Return the function that computes the value of each sample from the reads drawn, float64 [B]."""
        return partial(measure_of(self.name), resources=resources)  # type: ignore[return-value]

    def calibrate(self, encoding: Encoding, batch: Batch) -> None:
        """Set the standardisation of the head's input and of its output from a batch of training samples."""
        truth = self._truth(batch)
        self.standardise.fit(encoding.samples.sample_vectors)
        self.get_buffer("mean").copy_(truth.mean())
        std = truth.std(correction=0)
        self.get_buffer("std").copy_(std if std > 0 else torch.ones_like(std))

    def forward(self, encoding: Encoding, batch: Batch) -> Float[Tensor, "B"]:
        """Predict each sample's value, standardised, [B]."""
        return self.head(self.standardise(encoding.samples.sample_vectors)).squeeze(1)

    def loss(self, prediction: Float[Tensor, "B"], batch: Batch) -> Float[Tensor, ""]:
        """Compute the mean Huber loss, in standard deviations."""
        truth = (self._truth(batch) - self.get_buffer("mean")) / self.get_buffer("std")
        total = F.huber_loss(prediction, truth.to(prediction.dtype), reduction="sum")
        return mean_over_ranks(total, len(truth), batch.share)

    def metrics(self) -> dict[str, Metric]:
        """Return errors and correlations in the value's own units, by name."""
        return regression_metrics()

    def scored(self, prediction: Float[Tensor, "B"], batch: Batch) -> tuple[Tensor, Tensor]:
        """Return predicted and true values in own units, [B] each."""
        return prediction * self.get_buffer("std") + self.get_buffer("mean"), self._truth(batch)

    def baseline(self) -> Baseline:
        """Return the baseline that predicts the mean of training samples."""
        return MeanBaseline(self._truth)

    def draw(self, prediction: Tensor, truth: Tensor, overall: ValidationSummary) -> Figure:
        """Draw predicted against true values."""
        r2 = float(overall.metrics["r2"])
        return draw_regression(prediction.numpy(), truth.numpy(), self.name, r2, overall.n)

    def _truth(self, batch: Batch) -> Tensor:
        return batch.targets[self.name]
