"""What every objective is: a head, a loss, and metrics, on what the model made of a batch."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from matplotlib.figure import Figure
from torch import Tensor, nn
from torchmetrics import Metric

from aam.batch import Batch
from aam.encoding import Encoding


@dataclass(frozen=True)
class Overall:
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
    def taken(cls, n_scored: Metric, metrics: Mapping[str, Metric]) -> "Overall":
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

    def draw(self, prediction: Tensor, truth: Tensor, overall: Overall) -> Figure | None:
        """Draw how `scored` predictions, some of all, compare with the truth; None where no picture helps."""
        return None
