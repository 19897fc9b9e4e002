"""The user's target: heads that regress or classify a metadata column."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import Metric

from aam.batch import CATEGORY, SCALING, TARGET, WEIGHT, Batch, Encoding
from aam.config.model import ModelConfig
from aam.config.target import NetworkHeadConfig
from aam.distributed.collective import mean_over_ranks
from aam.figures import draw_confusion, draw_regression
from aam.metrics.classification import classification_metrics
from aam.metrics.regression import regression_metrics
from aam.nn.abundance import Standardise
from aam.nn.attention import gather_rows
from aam.objectives.objective import Objective, ValidationSummary
from aam.objectives.target_losses import OutputTransform, monotone_quantiles, number_losses
from aam.target_transform import TargetTransform

N_SOURCES = 2
"""Number of vectors that the head reads side by side: the sample vector and the predictor's own pooling."""

DEFAULT = NetworkHeadConfig()


@dataclass(frozen=True)
class TargetStatistics:
    """Statistics of the training samples that a head needs, beside a transform or classes.

    Attributes
    ----------
    guess, bounds
        Median, and smallest and largest value, in own units; None for classes.
    class_weights
        Weight of the samples of each class; empty where all weigh the same.
    n_scaled
        Number of categories that have a separate scale.
    """

    guess: float | None = None
    bounds: tuple[float, float] | None = None
    class_weights: tuple[float, ...] = ()
    n_scaled: int = 0


NO_STATISTICS = TargetStatistics()


class Target(Objective):
    """Base class of the heads for the user's target: one column of the metadata, or several."""

    suffixes: tuple[str, ...] = ()
    """Endings of the names of predicted columns, one for each predicted number."""

    @abstractmethod
    def calibrate_head(self, features: Float[Tensor, "B F"]) -> None:
        """Set the standardisation of the head's input from the features of some samples."""

    @abstractmethod
    def in_own_units(self, prediction: Float[Tensor, "B C"], batch: Batch) -> Tensor:
        """Compute what the user reads from the head's outputs: values [B] or [B, K], or probabilities [B, C]."""

    def extra_columns(self, prediction: Float[Tensor, "B C"], batch: Batch) -> dict[str, Tensor]:
        """Return further columns of the table of predictions, by name, [B] each."""
        return {}

    @abstractmethod
    def losses(self, prediction: Float[Tensor, "B C"], batch: Batch) -> Float[Tensor, "B"]:
        """Compute the loss of each sample, [B]."""

    def loss(self, prediction: Float[Tensor, "B C"], batch: Batch) -> Float[Tensor, ""]:
        """Compute the mean loss over the samples of all ranks, times their weights, whose mean over all training samples is 1."""
        losses, weights = self.losses(prediction, batch), batch.targets.get(WEIGHT)
        total = (losses if weights is None else losses * weights.to(losses.dtype)).sum()
        return mean_over_ranks(total, batch.n_samples, batch.share)


class TargetObjective(Target):
    """A head on the target's features: a linear layer, plus hidden layers whose output starts at zero.

    Parameters
    ----------
    config, column
        Shape of the model, and name of the column.
    n_outputs
        Number of outputs, C.
    options
        Shape of the head.
    n_scaled
        Number of categories for each of which outputs are stretched and shifted by learned numbers; other samples' outputs stay.
    """

    def __init__(
        self, config: ModelConfig, column: str, n_outputs: int, options: NetworkHeadConfig = DEFAULT, n_scaled: int = 0
    ) -> None:
        super().__init__()
        self.column = column
        width, dims = N_SOURCES * config.embedding_dim, options.regressor_hidden_dims or (config.embedding_dim,)
        self.standardise = Standardise(width)
        self.dropout = nn.Dropout(config.dropout)
        self.linear = nn.Linear(width, n_outputs) if options.regressor_residual else None
        dropout = config.dropout if options.head_dropout is None else options.head_dropout
        layers = [
            layer
            for n_in, n_out in pairwise((width, *dims))
            for layer in (nn.Linear(n_in, n_out), nn.GELU(), nn.Dropout(dropout))
        ]
        last = nn.Linear(dims[-1], n_outputs)
        self.hidden = nn.Sequential(*layers, last)
        if self.linear is not None:
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
        self.scaling = nn.Parameter(torch.zeros(2, n_scaled, n_outputs)) if n_scaled else None

    def calibrate_head(self, features: Float[Tensor, "B F"]) -> None:
        """Set the standardisation of the head's input from the features of some samples."""
        self.standardise.fit(features)

    def forward(self, encoding: Encoding, batch: Batch) -> Float[Tensor, "B C"]:
        """Compute the head's outputs for each sample, [B, C]."""
        assert encoding.target_features is not None, "the model has no target"
        features = self.dropout(self.standardise(encoding.target_features))
        outputs = self.hidden(features)
        outputs = outputs if self.linear is None else self.linear(features) + outputs
        return outputs if self.scaling is None else self._scaled(outputs, batch.targets.get(SCALING))

    def _scaled(self, outputs: Float[Tensor, "B C"], category: Tensor | None) -> Float[Tensor, "B C"]:
        """Stretch and shift outputs by category; samples without one use an added last row of zeros, which changes nothing."""
        assert self.scaling is not None, "outputs are not scaled"
        if category is None:
            return outputs
        log_scale, shift = F.pad(self.scaling, (0, 0, 0, 1))
        row = category % len(shift)
        return outputs * gather_rows(log_scale, row).exp() + gather_rows(shift, row)


