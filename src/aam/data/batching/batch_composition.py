"""Divide samples into batches: of a fixed number, or as many as memory holds."""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from aam.data.batching.memory import ExpectedASVs, MemoryEstimate

REACH = 4
"""Batches to either side from which a lone sample's companion may come."""


class Batcher(Protocol):
    """Division of an order of samples into batches."""

    @property
    def has_fixed_size(self) -> bool:
        """Whether the number of batches does not depend on the order."""
        ...

    def cut(self, order: np.ndarray) -> list[np.ndarray]:
        """Divide sample indices, in their order, into consecutive batches of sample indices."""
        ...


@dataclass(frozen=True)
class BySamples:
    """Batches of nearly equal numbers of samples, so that none is left with a single one."""

    batch_size: int
    has_fixed_size: bool = True

    def cut(self, order: np.ndarray) -> list[np.ndarray]:
        """Divide sample indices, in their order, into consecutive batches of sample indices."""
        return np.array_split(order, math.ceil(len(order) / self.batch_size))


@dataclass(frozen=True)
class ByMemory:
    """Batches whose estimated memory stays within a budget.

    Attributes
    ----------
    expected
        Expected ASVs of each sample.
    lengths
        Number of ASVs that each sample is read with, [S].
    estimate
        Estimate of the memory of a batch.
    budget
        Bytes available to a step.
    most
        Most samples of a batch; None for as many as fit.
    has_fixed_size
        False: the number of samples that fit depends on which samples form the batch.
    """

    expected: ExpectedASVs
    lengths: np.ndarray
    estimate: MemoryEstimate
    budget: float
    most: int | None = None
    has_fixed_size: bool = False

    def shape_of(self, sample_indices: np.ndarray) -> tuple[float, float]:
        """Compute the expected number of (sample, ASV) pairs, T, and of distinct ASVs, U, of a batch of some samples."""
        growing = _GrowingBatch(self.expected, self.lengths)
        for index in sample_indices.tolist():
            growing.add(*growing.with_sample(index))
        self.expected.study.release()
        return growing.n_pairs, growing.n_asvs

    def bytes_of(self, sample_indices: np.ndarray) -> float:
        """Estimate the peak memory of a step on some samples, in bytes."""
        return self.estimate.fixed + self.estimate.of_batch(*self.shape_of(sample_indices))

    def cut(self, order: np.ndarray) -> list[np.ndarray]:
        """Divide sample indices, in their order, into batches; each takes samples while they fit, and at least one."""
        growing = _GrowingBatch(self.expected, self.lengths)
        batches: list[list[int]] = [[]]
        for index in order.tolist():
            grown = growing.with_sample(index)
            size = self.estimate.fixed + self.estimate.of_batch(*grown[:2])
            if batches[-1] and (size > self.budget or len(batches[-1]) == self.most):
                batches.append([])
                self.expected.study.release()
                growing = _GrowingBatch(self.expected, self.lengths)
                grown = growing.with_sample(index)
            batches[-1].append(index)
            growing.add(*grown)
        self._pair_up(batches)
        return [np.array(batch, dtype=np.int64) for batch in batches]

    def _pair_up(self, batches: list[list[int]]) -> None:
        """Move a sample from a nearby batch of more than two to each lone sample, if the two fit."""
        for number, batch in enumerate(batches):
            if len(batch) > 1 or self.most == 1 or self.bytes_of(np.array(batch)) > self.budget:
                continue
            near = [donor for donor in batches[max(0, number - REACH) : number + REACH + 1] if len(donor) > 2]
            spare = [(donor, index) for donor in near for index in donor]
            for donor, index in spare:
                if self.bytes_of(np.array([batch[0], index])) <= self.budget:
                    donor.remove(index)
                    batch.append(index)
                    break


class _GrowingBatch:
    """Expected distinct ASVs of a batch to which samples are added one by one.

    An ASV is absent if all samples lack it: ``U = Σ (1 − Π (1 − pᵢ))``, exactly, because samples are drawn independently.
    """

    def __init__(self, expected: ExpectedASVs, lengths: np.ndarray) -> None:
        self.expected, self.lengths = expected, lengths
        self.n_pairs, self.n_asvs = 0.0, 0.0
        self.absent: dict[int, float] = {}

    def with_sample(self, sample_index: int) -> tuple[float, float, dict[int, float]]:
        """Compute the pairs and distinct ASVs with one more sample, and the probability that each of its ASVs is then absent."""
        array, chance = self.expected.of(sample_index)
        features = array.tolist()
        before = np.array([self.absent.get(feature, 1.0) for feature in features])
        after = before * (1.0 - chance)
        n_pairs = self.n_pairs + float(self.lengths[sample_index])
        return n_pairs, self.n_asvs + float((before - after).sum()), dict(zip(features, after.tolist(), strict=True))

    def add(self, n_pairs: float, n_asvs: float, absent: dict[int, float]) -> None:
        """Add the sample that `with_sample` computed these numbers for."""
        self.n_pairs, self.n_asvs = n_pairs, n_asvs
        self.absent |= absent


def split_until(batches: list[np.ndarray], n_batches: int) -> list[np.ndarray]:
    """Halve the batch with the most samples until there are at least ``n_batches``; return the batches in their order."""
    batches = list(batches)
    while len(batches) < n_batches:
        largest = max(range(len(batches)), key=lambda number: len(batches[number]))
        batches[largest : largest + 1] = np.array_split(batches[largest], 2)
    return batches
