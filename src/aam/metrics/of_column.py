"""A metric of one of several columns, over the rows that have a value of it."""

from typing import Any

from torch import Tensor
from torchmetrics import Metric
from torchmetrics.wrappers.abstract import WrapperMetric


class OfColumn(WrapperMetric):
    """Give a metric the rows of predictions and truths [N, K] whose truth in a column is not nan.

    Parameters
    ----------
    metric
        Of one column; it is accumulated, and brought together over processes, as if it were by itself.
    place
        Which column.
    """

    def __init__(self, metric: Metric, place: int) -> None:
        super().__init__()
        self.metric, self.place = metric, place

    @property
    def higher_is_better(self) -> bool | None:  # type: ignore[override]
        """Direction of the metric."""
        return self.metric.higher_is_better

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Take a batch."""
        truth = target[:, self.place]
        has_value = ~truth.isnan()
        if has_value.any():
            self.metric.update(preds[has_value, self.place], truth[has_value])

    def compute(self) -> Any:
        """Give the metric."""
        return self.metric.compute()

    def reset(self) -> None:
        """Begin anew."""
        self.metric.reset()
        super().reset()
