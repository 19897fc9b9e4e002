"""Further heads for the target: classes with an order, and several numeric columns at once."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import Metric

from aam.batch import CATEGORY, SCALING, TARGET, Batch, Encoding, metric_prefix
from aam.config.model import ModelConfig
from aam.config.target import NetworkHeadConfig
from aam.figures import RegressionPanel, draw_regressions
from aam.metrics.regression import OfColumn
from aam.objectives.objective import ValidationSummary
from aam.objectives.target import (
    DEFAULT,
    NO_STATISTICS,
    ClassificationTarget,
    RegressionTarget,
    Target,
    TargetStatistics,
)


class OrdinalTarget(ClassificationTarget):
    """Proportional odds (McCullagh 1980): P(class > k) = σ(s − θₖ), with a score s of the sample and increasing thresholds θ.

    One direction of the features is learned for all classes, so few samples of a class suffice, and a wrong prediction is most
    often a neighbouring class. θ₁ and the steps between thresholds are learned; a step is the softplus of its parameter.
    """

    def __init__(
        self,
        config: ModelConfig,
        column: str,
        classes: Sequence[str],
        options: NetworkHeadConfig = DEFAULT,
        fitted: TargetStatistics = NO_STATISTICS,
    ) -> None:
        super().__init__(config, column, classes, options, fitted)
        shares = torch.arange(1, len(classes)) / len(classes)
        thresholds = shares.logit()  # at which all classes are as likely, for a score of 0
        self.first_threshold = nn.Parameter(thresholds[:1].clone())
        self.steps = nn.Parameter(thresholds.diff().expm1().log())

    @staticmethod
    def n_outputs(n_classes: int) -> int:
        """Return 1: there is one score, however many classes there are."""
        return 1

    def forward(self, encoding: Encoding, batch: Batch) -> Float[Tensor, "B C"]:
        """Compute the log-probability of each class, [B, C]."""
        return self.log_probabilities(super().forward(encoding, batch))

    def log_probabilities(self, score: Float[Tensor, "B 1"]) -> Float[Tensor, "B C"]:
        """Compute log-probabilities from scores, [B, C].

        That of a class between thresholds a < b is log(σ(s − a) − σ(s − b)). Written as
        log σ(s − a) + log σ(b − s) + log(1 − e^(a − b)), it is exact far from both.
        """
        thresholds = torch.cat([self.first_threshold, self.first_threshold + F.softplus(self.steps).cumsum(0)])
        above, below = F.logsigmoid(score - thresholds), F.logsigmoid(thresholds - score)
        between = above[:, :-1] + below[:, 1:] + F.logsigmoid(self.steps)
        return torch.cat([below[:, :1], between, above[:, -1:]], dim=1)

    @torch.no_grad()
    def thresholds(self) -> list[float]:
        """Return the C − 1 thresholds: the scores at which the classes below become less likely than those above."""
        first = float(self.first_threshold)
        return [first, *(first + math.fsum(F.softplus(self.steps[: k + 1]).tolist()) for k in range(len(self.steps)))]


BY_COLUMN = (TARGET, CATEGORY, SCALING)
"""Keys of a batch's targets that hold a value for each column, [B, K]."""