class RegressionTarget(TargetObjective):
    """A head for a numeric column, learned in the units of a transform that was fitted on the training samples.

    It has one output, or one for each quantile of the options, in increasing order.
    """

    headline = "r2"
    suffixes = ("",)

    def __init__(
        self,
        config: ModelConfig,
        column: str,
        transform: TargetTransform,
        options: NetworkHeadConfig = DEFAULT,
        fitted: TargetStatistics = NO_STATISTICS,
    ) -> None:
        self.levels = options.numbers.levels
        super().__init__(config, column, len(self.levels), options, fitted.n_scaled)
        self.transform, self.options = transform, options.numbers
        self.limits = OutputTransform(options.numbers, transform, fitted.bounds)
        self.middle = self.levels.index(0.5)
        self.guess = 0.0 if fitted.guess is None else fitted.guess
        start = None if fitted.guess is None else self.limits.start(fitted.guess)
        if start is not None:
            nn.init.constant_((self.hidden[-1] if self.linear is None else self.linear).bias, start)  # type: ignore[arg-type]

    def forward(self, encoding: Encoding, batch: Batch) -> Float[Tensor, "B C"]:
        """Predict the number, or its quantiles in increasing order, in the units of the transform; [B, C]."""
        outputs = monotone_quantiles(super().forward(encoding, batch), self.middle)
        return self.limits.apply(outputs, batch.targets.get(CATEGORY))

    def losses(self, prediction: Float[Tensor, "B C"], batch: Batch) -> Float[Tensor, "B"]:
        """Compute the loss of each sample in units of the transform, by default standard deviations of training samples; [B]."""
        truth = self.transform.to_learned(batch.targets[TARGET], batch.targets.get(CATEGORY))
        return number_losses(prediction, truth.to(prediction.dtype), self.options)

    def metrics(self) -> dict[str, Metric]:
        """Return errors and correlations in the target's own units, by name."""
        return regression_metrics()

    def scored(self, prediction: Float[Tensor, "B C"], batch: Batch) -> tuple[Tensor, Tensor]:
        """Return predicted and true values in the target's own units, [B] each."""
        return self.in_own_units(prediction, batch), batch.targets[TARGET]

    def draw(self, prediction: Tensor, truth: Tensor, overall: ValidationSummary) -> Figure:
        """Draw predicted against true values."""
        r2 = float(overall.metrics["r2"])
        return draw_regression(prediction.numpy(), truth.numpy(), self.column, r2, overall.n)

    def in_own_units(self, prediction: Float[Tensor, "B C"], batch: Batch) -> Float[Tensor, "B"]:
        """Return the predicted values, or their medians, in the column's own units, float64 [B]."""
        return self._outputs_in_own_units(prediction, batch)[:, self.middle]

    def extra_columns(self, prediction: Float[Tensor, "B C"], batch: Batch) -> dict[str, Tensor]:
        """Return the outer quantiles as lower and upper, and those between by their names, float64 [B] each."""
        values = self._outputs_in_own_units(prediction, batch)
        last = len(self.levels) - 1
        names = {0: "lower", last: "upper"} | {
            index: f"quantile:{level:g}"
            for index, level in enumerate(self.levels)
            if index not in (0, self.middle, last)
        }
        return {name: values[:, index] for index, name in names.items()} if last else {}

    def _outputs_in_own_units(self, prediction: Float[Tensor, "B C"], batch: Batch) -> Float[Tensor, "B C"]:
        return self.limits.in_own_units(prediction.double(), batch.targets.get(CATEGORY))


class ClassificationTarget(TargetObjective):
    """A head for a categorical column.

    Parameters
    ----------
    config, column
        Shape of the model, and name of the column.
    classes
        Names of the classes.
    options
        Shape of the head, and loss.
    fitted
        Statistics of the training samples.
    """

    class_weights: Tensor | None

    headline = "balanced_accuracy"

    def __init__(
        self,
        config: ModelConfig,
        column: str,
        classes: Sequence[str],
        options: NetworkHeadConfig = DEFAULT,
        fitted: TargetStatistics = NO_STATISTICS,
    ) -> None:
        super().__init__(config, column, self.n_outputs(len(classes)), options, fitted.n_scaled)
        self.classes, self.options = list(classes), options.classes
        weights = torch.tensor(fitted.class_weights) if fitted.class_weights else None
        self.register_buffer("class_weights", weights, persistent=False)

    @staticmethod
    def n_outputs(n_classes: int) -> int:
        """Return the number of outputs of the head."""
        return n_classes

    def losses(self, prediction: Float[Tensor, "B C"], batch: Batch) -> Float[Tensor, "B"]:
        """Compute the cross-entropy of each sample with classes or with shares of classes, in nats, [B]."""
        truth, weights = batch.targets[TARGET], self.class_weights
        return F.cross_entropy(
            prediction,
            truth.to(prediction.dtype) if truth.is_floating_point() else truth,
            weight=None if weights is None else weights.to(prediction.dtype),
            reduction="none",
            label_smoothing=self.options.label_smoothing,
        )

    def metrics(self) -> dict[str, Metric]:
        """Return accuracies, macro F1, AUROC and the confusion matrix, by name."""
        return classification_metrics(len(self.classes))

    def scored(self, prediction: Float[Tensor, "B C"], batch: Batch) -> tuple[Tensor, Int[Tensor, "B"]]:
        """Return class probabilities, [B, C], and true class numbers, [B]."""
        return self.in_own_units(prediction, batch), batch.targets[TARGET]

    def draw(self, prediction: Tensor, truth: Tensor, overall: ValidationSummary) -> Figure:
        """Draw the confusion matrix of all samples."""
        return draw_confusion(overall.metrics["confusion"].long().cpu().numpy(), self.classes, self.column)

    def in_own_units(self, prediction: Float[Tensor, "B C"], batch: Batch) -> Float[Tensor, "B C"]:
        """Compute the probability of each class, float64 [B, C]."""
        return torch.softmax(prediction.double(), dim=1)
