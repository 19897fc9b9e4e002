"""Build batches from samples of a study: rarefaction, augmentation, the token limit, packing, masking and targets."""

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from aam.batch import AsvTarget, Batch, BatchTarget, MaskedNucleotides, PackedCounts, RankSlice, RankSpec
from aam.data.batching.augmentation import Augmentation, Augmenter, Reads
from aam.data.batching.batch_composition import Batcher, BySamples, split_until
from aam.data.batching.masking import hide_pairs, mask_nucleotides
from aam.data.batching.rank_slice import cut, slice_of_rank
from aam.data.rarefaction import EVALUATION, generator, rarefy
from aam.data.study import Study

MOST_WORKERS = 8


@dataclass(frozen=True)
class Masking:
    """Shares of nucleotides, ASVs and abundances to hide, None for none, and the strategy, by the names of the options."""

    nuc_mask_ratio: float | None = None
    nuc_asv_fraction: float = 1.0
    nuc_mask_strategy: str = "random"
    count_mask_ratio: float | None = None
    asv_mask_ratio: float | None = None


@dataclass(frozen=True)
class Drawing:
    """Settings by which reads are drawn from a sample.

    Attributes
    ----------
    depth
        Number of reads to draw; None for all.
    token_limit
        Most ASVs of a sample.
    seed
        Seed of the draws.
    """

    depth: int | None
    token_limit: int
    seed: int

    def draw(self, study: Study, sample_index: int, epoch: int | str) -> Reads:
        """Draw the reads of one sample; return the features that are present, increasing, and their counts, both [n]."""
        features, counts = study.sample(sample_index)
        if self.depth is None:
            return features, counts
        drawn = rarefy(counts, self.depth, generator(self.seed, "rarefaction", epoch, study.sample_ids[sample_index]))
        present = drawn > 0
        return features[present], drawn[present]


@dataclass(frozen=True)
class BatchPlan:
    """The samples of one batch, and the epoch whose draws they are read with.

    Attributes
    ----------
    epoch
        Number of a training epoch, or the name of other draws, such as `EVALUATION`.
    samples
        Indices of the samples in the study, [B].
    """

    epoch: int | str
    samples: tuple[int, ...]

    @property
    def is_training(self) -> bool:
        """Whether the draws are those of a training epoch, which has a number."""
        return isinstance(self.epoch, int)


