"""Metrics of predicted classes, accumulated batch by batch in constant memory."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix, MulticlassF1Score

N_BINS = 2048
"""Number of bins of a class's predicted probability."""

LARGEST_LOG_ODDS = 32.0
"""Bins are equally wide in log-odds from minus to plus this: probabilities of 10⁻¹⁴ to 1 − 10⁻¹⁴; the outer two hold the rest."""


def classification_metrics(n_classes: int) -> dict[str, Metric]:
    """Return new metrics by name: accuracies, macro F1, AUROC and the confusion matrix, rows true, columns predicted."""
    return {
        "accuracy": MulticlassAccuracy(n_classes, average="micro"),
        "balanced_accuracy": BalancedAccuracy(n_classes),
        "macro_f1": MulticlassF1Score(n_classes, average="macro"),
        "auroc": BinnedAUROC(n_classes),
        "confusion": MulticlassConfusionMatrix(n_classes),
    }


class BalancedAccuracy(MulticlassConfusionMatrix):
    """Mean recall of the classes that samples have; torchmetrics' macro average counts one that is only predicted as 0."""

    higher_is_better = True

    def compute(self) -> Tensor:
        """Return the mean recall, a float64 scalar."""
        confusion = super().compute().double()
        n_true = confusion.sum(dim=1)
        return (confusion.diag() / n_true)[n_true > 0].mean()


class BinnedAUROC(Metric):
    """Mean over the classes that samples have of the one-against-rest AUROC, from binned probabilities; nan for one class.

    A sample of the class and one of the rest in the same bin count as a tie, ½, so a class's AUROC is wrong by at most half the
    share of such pairs: `error_bound`. torchmetrics' MulticlassAUROC with ``thresholds`` counts a class without samples as 0, and
    warns.
    """

    is_differentiable = False
    full_state_update = False
    higher_is_better = True
    counts: Tensor

    def __init__(self, n_classes: int, n_bins: int = N_BINS) -> None:
        super().__init__()
        self.add_state("counts", torch.zeros(n_classes, 2, n_bins, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, preds: Float[Tensor, "N C"], target: Int[Tensor, "N"]) -> None:
        """Add a batch of class probabilities and true class numbers."""
        n_classes, _, n_bins = self.counts.shape
        log_odds = preds.double().logit().nan_to_num(nan=0.0)
        bins = ((log_odds / LARGEST_LOG_ODDS + 1) * (n_bins / 2)).floor().clamp(0, n_bins - 1).long()
        classes = torch.arange(n_classes, device=target.device)
        is_true = (target[:, None] == classes).long()
        cell = (2 * classes + is_true) * n_bins + bins
        self.counts += cell.flatten().bincount(minlength=self.counts.numel()).view_as(self.counts)

    def compute(self) -> Tensor:
        """Return the mean, over classes, of the share of pairs in which the class's sample has the higher probability; float64."""
        rest, in_class = self._shares()
        below = rest.cumsum(dim=1) - rest / 2
        return (in_class * below).sum(dim=1).mean()

    def error_bound(self) -> float:
        """Return the largest possible difference between the value and the exact one."""
        rest, in_class = self._shares()
        return float((in_class * rest).sum(dim=1).mean() / 2)

    def _shares(self) -> tuple[Float[Tensor, "K B"], Float[Tensor, "K B"]]:
        """Return the share of the other and of the class's samples in each bin, for each class that has both; [K, bins] each."""
        counts = self.counts.double()
        n = counts.sum(dim=2, keepdim=True)
        is_scored = (n > 0).all(dim=1).flatten()
        rest, in_class = (counts / n.clamp(min=1))[is_scored].unbind(dim=1)
        return rest, in_class
