"""From rows of a study to batches: rarefaction, augmentation, the token limit, packing, masking and targets."""

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from aam.batch import AsvTarget, Batch, BatchTarget, MaskedNucleotides, PackedCounts, RankSlice, RankSpec
from aam.data.augmentation import Augmentation, Augmenter, Reads
from aam.data.batch_composition import Batcher, BySamples, split_until
from aam.data.masking import hide_pairs, mask_nucleotides
from aam.data.rank_slice import cut, slice_of_rank
from aam.data.rarefaction import EVALUATION, generator, rarefy
from aam.data.study import Study

MOST_WORKERS = 8


@dataclass(frozen=True)
class Masking:
    """What is hidden, by the names of the options: shares, None hides nothing, and how nucleotides are chosen."""

    nuc_mask_ratio: float | None = None
    nuc_asv_fraction: float = 1.0
    nuc_mask_strategy: str = "random"
    count_mask_ratio: float | None = None
    asv_mask_ratio: float | None = None


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

    def draw(self, study: Study, row: int, epoch: int | str) -> Reads:
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

    @property
    def is_training(self) -> bool:
        """Whether these are the draws of a training epoch, which has a number."""
        return isinstance(self.epoch, int)


@dataclass(frozen=True)
class BatchMaker(Dataset[Batch]):
    """Turns a plan into a batch; a pure function of the study, the seed and the plan."""

    study: Study
    drawing: Drawing
    masking: Masking = field(default_factory=Masking)
    targets: Mapping[str, BatchTarget] = field(default_factory=dict)
    augmentations: Mapping[str, Augmentation] = field(default_factory=dict)
    asv_vectors: np.ndarray | None = None
    """Vectors of the study's features, computed beforehand, [F, D]; None if the model is to encode them."""
    asv_targets: Mapping[str, AsvTarget] = field(default_factory=dict)
    part: RankSpec | None = None
    """The rank that makes its share of each batch; None for whole batches. What is drawn, masked and hidden is that of the whole
    batch, so how many ranks there are changes nothing."""

    def __getitem__(self, plan: BatchPlan) -> Batch:
        """Draw, augment in training, limit, pack and mask the samples of one batch."""
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
        """Compute what objectives compare with: of the rank's samples, and of all distinct ASVs."""
        wanted = slice(None) if share is None else share.samples.numpy()
        packed = replace(packed, wanted=wanted)
        targets = {}
        for name, target in self.targets.items():
            rows = torch.as_tensor(target(packed))
            has_all = len(rows) == packed.n_samples  # then those of a rank with all samples are the same
            targets[name] = rows[wanted] if has_all else rows
        return targets | {name: torch.as_tensor(target(features)) for name, target in self.asv_targets.items()}

    def _draw(self, plan: BatchPlan, augmenter: Augmenter) -> PackedCounts:
        """Draw the reads of each sample, and change them."""
        sample_ids = [self.study.sample_ids[row] for row in plan.samples]
        drawn = []
        for row, sample_id in zip(plan.samples, sample_ids, strict=True):
            depth = self.drawing.depth or int(self.study.sample(row)[1].sum())
            drawing = replace(self.drawing, depth=augmenter.depth(depth, sample_id))
            drawn.append(augmenter.reads(drawing.draw(self.study, row, plan.epoch), sample_id))
            self.study.release()
        drawn, mixture = augmenter.mix(drawn, sample_ids)
        return replace(pack(drawn, plan.samples), mixture=mixture)

    def _mask(self, plan: BatchPlan, tokens: np.ndarray) -> MaskedNucleotides | None:
        """Mask nucleotides of the study, before any is substituted."""
        masking = self.masking
        if masking.nuc_mask_ratio is None:
            return None
        fraction, ratio, stream = masking.nuc_asv_fraction, masking.nuc_mask_ratio, self._stream(plan, "nucleotides")
        return mask_nucleotides(tokens, fraction, ratio, stream, masking.nuc_mask_strategy, plan.is_training)

    def _hide(
        self, plan: BatchPlan, sample_offsets: np.ndarray, ratio: float | None, purpose: str
    ) -> torch.Tensor | None:
        """Choose the pairs of which something is hidden."""
        return None if ratio is None else hide_pairs(sample_offsets, ratio, self._stream(plan, purpose))

    def _stream(self, plan: BatchPlan, purpose: str) -> np.random.Generator:
        return generator(self.drawing.seed, purpose, plan.epoch, *(self.study.sample_ids[row] for row in plan.samples))


