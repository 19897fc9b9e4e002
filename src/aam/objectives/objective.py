"""What every objective is: a head, a loss, and metrics, on what the model made of a batch."""

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
    """What is known of all validation predictions of an objective, where a picture shows some of them.

    Attributes
    ----------
    n
        How many there are.
    metrics
        Values of the metrics, by name.
    """

    n: int
    metrics: Mapping[str, Tensor]

    @classmethod
    def compute(cls, n_scored: Metric, metrics: Mapping[str, Metric]) -> "ValidationSummary":
        """Compute the metrics of all processes, and make them ready for the next validation; ``n_scored`` is a sum."""
        n = int(n_scored.compute())
        overall = cls(n, {name: metric.compute() for name, metric in metrics.items()} if n else {})
        for metric in (n_scored, *metrics.values()):
            metric.reset()
        return overall


class Objective(nn.Module, ABC):
    """One thing to predict.

    A subclass holds its head, and a weight-free description of how well it does. The model owns objectives by name; the
    trainer adds up their losses, weighted.

    Attributes
    ----------
    headline
        The metric that progress shows, if any.
    """

    headline: ClassVar[str | None] = None

    @abstractmethod
    def forward(self, encoding: Encoding, batch: Batch) -> Tensor:
        """Predict, in the units in which the loss compares."""

    @abstractmethod
    def loss(self, prediction: Tensor, batch: Batch) -> Tensor:
        """Compare with the truth: a scalar; zero where the batch holds nothing to compare."""

    @abstractmethod
    def metrics(self) -> dict[str, Metric]:
        """Make fresh validation metrics, by name; those whose value is no single number are for the picture alone."""

    @abstractmethod
    def scored(self, prediction: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Give prediction and truth in the units that metrics and plots show; the first axes agree."""

    def is_headline(self, metric: str) -> bool:
        """Whether progress shows a metric."""
        return metric == self.headline

    def draw(self, prediction: Tensor, truth: Tensor, overall: ValidationSummary) -> Figure | None:
        """Draw how `scored` predictions, some of all, compare with the truth; None where no picture helps."""
        return None


Settings = Mapping[str, Any]
"""What an objective is built from beside the model's shape: plain values, which the model directory keeps as JSON."""


class Baseline(ABC):
    """A trivial prediction: it learns from training batches what it can without a model, and is scored on validation batches."""

    @abstractmethod
    def learn(self, batch: Batch) -> None:
        """Take in a training batch."""

    @abstractmethod
    def score(self, batch: Batch) -> None:
        """Predict a validation batch."""

    @abstractmethod
    def scores(self) -> dict[str, float]:
        """Give its metrics, by name."""


class UnlabelledObjective(Objective):
    """One thing to predict that follows from the study itself; a row of `aam.config.objectives` makes it known.

    Attributes
    ----------
    masks
        Options that say what a batch hides for it, as `Masking` calls them.
    """

    masks: ClassVar[tuple[str, ...]] = ()

    @classmethod
    @abstractmethod
    def build(cls, config: ModelConfig, name: str, settings: Settings) -> "UnlabelledObjective":
        """Build the objective called ``name`` in the table."""

    @classmethod
    def choose_settings(cls, options: ObjectivesConfig, resources: StudyResources) -> dict[str, Any]:
        """Choose the settings of a new model's objective."""
        return {}

    @classmethod
    def compatibility_key(cls, name: str, settings: Settings) -> Settings:
        """Say what settings make of the objective called ``name``: with the same meaning it can go on from earlier weights."""
        return settings

    def target(self, resources: StudyResources) -> BatchTarget | None:
        """Say how what it compares with follows from the reads that were drawn; a batch keeps it by the objective's name."""
        return None

    def asv_target(self, resources: StudyResources) -> AsvTarget | None:
        """Say the same of the distinct ASVs of a batch."""
        return None

    def vector_scale(self, encoding: Encoding, batch: Batch) -> float | None:
        """Give the factor by which new sample vectors should be stretched before training; None if it does not matter."""
        return None

    def calibrate(self, encoding: Encoding, batch: Batch) -> None:
        """Set sizes of a new head from a batch of training samples."""
        return

    def baseline(self) -> Baseline | None:
        """Make what a prediction must beat; None where there is nothing simple."""
        return None
