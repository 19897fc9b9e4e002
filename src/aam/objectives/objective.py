"""Base classes of objectives: a head, a loss and metrics, on the encoding of a batch."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from matplotlib.figure import Figure
from torch import Tensor, nn
from torchmetrics import Metric

from aam.batch import AsvTarget, Batch, BatchTarget, Encoding
from aam.config.model import ModelConfig
from aam.config.objectives import ObjectivesConfig
from aam.ecology.resources import StudyResources


@dataclass(frozen=True)
class ValidationSummary:
    """Number and metrics of all validation predictions of an objective, for a picture that shows some of them.

    Attributes
    ----------
    n
        Number of validation predictions.
    metrics
        Values of the metrics, by name.
    """

    n: int
    metrics: Mapping[str, Tensor]

    @classmethod
    def compute(cls, n_scored: Metric, metrics: Mapping[str, Metric]) -> "ValidationSummary":
        """Compute the metrics over all processes and reset them for the next validation; ``n_scored`` sums up numbers."""
        n = int(n_scored.compute())
        overall = cls(n, {name: metric.compute() for name, metric in metrics.items()} if n else {})
        for metric in (n_scored, *metrics.values()):
            metric.reset()
        return overall


class Objective(nn.Module, ABC):
    """One thing to predict.

    A subclass holds its head, and makes metrics, which have no weights. The model owns objectives by name; the trainer adds up
    their losses, weighted.

    Attributes
    ----------
    headline
        Name of the metric that the progress bar shows, if any.
    """

    headline: ClassVar[str | None] = None

    @abstractmethod
    def forward(self, encoding: Encoding, batch: Batch) -> Tensor:
        """Compute the prediction, in the units of the loss."""

    @abstractmethod
    def loss(self, prediction: Tensor, batch: Batch) -> Tensor:
        """Compute the loss, a scalar; zero where the batch holds nothing to compare."""

    @abstractmethod
    def metrics(self) -> dict[str, Metric]:
        """Return new validation metrics, by name; those whose value is no single number are for the picture alone."""

    @abstractmethod
    def scored(self, prediction: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return prediction and truth in the units that metrics and plots show; the first axes agree."""

    def is_headline(self, metric: str) -> bool:
        """Return whether the progress bar shows a metric."""
        return metric == self.headline

    def draw(self, prediction: Tensor, truth: Tensor, overall: ValidationSummary) -> Figure | None:
        """Draw some of the `scored` predictions against the truth; None where no picture helps."""
        return None


Settings = Mapping[str, Any]
"""Values that an objective is built from beside the model's shape; plain ones, as the model directory keeps them as JSON."""


class Baseline(ABC):
    """A trivial prediction, fitted on training batches without a model, and scored on validation batches."""

    @abstractmethod
    def learn(self, batch: Batch) -> None:
        """Fit to a training batch, in addition to those before it."""

    @abstractmethod
    def score(self, batch: Batch) -> None:
        """Predict a validation batch, and score the prediction."""

    @abstractmethod
    def scores(self) -> dict[str, float]:
        """Return the metrics over all batches that were scored, by name."""


class UnlabelledObjective(Objective):
    """An objective whose true values are computed from the study itself; each is a row of `aam.config.objectives`.

    Attributes
    ----------
    masks
        Options that decide what a batch hides for it, as `Masking` names them.
    """

    masks: ClassVar[tuple[str, ...]] = ()

    @classmethod
    @abstractmethod
    def build(cls, config: ModelConfig, name: str, settings: Settings) -> "UnlabelledObjective":
        """Return a new objective, called ``name`` in the table."""

    @classmethod
    def choose_settings(cls, options: ObjectivesConfig, resources: StudyResources) -> dict[str, Any]:
        """Return the settings for a new model's objective."""
        return {}

    @classmethod
    def compatibility_key(cls, name: str, settings: Settings) -> Settings:
        """Return what settings mean for the objective called ``name``; with an equal key it can go on from earlier weights."""
        return settings

    def target(self, resources: StudyResources) -> BatchTarget | None:
        """Return the function that computes true values from the reads drawn; a batch keeps them by the objective's name."""
        return None

    def asv_target(self, resources: StudyResources) -> AsvTarget | None:
        """Return the function that computes true values for the distinct ASVs of a batch."""
        return None

    def vector_scale(self, encoding: Encoding, batch: Batch) -> float | None:
        """Return the factor by which to scale new sample vectors before training; None if their scale does not matter."""
        return None

    def calibrate(self, encoding: Encoding, batch: Batch) -> None:
        """Set the scales of a new head from a batch of training samples."""
        return

    def baseline(self) -> Baseline | None:
        """Return a new trivial prediction to compare with; None where there is none."""
        return None
