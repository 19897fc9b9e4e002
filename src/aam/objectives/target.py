"""The user's target: a metadata column, regressed or classified."""

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
"""The head reads the sample vector and the predictor's own pooling, side by side."""

DEFAULT = NetworkHeadConfig()


@dataclass(frozen=True)
class TargetStatistics:
    """What a head takes from the training samples, beside a transform or classes.

    Attributes
    ----------
    guess, bounds
        Median, smallest and largest value, in own units; None for classes.
    class_weights
        How much a sample of each class counts; empty where all count the same.
    n_scaled
        Categories that have a scale of their own.
    """

    guess: float | None = None
    bounds: tuple[float, float] | None = None
    class_weights: tuple[float, ...] = ()
    n_scaled: int = 0


NO_STATISTICS = TargetStatistics()


class Target(Objective):
    """What is learned of the metadata: a column, or several."""

    suffixes: tuple[str, ...] = ()
    """What the names of the columns of each predicted number end in."""

    @abstractmethod
    def calibrate_head(self, features: Float[Tensor, "B F"]) -> None:
        """Standardise what the head reads, from some samples' features."""

    @abstractmethod
    def in_own_units(self, prediction: Float[Tensor, "B C"], batch: Batch) -> Tensor:
        """Turn the head's outputs into what the user reads: values [B] or [B, K], or probabilities [B, C]."""

    def extra_columns(self, prediction: Float[Tensor, "B C"], batch: Batch) -> dict[str, Tensor]:
        """Give further columns of the table of predictions, by name, [B] each."""
        return {}

    @abstractmethod
    def losses(self, prediction: Float[Tensor, "B C"], batch: Batch) -> Float[Tensor, "B"]:
        """Give the loss of each sample."""

    def loss(self, prediction: Float[Tensor, "B C"], batch: Batch) -> Float[Tensor, ""]:
        """Average over the samples of all ranks, by their weights, whose mean over all training samples is 1."""
        losses, weights = self.losses(prediction, batch), batch.targets.get(WEIGHT)
        total = (losses if weights is None else losses * weights.to(losses.dtype)).sum()
        return mean_over_ranks(total, batch.n_samples, batch.share)


class TargetObjective(Target):
    """A head on the target's features: linear, and hidden layers that add to it and begin at nothing.

    Parameters
    ----------
    config, column
        Shape of the model, and name of the column.
    n_outputs
        C.
    options
        Shape of the head.
    n_scaled
        Categories for each of which outputs are stretched and shifted by learned numbers; those of other samples stay.
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
        """Standardise what the head reads, from some samples' features."""
        self.standardise.fit(features)

    def forward(self, encoding: Encoding, batch: Batch) -> Float[Tensor, "B C"]:
        """Give the head's outputs for each sample."""
        assert encoding.target_features is not None, "the model has no target"
        features = self.dropout(self.standardise(encoding.target_features))
        outputs = self.hidden(features)
        outputs = outputs if self.linear is None else self.linear(features) + outputs
        return outputs if self.scaling is None else self._scaled(outputs, batch.targets.get(SCALING))

    def _scaled(self, outputs: Float[Tensor, "B C"], category: Tensor | None) -> Float[Tensor, "B C"]:
        """Stretch and shift by category; the row below all categories is that of none, which changes nothing."""
        assert self.scaling is not None, "outputs are not scaled"
        if category is None:
            return outputs
        log_scale, shift = F.pad(self.scaling, (0, 0, 0, 1))
        place = category % len(shift)
        return outputs * gather_rows(log_scale, place).exp() + gather_rows(shift, place)


class RegressionTarget(TargetObjective):
    """A numeric column, learned in the units of a transform that was fitted on the training samples.

    It has one output, or one for each quantile that is asked for, in increasing order.
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
        """Give the number, or its quantiles in increasing order, in the units of the transform."""
        outputs = monotone_quantiles(super().forward(encoding, batch), self.middle)
        return self.limits.apply(outputs, batch.targets.get(CATEGORY))

    def losses(self, prediction: Float[Tensor, "B C"], batch: Batch) -> Float[Tensor, "B"]:
        """Compare in the units of the transform, by default standard deviations of the training samples."""
        truth = self.transform.to_learned(batch.targets[TARGET], batch.targets.get(CATEGORY))
        return number_losses(prediction, truth.to(prediction.dtype), self.options)

    def metrics(self) -> dict[str, Metric]:
        """Errors and correlations in the target's own units."""
        return regression_metrics()

    def scored(self, prediction: Float[Tensor, "B C"], batch: Batch) -> tuple[Tensor, Tensor]:
        """Predicted and true values in the target's own units."""
        return self.in_own_units(prediction, batch), batch.targets[TARGET]

    def draw(self, prediction: Tensor, truth: Tensor, overall: ValidationSummary) -> Figure:
        """Predicted against true values."""
        r2 = float(overall.metrics["r2"])
        return draw_regression(prediction.numpy(), truth.numpy(), self.column, r2, overall.n)

    def in_own_units(self, prediction: Float[Tensor, "B C"], batch: Batch) -> Float[Tensor, "B"]:
        """Undo the transform."""
        return self._outputs_in_own_units(prediction, batch)[:, self.middle]

    def extra_columns(self, prediction: Float[Tensor, "B C"], batch: Batch) -> dict[str, Tensor]:
        """Give the outer quantiles as lower and upper, and those between by their names."""
        own = self._outputs_in_own_units(prediction, batch)
        last = len(self.levels) - 1
        names = {0: "lower", last: "upper"} | {
            place: f"quantile:{level:g}"
            for place, level in enumerate(self.levels)
            if place not in (0, self.middle, last)
        }
        return {name: own[:, place] for place, name in names.items()} if last else {}

    def _outputs_in_own_units(self, prediction: Float[Tensor, "B C"], batch: Batch) -> Float[Tensor, "B C"]:
        return self.limits.in_own_units(prediction.double(), batch.targets.get(CATEGORY))


class ClassificationTarget(TargetObjective):
    """A categorical column.

    Parameters
    ----------
    config, column
        Shape, and name of the column.
    classes
        Their names.
    options
        Shape of the head, and what errors cost.
    fitted
        What it takes from the training samples.
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
        """Count the outputs of the head."""
        return n_classes

    def losses(self, prediction: Float[Tensor, "B C"], batch: Batch) -> Float[Tensor, "B"]:
        """Cross-entropy, in nats, with classes or with shares of classes."""
        truth, weights = batch.targets[TARGET], self.class_weights
        return F.cross_entropy(
            prediction,
            truth.to(prediction.dtype) if truth.is_floating_point() else truth,
            weight=None if weights is None else weights.to(prediction.dtype),
            reduction="none",
            label_smoothing=self.options.label_smoothing,
        )

    def metrics(self) -> dict[str, Metric]:
        """Accuracies, macro F1, AUROC and the confusion matrix."""
        return classification_metrics(len(self.classes))

    def scored(self, prediction: Float[Tensor, "B C"], batch: Batch) -> tuple[Tensor, Int[Tensor, "B"]]:
        """Class probabilities and true class numbers."""
        return self.in_own_units(prediction, batch), batch.targets[TARGET]

    def draw(self, prediction: Tensor, truth: Tensor, overall: ValidationSummary) -> Figure:
        """Confusion matrix of all samples."""
        return draw_confusion(overall.metrics["confusion"].long().cpu().numpy(), self.classes, self.column)

    def in_own_units(self, prediction: Float[Tensor, "B C"], batch: Batch) -> Float[Tensor, "B C"]:
        """Probability of each class."""
        return torch.softmax(prediction.double(), dim=1)
