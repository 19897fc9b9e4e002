"""Which samples form a batch: a fixed number, or as many as memory holds."""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from aam.data.memory import ExpectedASVs, MemoryEstimate

REACH = 4
"""How many batches to either side a lone sample's companion may come from."""


class Batcher(Protocol):
    """Cuts an order of samples into batches."""

    @property
    def has_fixed_size(self) -> bool:
        """Whether the number of batches does not depend on the order."""
        ...

    def cut(self, order: np.ndarray) -> list[np.ndarray]:
        """Divide rows of the study into consecutive batches."""
        ...


@dataclass(frozen=True)
class BySamples:
    """Batches of nearly equal numbers of samples, so that none is left with a single one."""

    batch_size: int
    has_fixed_size: bool = True

    def cut(self, order: np.ndarray) -> list[np.ndarray]:
        """Divide the order."""
        return np.array_split(order, math.ceil(len(order) / self.batch_size))


@dataclass(frozen=True)
class ByMemory:
    """Batches whose estimated memory stays within a budget.

    Attributes
    ----------
    expected
        ASVs of each sample.
    lengths
        How many each is read with, [S].
    estimate
        Memory of a batch.
    budget
        Bytes for a step.
    most
        Most samples of a batch; None for as many as fit.
    has_fixed_size
        False: how many fit depends on which meet.
    """

    expected: ExpectedASVs
    lengths: np.ndarray
    estimate: MemoryEstimate
    budget: float
    most: int | None = None
    has_fixed_size: bool = False

    def shape_of(self, samples: np.ndarray) -> tuple[float, float]:
        """Give the expected number of (sample, ASV) pairs, T, and of distinct ASVs, U."""
        growing = _GrowingBatch(self.expected, self.lengths)
        for row in samples.tolist():
            growing.add(*growing.with_sample(row))
        self.expected.study.release()
        return growing.n_pairs, growing.n_asvs

    def bytes_of(self, samples: np.ndarray) -> float:
        """Estimate the peak memory of a step on some samples."""
        return self.estimate.fixed + self.estimate.of_batch(*self.shape_of(samples))

    def cut(self, order: np.ndarray) -> list[np.ndarray]:
        """Divide the order: each batch takes samples while they fit, and at least one."""
        growing = _GrowingBatch(self.expected, self.lengths)
        batches: list[list[int]] = [[]]
        for row in order.tolist():
            sample = growing.with_sample(row)
            size = self.estimate.fixed + self.estimate.of_batch(*sample[:2])
            if batches[-1] and (size > self.budget or len(batches[-1]) == self.most):
                batches.append([])
                self.expected.study.release()
                growing = _GrowingBatch(self.expected, self.lengths)
                sample = growing.with_sample(row)
            batches[-1].append(row)
            growing.add(*sample)
        self._pair_up(batches)
        return [np.array(batch, dtype=np.int64) for batch in batches]

    def _pair_up(self, batches: list[list[int]]) -> None:
        """Give a lone sample a companion from a batch near it that can spare one, if the two fit."""
        for place, batch in enumerate(batches):
            if len(batch) > 1 or self.most == 1 or self.bytes_of(np.array(batch)) > self.budget:
                continue
            near = [giver for giver in batches[max(0, place - REACH) : place + REACH + 1] if len(giver) > 2]
            spare = [(giver, row) for giver in near for row in giver]
            for giver, row in spare:
                if self.bytes_of(np.array([batch[0], row])) <= self.budget:
                    giver.remove(row)
                    batch.append(row)
                    break


class _GrowingBatch:
    """The expected distinct ASVs of a batch to which samples are added one by one.

    An ASV is absent if all samples lack it: ``U = Σ (1 − Π (1 − pᵢ))``, exactly, for samples are drawn independently.
    """

    def __init__(self, expected: ExpectedASVs, lengths: np.ndarray) -> None:
        self.expected, self.lengths = expected, lengths
        self.n_pairs, self.n_asvs = 0.0, 0.0
        self.absent: dict[int, float] = {}

    def with_sample(self, row: int) -> tuple[float, float, dict[int, float]]:
        """Give the pairs, the distinct ASVs and the chances of absence that the sample's changes, if it joined."""
        features, chance = self.expected.of(row)
        names = features.tolist()
        before = np.array([self.absent.get(name, 1.0) for name in names])
        after = before * (1.0 - chance)
        n_pairs = self.n_pairs + float(self.lengths[row])
        return n_pairs, self.n_asvs + float((before - after).sum()), dict(zip(names, after.tolist(), strict=True))

    def add(self, n_pairs: float, n_asvs: float, absent: dict[int, float]) -> None:
        """Let the sample join."""
        self.n_pairs, self.n_asvs = n_pairs, n_asvs
        self.absent |= absent


def split_until(batches: list[np.ndarray], n_batches: int) -> list[np.ndarray]:
    """Halve the batches with the most samples until there are enough."""
    batches = list(batches)
    while len(batches) < n_batches:
        largest = max(range(len(batches)), key=lambda place: len(batches[place]))
        batches[largest : largest + 1] = np.array_split(batches[largest], 2)
    return batches