@dataclass(frozen=True)
class BatchMaker(Dataset[Batch]):
    """Dataset that builds a batch from its plan, as a pure function of the study, the seed and the plan."""

    study: Study
    drawing: Drawing
    masking: Masking = field(default_factory=Masking)
    targets: Mapping[str, BatchTarget] = field(default_factory=dict)
    augmentations: Mapping[str, Augmentation] = field(default_factory=dict)
    asv_vectors: np.ndarray | None = None
    """Vectors of the study's features, computed beforehand, [F, D]; None if the model encodes the sequences."""
    asv_targets: Mapping[str, AsvTarget] = field(default_factory=dict)
    part: RankSpec | None = None
    """The rank whose slice of each batch is built; None for whole batches. Draws and masks are those of the whole batch, so that
    the number of ranks changes nothing."""

    def __getitem__(self, plan: BatchPlan) -> Batch:
        """Build one batch: draw, augment in training, limit, pack and mask its samples."""
        augmenter = Augmenter(self.augmentations if plan.is_training else {}, self.drawing.seed, plan.epoch)
        packed = self._draw(plan, augmenter)
        kept = keep_most_abundant(packed, self.drawing.token_limit)
        features, asv_index = np.unique(kept.features, return_inverse=True)
        share = None if self.part is None else slice_of_rank(self.part, asv_index, kept.sample_offsets, len(features))
        targets = self._targets(packed, features, share)
        tokens = self.study.tokens[features]
        masking = self.masking
        self.study.release()
        batch = Batch(
            sample_index=torch.tensor(plan.samples),
            features=torch.from_numpy(features.astype(np.int64)),
            tokens=torch.from_numpy(augmenter.tokens(tokens).astype(np.int64)),
            asv_index=torch.from_numpy(asv_index.astype(np.int64)),
            sample_offsets=torch.from_numpy(kept.sample_offsets),
            counts=torch.from_numpy(kept.counts.astype(np.int64)),
            masked=self._mask(plan, tokens),
            hidden=self._hide(plan, kept.sample_offsets, masking.count_mask_ratio, "abundances"),
            hidden_asvs=self._hide(plan, kept.sample_offsets, masking.asv_mask_ratio, "hidden-asvs"),
            targets=targets,
            asv_vectors=None if self.asv_vectors is None else torch.from_numpy(self.asv_vectors[features]),
        )
        return batch if share is None else cut(batch, share)

    def _targets(self, packed: PackedCounts, features: np.ndarray, share: RankSlice | None) -> dict[str, torch.Tensor]:
        """Compute the targets of the objectives, for the rank's samples and for all distinct ASVs."""
        wanted = slice(None) if share is None else share.samples.numpy()
        packed = replace(packed, wanted=wanted)
        targets = {}
        for name, target in self.targets.items():
            values = torch.as_tensor(target(packed))
            has_all = len(values) == packed.n_samples  # then those of a rank with all samples are the same
            targets[name] = values[wanted] if has_all else values
        return targets | {name: torch.as_tensor(target(features)) for name, target in self.asv_targets.items()}

    def _draw(self, plan: BatchPlan, augmenter: Augmenter) -> PackedCounts:
        """Draw and augment the reads of each sample, and pack them."""
        sample_ids = [self.study.sample_ids[index] for index in plan.samples]
        drawn = []
        for index, sample_id in zip(plan.samples, sample_ids, strict=True):
            depth = self.drawing.depth or int(self.study.sample(index)[1].sum())
            drawing = replace(self.drawing, depth=augmenter.depth(depth, sample_id))
            drawn.append(augmenter.reads(drawing.draw(self.study, index, plan.epoch), sample_id))
            self.study.release()
        drawn, mixture = augmenter.mix(drawn, sample_ids)
        return replace(pack(drawn, plan.samples), mixture=mixture)

    def _mask(self, plan: BatchPlan, tokens: np.ndarray) -> MaskedNucleotides | None:
        """Mask nucleotides of the study's own sequences, in which none is substituted."""
        masking = self.masking
        if masking.nuc_mask_ratio is None:
            return None
        fraction, ratio, stream = masking.nuc_asv_fraction, masking.nuc_mask_ratio, self._stream(plan, "nucleotides")
        return mask_nucleotides(tokens, fraction, ratio, stream, masking.nuc_mask_strategy, plan.is_training)

    def _hide(
        self, plan: BatchPlan, sample_offsets: np.ndarray, ratio: float | None, purpose: str
    ) -> torch.Tensor | None:
        """Choose the packed pairs to hide something of; None if nothing is hidden."""
        return None if ratio is None else hide_pairs(sample_offsets, ratio, self._stream(plan, purpose))

    def _stream(self, plan: BatchPlan, purpose: str) -> np.random.Generator:
        return generator(
            self.drawing.seed, purpose, plan.epoch, *(self.study.sample_ids[index] for index in plan.samples)
        )


def pack(drawn: Sequence[Reads], samples: Sequence[int]) -> PackedCounts:
    """Concatenate the reads of samples.

    Parameters
    ----------
    drawn
        Reads of each sample.
    samples
        Index of each sample in the study.
    """
    lengths = [len(features) for features, _ in drawn]
    return PackedCounts(
        samples=np.asarray(samples, dtype=np.int64),
        features=np.concatenate([features for features, _ in drawn]),
        counts=np.concatenate([counts for _, counts in drawn]),
        sample_offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
    )


