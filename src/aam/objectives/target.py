"""The user's target: a metadata column, regressed or classified."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import Metric

from aam.batch import Batch
from aam.config.model import ModelConfig
from aam.encoding import Encoding
from aam.figures import draw_confusion, draw_regression
from aam.metrics.classification import classification_metrics
from aam.metrics.regression import regression_metrics
from aam.nn.collective import mean_over_ranks
from aam.nn.standardise import Standardise
from aam.objectives.objective import Objective, Overall

TARGET = "target"
"""Name of the metadata column among a batch's targets: own units (float [B]), class numbers (int [B]), or, of mixed samples, the
shares of the classes (float [B, C])."""
N_SOURCES = 2
"""The head reads the sample vector and the predictor's own pooling, side by side."""


class TargetObjective(Objective):
    """A head on the target's features: linear, and a hidden layer that adds to it and begins at nothing."""

    def __init__(self, config: ModelConfig, column: str, n_outputs: int) -> None:
        super().__init__()
        self.column = column
        dim = config.embedding_dim
        self.standardise = Standardise(N_SOURCES * dim)
        self.dropout = nn.Dropout(config.dropout)
        self.linear = nn.Linear(N_SOURCES * dim, n_outputs)
        self.hidden = nn.Sequential(
            nn.Linear(N_SOURCES * dim, dim), nn.GELU(), nn.Dropout(config.dropout), nn.Linear(dim, n_outputs)
        )
        nn.init.zeros_(self.hidden[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.hidden[-1].bias)  # type: ignore[arg-type]

    def forward(self, encoding: Encoding, batch: Batch) -> Float[Tensor, "B C"]:
        """Give the head's outputs for each sample."""
        assert encoding.target_features is not None, "the model has no target"
        features = self.dropout(self.standardise(encoding.target_features))
        return self.linear(features) + self.hidden(features)

    @abstractmethod
    def in_own_units(self, prediction: Float[Tensor, "B C"]) -> Tensor:
        """Turn the head's outputs into what the user reads: values [B], or probabilities [B, C]."""


class RegressionTarget(TargetObjective):
    """A numeric column, learned standardised by the training samples' mean and standard deviation."""

    headline = "r2"

    def __init__(self, config: ModelConfig, column: str, mean: float, std: float) -> None:
        super().__init__(config, column, n_outputs=1)
        self.mean, self.std = mean, std

    def loss(self, prediction: Float[Tensor, "B C"], batch: Batch) -> Float[Tensor, ""]:
        """Huber loss in standard deviations of the training samples."""
        truth = (batch.targets[TARGET] - self.mean) / self.std
        total = F.huber_loss(prediction.squeeze(1), truth.to(prediction.dtype), reduction="sum")
        return mean_over_ranks(total, len(truth), batch.share)

    def metrics(self) -> dict[str, Metric]:
        """Errors and correlations in the target's own units."""
        return regression_metrics()

    def scored(self, prediction: Float[Tensor, "B C"], batch: Batch) -> tuple[Tensor, Tensor]:
        """Predicted and true values in the target's own units."""
        return self.in_own_units(prediction), batch.targets[TARGET]

    def draw(self, prediction: Tensor, truth: Tensor, overall: Overall) -> Figure:
        """Predicted against true values."""
        r2 = float(overall.metrics["r2"])
        return draw_regression(prediction.numpy(), truth.numpy(), self.column, r2, overall.n)

    def in_own_units(self, prediction: Float[Tensor, "B C"]) -> Float[Tensor, "B"]:
        """Undo the standardisation."""
        return prediction.double().squeeze(1) * self.std + self.mean


class ClassificationTarget(TargetObjective):
    """A categorical column."""

    headline = "balanced_accuracy"

    def __init__(self, config: ModelConfig, column: str, classes: Sequence[str]) -> None:
        super().__init__(config, column, n_outputs=len(classes))
        self.classes = list(classes)

    def loss(self, prediction: Float[Tensor, "B C"], batch: Batch) -> Float[Tensor, ""]:
        """Mean cross-entropy, in nats, with classes or with shares of classes."""
        truth = batch.targets[TARGET]
        truth = truth.to(prediction.dtype) if truth.is_floating_point() else truth
        return mean_over_ranks(F.cross_entropy(prediction, truth, reduction="sum"), len(truth), batch.share)

    def metrics(self) -> dict[str, Metric]:
        """Accuracies, macro F1, AUROC and the confusion matrix."""
        return classification_metrics(len(self.classes))

    def scored(self, prediction: Float[Tensor, "B C"], batch: Batch) -> tuple[Tensor, Int[Tensor, "B"]]:
        """Class probabilities and true class numbers."""
        return self.in_own_units(prediction), batch.targets[TARGET]

    def draw(self, prediction: Tensor, truth: Tensor, overall: Overall) -> Figure:
        """Confusion matrix of all samples."""
        return draw_confusion(overall.metrics["confusion"].long().cpu().numpy(), self.classes, self.column)

    def in_own_units(self, prediction: Float[Tensor, "B C"]) -> Float[Tensor, "B C"]:
        """Probability of each class."""
        return torch.softmax(prediction.double(), dim=1)