class JointRegression(Target):
    """Heads for several numeric columns, on the same features.

    Each value that a sample has counts the same, in the units of its column's transform: the loss of a sample is the weighted sum
    over its columns, and missing values add neither loss nor gradient.

    Parameters
    ----------
    heads
        One head per column.
    weights
        Weight of the loss of each column.
    """

    def __init__(self, heads: Sequence[RegressionTarget], weights: Sequence[float]) -> None:
        super().__init__()
        self.weights = list(weights)
        self.heads = nn.ModuleList(heads)
        self.columns = [head.column for head in heads]
        self.suffixes = tuple(f":{column}" for column in self.columns)
        self.widths = [len(head.levels) for head in heads]

    def calibrate_head(self, features: Float[Tensor, "B F"]) -> None:
        """Set the standardisation of each head's input from the features of some samples."""
        for head in self._typed_heads():
            head.calibrate_head(features)

    def forward(self, encoding: Encoding, batch: Batch) -> Float[Tensor, "B C"]:
        """Compute the outputs of all heads side by side, [B, C]."""
        return torch.cat(
            [
                head(encoding, column_batch)
                for head, column_batch in zip(self._typed_heads(), self._batches(batch), strict=True)
            ],
            1,
        )

    def losses(self, prediction: Float[Tensor, "B C"], batch: Batch) -> Float[Tensor, "B"]:
        """Compute the weighted sum of the losses of the values that each sample has, [B]."""
        total = prediction.new_zeros(len(prediction))
        for weight, (head, outputs, column_batch) in zip(
            self.weights, self._with_outputs(prediction, batch), strict=True
        ):
            truth = column_batch.targets[TARGET]
            filled = replace(column_batch, targets={**column_batch.targets, TARGET: truth.nan_to_num(head.guess)})
            total = total + weight * torch.where(truth.isnan(), 0.0, head.losses(outputs, filled))
        return total

    def metrics(self) -> dict[str, Metric]:
        """Return errors and correlations of each column, over the samples that have a value of it, by name."""
        return {
            f"{metric_prefix(column)}_{name}": OfColumn(metric, index)
            for index, (column, head) in enumerate(zip(self.columns, self._typed_heads(), strict=True))
            for name, metric in head.metrics().items()
        }

    def is_headline(self, metric: str) -> bool:
        """Return whether a metric is the R² of a column."""
        return metric.endswith(f"_{RegressionTarget.headline}")

    def scored(self, prediction: Float[Tensor, "B C"], batch: Batch) -> tuple[Tensor, Tensor]:
        """Return predicted and true values in own units, [B, K] each; the truth is nan where it is missing."""
        return self.in_own_units(prediction, batch), batch.targets[TARGET]

    def draw(self, prediction: Tensor, truth: Tensor, overall: ValidationSummary) -> Figure:
        """Draw predicted against true values of each column."""
        panels = []
        for index, column in enumerate(self.columns):
            has_value = ~truth[:, index].isnan()
            r2 = float(overall.metrics[f"{metric_prefix(column)}_{RegressionTarget.headline}"])
            predicted, true = (values[has_value, index].numpy() for values in (prediction, truth))
            panels.append(RegressionPanel(predicted, true, column, r2))
        return draw_regressions(panels)

    def in_own_units(self, prediction: Float[Tensor, "B C"], batch: Batch) -> Float[Tensor, "B K"]:
        """Return the predicted values in the columns' own units, float64 [B, K]."""
        parts = [
            head.in_own_units(outputs, column_batch)
            for head, outputs, column_batch in self._with_outputs(prediction, batch)
        ]
        return torch.stack(parts, dim=1)

    def extra_columns(self, prediction: Float[Tensor, "B C"], batch: Batch) -> dict[str, Tensor]:
        """Return the further columns of each head, with the metadata column's name, float64 [B] each."""
        return {
            f"{name}:{head.column}": values
            for head, outputs, column_batch in self._with_outputs(prediction, batch)
            for name, values in head.extra_columns(outputs, column_batch).items()
        }

    def _typed_heads(self) -> list[RegressionTarget]:
        return list(self.heads)  # type: ignore[arg-type]

    def _batches(self, batch: Batch) -> list[Batch]:
        """Return one batch per head, with the targets of its column alone."""
        return [
            replace(
                batch,
                targets={
                    name: values[:, index] if name in BY_COLUMN else values for name, values in batch.targets.items()
                },
            )
            for index in range(len(self.columns))
        ]

    def _with_outputs(
        self, prediction: Float[Tensor, "B C"], batch: Batch
    ) -> list[tuple[RegressionTarget, Tensor, Batch]]:
        outputs = prediction.split(self.widths, dim=1)
        return list(zip(self._typed_heads(), outputs, self._batches(batch), strict=True))