def keep_most_abundant(packed: PackedCounts, limit: int) -> PackedCounts:
    """Return the packed counts of each sample's ``limit`` most abundant ASVs; of equals, the first in the study's order."""
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
    """Sampler that plans each epoch's batches as a function of (seed, epoch, study digest); the trainer calls `set_epoch`.

    Samples are shuffled, the order is cut into batches, and the batches are shuffled. Each sample is in one batch of every epoch.

    Attributes
    ----------
    samples
        Indices of the samples to train on, [n].
    batcher
        Division of an order into batches.
    seed, digest
        Seed of the run and digest of the study, which seed the shuffles.
    n_epochs
        Number of epochs that may be planned. All have the same number of batches: as many as the epoch that needs most.
    samples_per_epoch
        Samples in an epoch; the next epoch takes the next ones. None for all.
    epoch, n_done
        The epoch to plan next, and the number of its batches that were trained on before the run was continued.
    """

    samples: np.ndarray
    batcher: Batcher
    seed: int
    digest: str
    n_epochs: int = 1
    samples_per_epoch: int | None = None
    epoch: int = 0
    n_done: int = 0

    def __post_init__(self) -> None:
        n_planned = 1 if self.batcher.has_fixed_size else self.n_epochs
        self._n_batches = max(len(self._cut(epoch)) for epoch in range(n_planned))

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch to plan next."""
        if epoch != self.epoch:
            self.epoch, self.n_done = epoch, 0

    def start_at(self, epoch: int, n_done: int) -> None:
        """Set the epoch to plan next, and the number of its first batches to skip; later epochs are whole."""
        self.epoch, self.n_done = epoch, n_done

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return self._n_batches

    def __iter__(self) -> Iterator[BatchPlan]:
        """Yield the remaining batches of the epoch."""
        return iter(self.plans(self.epoch)[self.n_done :])

    def plans(self, epoch: int) -> list[BatchPlan]:
        """Plan all batches of an epoch."""
        return plans_of(split_until(self._cut(epoch), self._n_batches), epoch)

    def _cut(self, epoch: int) -> list[np.ndarray]:
        order, stream = self._shuffled(epoch)
        batches = self.batcher.cut(order)
        return [batches[number] for number in stream.permutation(len(batches))]

    def _shuffled(self, epoch: int) -> tuple[np.ndarray, np.random.Generator]:
        n_parts = math.ceil(len(self.samples) / self.n_in_epoch)
        passes, part = divmod(epoch, n_parts)
        order = generator(self.seed, "order", passes, self.digest).permutation(self.samples)
        return np.array_split(order, n_parts)[part], generator(self.seed, "batches", epoch, self.digest)

    @property
    def n_in_epoch(self) -> int:
        """Number of samples of an epoch."""
        return len(self.samples) if self.samples_per_epoch is None else min(self.samples_per_epoch, len(self.samples))


def plans_of(batches: Iterable[np.ndarray], epoch: int | str) -> list[BatchPlan]:
    """Return the plans of batches of sample indices, read with the draws of an epoch."""
    return [BatchPlan(epoch, tuple(batch.tolist())) for batch in batches]


def plan_in_order(samples: np.ndarray, batch_size: int, number: int = 0) -> list[BatchPlan]:
    """Plan batches of samples in the order given, with the draws of evaluation.

    Parameters
    ----------
    samples
        Sample indices, [n].
    batch_size
        Most samples of a batch.
    number
        Number of the draw, from 0, to read samples several times with different draws.
    """
    return plans_of(BySamples(batch_size).cut(samples), f"{EVALUATION} {number}" if number else EVALUATION)


def loader(
    maker: BatchMaker,
    plans: Sequence[BatchPlan] | EpochSampler,
    num_workers: int | None = 0,
    part: RankSpec | None = None,
) -> DataLoader[Batch]:
    """Build a loader of planned batches; with a GPU, it loads them into page-locked memory.

    Parameters
    ----------
    maker
        Builds the batches.
    plans
        Plans of the batches, in the order in which they are loaded.
    num_workers
        Number of processes that build batches, 0 for this one; None for several where there is a GPU and this one elsewhere.
    part
        The rank whose slice of each batch is loaded; None for whole batches.
    """
    maker = replace(maker, part=part)
    has_gpu = torch.cuda.is_available()
    if num_workers is None:
        num_workers = min(MOST_WORKERS, max(0, len(os.sched_getaffinity(0)) - 1)) if has_gpu else 0
    return DataLoader(
        maker,
        batch_size=None,
        sampler=plans,  # type: ignore[arg-type]
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        pin_memory=has_gpu,
    )
