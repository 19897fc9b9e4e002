"""The trivial prediction of a number: the mean of the training values."""

from collections.abc import Callable

import torch
from torch import Tensor

from aam.batch import Batch
from aam.objectives.unlabelled import Baseline


class MeanBaseline(Baseline):
    """Predict the mean of what training batches hold.

    Parameters
    ----------
    truth
        Gives the true numbers of a batch, [n].
    """

    def __init__(self, truth: Callable[[Batch], Tensor]) -> None:
        self.truth = truth
        self.total, self.n = 0.0, 0
        self.errors: list[Tensor] = []

    def learn(self, batch: Batch) -> None:
        """Add to the mean."""
        truth = self.truth(batch)
        self.total += float(truth.sum())
        self.n += len(truth)

    def score(self, batch: Batch) -> None:
        """Measure how far the mean is off."""
        self.errors.append((self.truth(batch) - self.total / max(1, self.n)).abs())

    def scores(self) -> dict[str, float]:
        """Give the mean absolute error."""
        errors = torch.cat(self.errors) if self.errors else torch.empty(0)
        return {"mae": float(errors.double().mean())} if len(errors) else {}
