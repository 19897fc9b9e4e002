"""Spearman's rank correlation in bounded memory: exact for few pairs, a joint histogram with a known error for many."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torchmetrics import Metric

MOST_CELLS = 32_768
"""Number of distinct pairs up to which the correlation is exact, and of cells of the histogram beyond it: 0.8 MB."""

_MOST_BITS = 62
"""Number of bits of a double below its sign that can be dropped so that one is left."""


class Spearman(Metric):
    """Spearman's correlation of predictions and truths; nan where one of them is constant.

    Pairs are kept, equal ones as one with a weight, while there are at most ``most_cells`` distinct ones. Beyond that, as many of
    the last bits of all values are dropped as leave at most ``most_cells``: a sparse joint histogram with bins that grow with the
    value, and are equally wide between powers of two, so it suits skewed values as well as those far from 0. The members of a bin
    have the mean of their ranks. The number of bits depends on the pairs alone, so the value does not depend on their order, on
    batches or on processes. `error_bound` bounds the difference from the exact value.

    torchmetrics' SpearmanCorrCoef keeps all predictions.
    """

    is_differentiable = False
    full_state_update = False
    higher_is_better = True
    cells: list[Tensor]
    dropped_bits: Tensor

    def __init__(self, most_cells: int = MOST_CELLS) -> None:
        super().__init__()
        self.most_cells = most_cells
        self.add_state("cells", [], dist_reduce_fx="cat")
        self.add_state("dropped_bits", torch.tensor(0), dist_reduce_fx="max")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Add a batch of predictions and truths, [N] each."""
        pairs = torch.stack([preds.double(), target.double(), torch.ones_like(target, dtype=torch.float64)], dim=1)
        self.cells.append(pairs.flatten())  # flat: a process without a batch gathers an empty list as a flat tensor
        if sum(part.numel() // 3 for part in self.cells) > 2 * self.most_cells:
            cells, dropped = self._compact()
            self.cells, self.dropped_bits = [cells.flatten()], torch.full_like(self.dropped_bits, dropped)

    def compute(self) -> Tensor:
        """Return the correlation of the mean ranks of the bins, a float64 scalar."""
        cells, _ = self._compact()
        return _correlation(cells)

    def error_bound(self) -> float:
        """Return the largest possible difference between the value and the exact one; 0 while it is exact.

        Within a bin with a share p of the pairs, ranks deviate from their mean by a variance of p²/12 at most. The deviations are
        orthogonal to the bins' means, so the angle between the exact ranks and the means is at most atan(√(Σp³/12) / σ), σ the
        spread of the means; the angle between predictions and truths differs by the sum of both at most, and the correlation is
        its cosine.
        """
        cells, dropped = self._compact()
        value = float(_correlation(cells))
        if not dropped or not math.isfinite(value):
            return 0.0
        angle, slack = math.acos(max(-1.0, min(1.0, value))), 0.0
        for column in (0, 1):
            rank, share = _ranks(cells[:, column], cells[:, 2])
            spread = float((cells[:, 2] * rank.square()).sum() / cells[:, 2].sum())
            slack += math.atan(math.sqrt(float(share.pow(3).sum()) / 12 / spread))
        highest, lowest = math.cos(max(0.0, angle - slack)), math.cos(min(math.pi, angle + slack))
        return max(highest - value, value - lowest)

    def _compact(self) -> tuple[Float[Tensor, "K 3"], int]:
        """Return the pairs, merged after dropping the fewest bits that leave few enough, and the number of bits dropped."""
        parts = self.cells if isinstance(self.cells, list) else [self.cells]  # gathered from processes, it is a tensor
        cells = torch.cat([part.reshape(-1, 3) for part in parts])
        dropped = int(self.dropped_bits)
        merged = _merge(cells, dropped)
        if len(merged) > self.most_cells:
            dropped = _fewest_bits_to_drop(merged, dropped + 1, self.most_cells)
            merged = _merge(merged, dropped)
        return merged, dropped


def _fewest_bits_to_drop(cells: Float[Tensor, "M 3"], low: int, most: int) -> int:
    """Return the least number of bits to drop, from ``low`` on, that leaves at most ``most`` cells; the bins are nested."""
    high = _MOST_BITS
    while low < high:
        middle = (low + high) // 2
        if len(_merge(cells, middle)) <= most:
            high = middle
        else:
            low = middle + 1
    return low


def _merge(cells: Float[Tensor, "M 3"], dropped_bits: int) -> Float[Tensor, "K 3"]:
    """Return the pairs with the last bits of their values set to 0, and the weights of equal pairs added up."""
    values = cells[:, :2].contiguous()
    shortened = (values.view(torch.int64) >> dropped_bits << dropped_bits).view(torch.float64)
    values = torch.where(values.isfinite(), shortened, values)
    order = values[:, 1].argsort()
    order = order[values[order, 0].argsort(stable=True)]
    values, weights = values[order], cells[order, 2]
    is_new = _differs(values)
    group = is_new.cumsum(0) - 1
    total = torch.zeros(int(is_new.sum()), dtype=weights.dtype, device=weights.device).index_add_(0, group, weights)
    return torch.cat([values[is_new], total[:, None]], dim=1)


def _differs(values: Float[Tensor, "M 2"]) -> Bool[Tensor, "M"]:
    """Return whether each of the sorted rows differs from the row before it."""
    is_new = torch.ones(len(values), dtype=torch.bool, device=values.device)
    is_new[1:] = (values[1:] != values[:-1]).any(dim=1)
    return is_new


def _ranks(values: Float[Tensor, "K"], weights: Float[Tensor, "K"]) -> tuple[Float[Tensor, "K"], Float[Tensor, "J"]]:
    """Return the mean rank of each value, from −½ to ½, [K], and the share of the pairs in each distinct value, [J]."""
    distinct, group = values.unique(return_inverse=True)
    share = torch.zeros_like(distinct).index_add_(0, group, weights) / weights.sum()
    return (share.cumsum(0) - share / 2 - 0.5)[group], share


def _correlation(cells: Float[Tensor, "K 3"]) -> Float[Tensor, ""]:
    """Return the correlation of the ranks of weighted pairs."""
    weights = cells[:, 2]
    (first, n_first), (second, n_second) = (_ranks(cells[:, column], weights) for column in (0, 1))
    product, *squares = ((weights * products).sum() for products in (first * second, first.square(), second.square()))
    score = product / (squares[0].sqrt() * squares[1].sqrt())
    is_defined = len(n_first) > 1 and len(n_second) > 1 and not bool(cells.isnan().any())
    return score.clamp(-1, 1) if is_defined else torch.full_like(score, torch.nan)
