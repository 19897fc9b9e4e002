"""A bounded sample of predictions, each with the same probability of being in it."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


class Reservoir:
    """Keep the ``size`` predictions with the smallest random keys of all that were added, in the order in which they were added.

    Every prediction draws one number from the stream, so which are kept depends on the stream and on the predictions' order, but
    not on how they are divided into batches. The smallest of independent keys are a uniform sample without replacement (Efraimidis
    and Spirakis 2006).

    Parameters
    ----------
    size
        Most predictions to keep.
    stream
        Generator of the keys.
    """

    def __init__(self, size: int, stream: np.random.Generator) -> None:
        self.size = size
        self.n_seen = 0
        self._stream = stream
        self._keys = np.empty(0)
        self._rows: tuple[Tensor, Tensor] | None = None

    def add(self, prediction: Tensor, truth: Tensor) -> None:
        """Add a batch of predictions [N, ...] and truths [N]; those that may be kept are copied to the CPU."""
        keys = self._stream.random(len(truth))
        self.n_seen += len(truth)
        limit = self._keys.max() if len(self._keys) == self.size else 1.0
        candidates = np.flatnonzero(keys < limit)
        if self._rows is not None and not len(candidates):
            return
        index = torch.from_numpy(candidates).to(truth.device)
        prediction, truth = (rows.detach()[index].cpu() for rows in (prediction, truth))
        self._keep(keys[candidates], prediction, truth)

    def join(self, other: "Reservoir") -> None:
        """Add what another reservoir, with another stream, has kept of other predictions."""
        self.n_seen += other.n_seen
        if other._rows is not None:
            self._keep(other._keys, *other._rows)

    def _keep(self, keys: np.ndarray, prediction: Tensor, truth: Tensor) -> None:
        added = prediction, truth
        if self._rows is not None:
            added = tuple(torch.cat(rows) for rows in zip(self._rows, added, strict=True))
        merged = np.concatenate([self._keys, keys])
        kept = np.sort(merged.argsort()[: self.size])
        self._keys = merged[kept]
        self._rows = (added[0][kept], added[1][kept])

    @property
    def points(self) -> tuple[Tensor, Tensor]:
        """The predictions that were kept, [M, ...], and their truths, [M]."""
        assert self._rows is not None, "nothing was added"
        return self._rows


def merge(reservoirs: Sequence[Reservoir]) -> Reservoir:
    """Join the reservoirs of several ranks in the first one, and return it."""
    first, *others = reservoirs
    for other in others:
        first.join(other)
    return first