def pack(drawn: Sequence[Reads], samples: Sequence[int]) -> PackedCounts:
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
    """Plans each epoch's batches as a function of (seed, epoch, study digest); `set_epoch` is called by the trainer.

    Samples are shuffled, the order is cut, and the batches are shuffled: each sample is in one batch of every epoch.

    Attributes
    ----------
    samples
        Rows of the study to train on.
    composer
        Cuts an order into batches.
    seed, digest
        Name the random streams.
    n_epochs
        Epochs that may be planned. All have the same number of batches: as many as the epoch that needs most.
    samples_per_epoch
        Samples in an epoch; the next epoch takes the next ones. None for all.
    epoch, n_done
        The next pass, and how many of its batches were trained on before the run was continued.
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
        """Choose the epoch that the next pass plans."""
        if epoch != self.epoch:
            self.epoch, self.n_done = epoch, 0

    def start_at(self, epoch: int, n_done: int) -> None:
        """Let the next pass leave out the first batches of its epoch; later epochs are whole."""
        self.epoch, self.n_done = epoch, n_done

    def __len__(self) -> int:
        """Count the batches of an epoch."""
        return self._n_batches

    def __iter__(self) -> Iterator[BatchPlan]:
        """Yield the batches of the epoch that are left."""
        return iter(self.plans(self.epoch)[self.n_done :])

    def plans(self, epoch: int) -> list[BatchPlan]:
        """Plan the batches of an epoch."""
        return plans_of(split_until(self._cut(epoch), self._n_batches), epoch)

    def _cut(self, epoch: int) -> list[np.ndarray]:
        order, stream = self._shuffled(epoch)
        batches = self.batcher.cut(order)
        return [batches[place] for place in stream.permutation(len(batches))]

    def _shuffled(self, epoch: int) -> tuple[np.ndarray, np.random.Generator]:
        n_parts = math.ceil(len(self.samples) / self.n_in_epoch)
        passes, part = divmod(epoch, n_parts)
        order = generator(self.seed, "order", passes, self.digest).permutation(self.samples)
        return np.array_split(order, n_parts)[part], generator(self.seed, "batches", epoch, self.digest)

    @property
    def n_in_epoch(self) -> int:
        """Count the samples of an epoch."""
        return len(self.samples) if self.samples_per_epoch is None else min(self.samples_per_epoch, len(self.samples))


def plans_of(batches: Iterable[np.ndarray], epoch: int | str) -> list[BatchPlan]:
    """Plan batches of the rows given."""
    return [BatchPlan(epoch, tuple(batch.tolist())) for batch in batches]


def plan_in_order(samples: np.ndarray, batch_size: int, number: int = 0) -> list[BatchPlan]:
    """Plan batches in the order given, with the draws of evaluation; each ``number`` has draws of its own."""
    return plans_of(BySamples(batch_size).cut(samples), f"{EVALUATION} {number}" if number else EVALUATION)


def loader(
    maker: BatchMaker,
    plans: Sequence[BatchPlan] | EpochSampler,
    num_workers: int | None = 0,
    part: RankSpec | None = None,
) -> DataLoader[Batch]:
    """Load the planned batches, or the part of a rank of each; with a GPU, into page-locked memory.

    ``num_workers`` processes make them; None: this one on a CPU, others where there is a GPU.
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
