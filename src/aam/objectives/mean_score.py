"""A metric that is the mean of a score of each row."""

from collections.abc import Callable

import torch
from torch import Tensor
from torchmetrics import Metric

Score = Callable[[Tensor, Tensor], Tensor]


class MeanScore(Metric):
    """Average a score, of which more is better, over all rows of all batches; nan while there are none.

    Parameters
    ----------
    score
        Gives a number for each row that counts, from predictions and truths.
    """

    higher_is_better = True
    total: Tensor
    n: Tensor

    def __init__(self, score: Score) -> None:
        super().__init__()
        self.score = score
        self.add_state("total", default=torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("n", default=torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Add the rows of a batch."""
        scores = self.score(preds, target)
        self.total = self.total + scores.double().sum()
        self.n = self.n + len(scores)

    def compute(self) -> Tensor:
        """Give the mean."""
        return self.total / self.n


class MeanError(MeanScore):
    """The same of an error."""

    higher_is_better = False
