"""A column of classes with an order, such as stages: one score, and the thresholds at which it passes from class to class."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from aam.batch import Batch
from aam.config.model import ModelConfig
from aam.config.network_head import NetworkHeadConfig
from aam.encoding import Encoding
from aam.objectives.target import DEFAULT, NOTHING, ClassificationTarget, Fitted


class OrdinalTarget(ClassificationTarget):
    """Proportional odds (McCullagh 1980): P(class > k) = σ(s − θₖ), with a score s of the sample and increasing thresholds θ.

    One direction of the features is learned for all classes, so few samples of a class suffice, and a mistake leads to a neighbour
    rather than anywhere. θ₁ and the steps between thresholds are learned; a step is the softplus of its parameter.
    """

    def __init__(
        self,
        config: ModelConfig,
        column: str,
        classes: Sequence[str],
        options: NetworkHeadConfig = DEFAULT,
        fitted: Fitted = NOTHING,
    ) -> None:
        super().__init__(config, column, classes, options, fitted)
        shares = torch.arange(1, len(classes)) / len(classes)
        thresholds = shares.logit()  # at which all classes are as likely, for a score of 0
        self.first_threshold = nn.Parameter(thresholds[:1].clone())
        self.steps = nn.Parameter(thresholds.diff().expm1().log())

    @staticmethod
    def n_outputs(n_classes: int) -> int:
        """One score, however many classes there are."""
        return 1

    def forward(self, encoding: Encoding, batch: Batch) -> Float[Tensor, "B C"]:
        """Give the log-probability of each class."""
        return self.log_probabilities(super().forward(encoding, batch))

    def log_probabilities(self, score: Float[Tensor, "B 1"]) -> Float[Tensor, "B C"]:
        """Turn scores into log-probabilities: those of the classes between thresholds a < b are log(σ(s − a) − σ(s − b)).

        Written as log σ(s − a) + log σ(b − s) + log(1 − e^(a − b)), it is exact far from both.
        """
        thresholds = torch.cat([self.first_threshold, self.first_threshold + F.softplus(self.steps).cumsum(0)])
        above, below = F.logsigmoid(score - thresholds), F.logsigmoid(thresholds - score)
        between = above[:, :-1] + below[:, 1:] + F.logsigmoid(self.steps)
        return torch.cat([below[:, :1], between, above[:, -1:]], dim=1)

    @torch.no_grad()
    def thresholds(self) -> list[float]:
        """Give the scores at which one class becomes less likely than those above it."""
        first = float(self.first_threshold)
        return [first, *(first + math.fsum(F.softplus(self.steps[: k + 1]).tolist()) for k in range(len(self.steps)))]
