"""From rows of a study to batches: rarefaction, the token limit, packing, masking and targets."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from aam.batch import Batch
from aam.data.masking import hide_abundances, mask_nucleotides
from aam.data.rarefaction import rarefy
from aam.data.seeding import generator
from aam.data.study import Study

EVALUATION = "evaluation"
"""The epoch of draws that must depend on the seed and the sample alone."""


@dataclass(frozen=True)
class PackedCounts:
    """The reads that were drawn from the samples of a batch, before the token limit.

    Attributes
    ----------
    samples
        Rows of the study, [B].
    features, counts
        ASVs of each sample and their reads, packed: [T].
    sample_offsets
        Where each sample begins, [B + 1].
    """

    samples: np.ndarray
    features: np.ndarray
    counts: np.ndarray
    sample_offsets: np.ndarray


BatchTarget = Callable[[PackedCounts], np.ndarray]
"""Computes what an objective compares with, from the reads that were drawn; the first axis is B."""


@dataclass(frozen=True)
class Masking:
    """Shares of what is hidden; None hides nothing."""

    nuc_mask_ratio: float | None = None
    nuc_asv_fraction: float = 1.0
    count_mask_ratio: float | None = None


@dataclass(frozen=True)
class Drawing:
    """How reads are drawn from a sample.

    Attributes
    ----------
    depth
        Reads to draw; None for all.
    token_limit
        Most ASVs of a sample.
    seed
        Fixes the draws.
    """

    depth: int | None
    token_limit: int
    seed: int

    def draw(self, study: Study, row: int, epoch: int | str) -> tuple[np.ndarray, np.ndarray]:
        """Draw one sample's reads: the features present and their counts, both [n]."""
        features, counts = study.sample(row)
        if self.depth is None:
            return features, counts
        drawn = rarefy(counts, self.depth, generator(self.seed, "rarefaction", epoch, study.sample_ids[row]))
        present = drawn > 0
        return features[present], drawn[present]


@dataclass(frozen=True)
class BatchPlan:
    """Which samples form a batch, in which epoch."""

    epoch: int | str
    samples: tuple[int, ...]


@dataclass(frozen=True)
class BatchMaker(Dataset[Batch]):
    """Turns a plan into a batch; a pure function of the study, the seed and the plan."""

    study: Study
    drawing: Drawing
    masking: Masking = field(default_factory=Masking)
    targets: Mapping[str, BatchTarget] = field(default_factory=dict)
    asv_vectors: np.ndarray | None = None
    """Vectors of the study's features, computed beforehand, [F, D]; None if the model is to encode them."""

    def __getitem__(self, plan: BatchPlan) -> Batch:
        """Draw, limit, pack and mask the samples of one batch."""
        packed = pack([self.drawing.draw(self.study, row, plan.epoch) for row in plan.samples], plan.samples)
        targets = {name: torch.as_tensor(target(packed)) for name, target in self.targets.items()}
        kept = keep_most_abundant(packed, self.drawing.token_limit)
        features, asv_index = np.unique(kept.features, return_inverse=True)
        tokens = self.study.tokens[features]
        ids = [self.study.sample_ids[row] for row in plan.samples]
        self.study.release()
        masking, seed = self.masking, self.drawing.seed
        masked = hidden = None
        if masking.nuc_mask_ratio is not None:
            stream = generator(seed, "nucleotides", plan.epoch, *ids)
            masked = mask_nucleotides(tokens, masking.nuc_asv_fraction, masking.nuc_mask_ratio, stream)
        if masking.count_mask_ratio is not None:
            stream = generator(seed, "abundances", plan.epoch, *ids)
            hidden = hide_abundances(kept.sample_offsets, masking.count_mask_ratio, stream)
        return Batch(
            sample_index=torch.tensor(plan.samples),
            features=torch.from_numpy(features.astype(np.int64)),
            tokens=torch.from_numpy(tokens.astype(np.int64)),
            asv_index=torch.from_numpy(asv_index.astype(np.int64)),
            sample_offsets=torch.from_numpy(kept.sample_offsets),
            counts=torch.from_numpy(kept.counts.astype(np.int64)),
            masked=masked,
            hidden=hidden,
            targets=targets,
            asv_vectors=None if self.asv_vectors is None else torch.from_numpy(self.asv_vectors[features]),
        )


def pack(drawn: Sequence[tuple[np.ndarray, np.ndarray]], samples: Sequence[int]) -> PackedCounts:
    """Lay the samples' ASVs one after the other."""
    lengths = [len(features) for features, _ in drawn]
    return PackedCounts(
        samples=np.asarray(samples, dtype=np.int64),
        features=np.concatenate([features for features, _ in drawn]),
        counts=np.concatenate([counts for _, counts in drawn]),
        sample_offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
    )


def keep_most_abundant(packed: PackedCounts, limit: int) -> PackedCounts:
    """Keep each sample's ``limit`` most abundant ASVs; of equals, the first in the study's order."""
    lengths = np.diff(packed.sample_offsets)
    if lengths.max(initial=0) <= limit:
        return packed
    drawn = []
    for begin, end in zip(packed.sample_offsets[:-1], packed.sample_offsets[1:], strict=True):
        features, counts = packed.features[begin:end], packed.counts[begin:end]
        kept = np.sort(np.argsort(-counts, kind="stable")[:limit])
        drawn.append((features[kept], counts[kept]))
    return pack(drawn, packed.samples.tolist())


@dataclass
class EpochSampler(Sampler[BatchPlan]):
    """Plans each epoch's batches as a function of (seed, epoch, study digest); `set_epoch` is called by the trainer."""

    samples: np.ndarray
    batch_size: int
    seed: int
    digest: str
    epoch: int = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next pass plans."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Count the batches of an epoch."""
        return math.ceil(len(self.samples) / self.batch_size)

    def __iter__(self) -> Iterator[BatchPlan]:
        """Yield the batches of the epoch, of nearly equal sizes, so that no batch is left with a single sample."""
        order = generator(self.seed, "order", self.epoch, self.digest).permutation(self.samples)
        for part in np.array_split(order, len(self)):
            yield BatchPlan(self.epoch, tuple(part.tolist()))


def plan_in_order(samples: np.ndarray, batch_size: int) -> list[BatchPlan]:
    """Plan batches in the order given, with the draws of evaluation."""
    parts = np.array_split(samples, -(-len(samples) // batch_size))
    return [BatchPlan(EVALUATION, tuple(part.tolist())) for part in parts]


def loader(maker: BatchMaker, plans: Sequence[BatchPlan] | EpochSampler) -> DataLoader[Batch]:
    """Load the planned batches."""
    return DataLoader(maker, batch_size=None, sampler=plans)  # type: ignore[arg-type]
