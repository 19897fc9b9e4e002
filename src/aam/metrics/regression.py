"""Metrics of predicted numbers, accumulated batch by batch in constant memory, for one column or one of several."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import MeanAbsoluteError, MeanSquaredError, Metric
from torchmetrics.wrappers.abstract import WrapperMetric

from aam.metrics.rank_correlation import Spearman


class OfColumn(WrapperMetric):
    """Compute a metric from one column of predictions and truths [N, K], over the rows whose truth is not nan there.

    Parameters
    ----------
    metric
        Metric of one column; it is accumulated, and reduced over processes, as if it were by itself.
    column
        Index of the column.
    """

    def __init__(self, metric: Metric, column: int) -> None:
        super().__init__()
        self.metric, self.column = metric, column

    @property
    def higher_is_better(self) -> bool | None:  # type: ignore[override]
        """Whether a larger value of the metric is better."""
        return self.metric.higher_is_better

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Add the column of a batch."""
        truth = target[:, self.column]
        has_value = ~truth.isnan()
        if has_value.any():
            self.metric.update(preds[has_value, self.column], truth[has_value])

    def compute(self) -> Any:
        """Return the value of the metric."""
        return self.metric.compute()

    def reset(self) -> None:
        """Forget all batches."""
        self.metric.reset()
        super().reset()


def regression_metrics() -> dict[str, Metric]:
    """Return new metrics by name: R², mean absolute error, root mean squared error, Pearson's and Spearman's correlation."""
    return {
        "r2": R2(),
        "mae": MeanAbsoluteError(),
        "rmse": MeanSquaredError(squared=False),
        "pearson": Pearson(),
        "spearman": Spearman(),
    }


class PairMoments(Metric):
    """Means, sums of squares and errors of predictions and truths, merged as Chan, Golub and LeVeque (1979) do.

    Sums of squares are computed around the mean of each batch, so that an offset costs no digits. ``moments`` holds the number of
    pairs, the mean of the predictions and of the truths, the sums of squares around these, of their products, and of the errors.
    """

    is_differentiable = False
    full_state_update = False
    moments: Tensor
    low: Tensor
    high: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("moments", torch.zeros(7, dtype=torch.float64), dist_reduce_fx=merge_moments)
        self.add_state("low", torch.full((2,), float("inf"), dtype=torch.float64), dist_reduce_fx="min")
        self.add_state("high", torch.full((2,), -float("inf"), dtype=torch.float64), dist_reduce_fx="max")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Add a batch of predictions and truths, [N] each, N at least 1."""
        values = torch.stack([preds, target]).double()
        mean = values.mean(dim=1)
        centred = values - mean[:, None]
        squares = centred.square().sum(dim=1)
        product, error = centred.prod(dim=0).sum(), (values[0] - values[1]).square().sum()
        n = torch.full_like(product, values.shape[1])
        batch = torch.stack([n, *mean, *squares, product, error])
        self.moments = merge_moments(torch.stack([self.moments, batch]))
        self.low = torch.minimum(self.low, values.amin(dim=1))
        self.high = torch.maximum(self.high, values.amax(dim=1))

    @property
    def varies(self) -> Tensor:
        """Whether the predictions, and whether the truths, have more than one value; bool [2]."""
        return self.high > self.low


class R2(PairMoments):
    """Share of the truth's variance explained, 1 − Σ(truth − prediction)² / Σ(truth − mean)²; nan for a constant truth.

    torchmetrics' R2Score subtracts sums of squares, which loses the digits of a column far from 0 (wrong in the third digit at mean
    10⁶ and standard deviation 1), and takes sums below 10⁻⁴ for 0.
    """

    higher_is_better = True

    def compute(self) -> Tensor:
        """Return R², a float64 scalar."""
        score = 1 - self.moments[6] / self.moments[4]
        return torch.where(self.varies[1], score, torch.nan)


class Pearson(PairMoments):
    """Pearson's correlation; nan where predictions or truths are constant.

    torchmetrics' PearsonCorrCoef gives the correlation of rounding errors, or warns, where they are constant.
    """

    higher_is_better = True

    def compute(self) -> Tensor:
        """Return the correlation, a float64 scalar."""
        score = self.moments[5] / (self.moments[3].sqrt() * self.moments[4].sqrt())
        return torch.where(self.varies.all(), score.clamp(-1, 1), torch.nan)


def merge_moments(parts: Float[Tensor, "P 7"]) -> Float[Tensor, "7"]:
    """Return the moments of all pairs, [7], from those of parts, [P, 7]; parts may be empty."""
    total = parts[0]
    for part in parts[1:]:
        n = total[0] + part[0]
        share = part[0] / n.clamp(min=1)
        step = part[1:3] - total[1:3]
        mean = total[1:3] + step * share
        between = total[0] * share * torch.cat([step.square(), step.prod()[None]])
        sums = total[3:6] + part[3:6] + between
        total = torch.cat([n[None], mean, sums, total[6:] + part[6:]])
    return total
