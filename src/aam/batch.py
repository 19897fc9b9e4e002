"""What crosses the wall between data and models: the samples of one step, the reads drawn from them, and their encoding."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

# Names among a batch's targets, and in the log.

TARGET = "target"
"""Key of the metadata column: values in own units (float [B]), class numbers (int [B]) or, for mixed samples, shares of the
classes (float [B, C])."""

CATEGORY = "target_category"
"""Key of the category by which a target's transform may scale, as a number; int [B]."""

WEIGHT = "target_weight"
"""Key of the weight of each sample, float [B]; all samples weigh the same where it is absent."""

SCALING = "target_scaling_category"
"""Key of the category by which outputs are stretched and shifted, as a number; int [B]."""

CATEGORIES = "condition_categories"
"""Key of the categories in the categorical covariates, as numbers, −1 for an unknown one; int [B, columns]."""

NUMBERS = "condition_numbers"
"""Key of the standardised numeric covariates, NaN for unknown ones; float [B, columns]."""

IGNORED = -100
"""Label of a masked position that cannot be scored: padding, or an ambiguous nucleotide."""


def metric_prefix(column: str) -> str:
    """Return the prefix of the names of a column's metrics: its name without dots, which no module's name may have."""
    return column.replace(".", "_")


# Ranks that train together.


@dataclass(frozen=True)
class RankSpec:
    """One of the ranks that make batches together.

    Attributes
    ----------
    rank
        Number of this rank, from 0.
    n_ranks
        Number of ranks.
    is_pooled
        Whether each distinct ASV is encoded on one rank, and its vector sent to the others.
    """

    rank: int
    n_ranks: int
    is_pooled: bool = True


@dataclass(frozen=True)
class RankSlice:
    """The part of a batch that one rank has, where several devices train together.

    Attributes
    ----------
    samples
        Position of each of the rank's samples in the whole batch, increasing, [B].
    n_samples
        Samples of the whole batch.
    encoded
        Distinct ASVs that the rank encodes, increasing, [V].
    counted
        Distinct ASVs that the rank counts in losses and scores, increasing, [C]; each ASV is counted on one rank, which encodes it.
    is_pooled
        Whether ranks send each other the vectors that they encode; else each encodes all that its samples hold.
    """

    samples: Int[Tensor, "B"]
    n_samples: int
    encoded: Int[Tensor, "V"]
    counted: Int[Tensor, "C"]
    is_pooled: bool


# The batch.


@dataclass(frozen=True)
class MaskedNucleotides:
    """Some of the batch's ASVs with some of their nucleotides masked.

    Attributes
    ----------
    tokens
        The masked sequences, [R, L].
    columns
        Masked positions of each sequence, [R, K].
    labels
        Nucleotides before masking, 0 to 3 for A, C, G, T, or `IGNORED`; [R, K].
    asvs
        Number of each sequence among the batch's distinct ASVs, [R].
    """

    tokens: Int[Tensor, "R L"]
    columns: Int[Tensor, "R K"]
    labels: Int[Tensor, "R K"]
    asvs: Int[Tensor, "R"]


@dataclass(frozen=True)
class Batch:
    """The samples of one step, or a rank's share of them.

    Attributes
    ----------
    sample_index
        Row of each sample in the study, [B].
    features
        Row of each distinct ASV in the study, [U]; on a rank, those of the whole batch.
    tokens
        Sequences of the distinct ASVs, [U, L].
    asv_index
        Number of each packed pair's ASV among the distinct ASVs, [T].
    sample_offsets
        Sample ``i`` holds pairs ``sample_offsets[i]`` to ``sample_offsets[i + 1]``, [B + 1].
    counts
        Reads of each pair, [T].
    masked
        ASVs to read with masked nucleotides, or None.
    hidden
        Packed pairs whose abundance is to be predicted, [Q], or None.
    targets
        True values of the objectives, by objective name; the first axis is B, or U for targets of ASVs. Distances are between these
        samples and those of the whole batch, [B, N].
    asv_vectors
        Vectors of the distinct ASVs where they were computed beforehand, [U, D]; None if the model is to encode the tokens.
    hidden_asvs
        Packed pairs whose ASV is to be predicted, [G], or None.
    share
        The part of the whole batch that this is; None for a whole batch.
    """

    sample_index: Int[Tensor, "B"]
    features: Int[Tensor, "U"]
    tokens: Int[Tensor, "U L"]
    asv_index: Int[Tensor, "T"]
    sample_offsets: Int[Tensor, "B1"]
    counts: Int[Tensor, "T"]
    masked: MaskedNucleotides | None = None
    hidden: Int[Tensor, "Q"] | None = None
    targets: Mapping[str, Tensor] = field(default_factory=dict)
    asv_vectors: Float[Tensor, "U D"] | None = None
    hidden_asvs: Int[Tensor, "G"] | None = None
    share: RankSlice | None = None

    @property
    def n_samples(self) -> int:
        """Number of samples in this batch, B."""
        return len(self.sample_index)

    @property
    def n_samples_of_all_ranks(self) -> int:
        """Number of samples in the whole batch."""
        return self.n_samples if self.share is None else self.share.n_samples

    @property
    def sample_places(self) -> Int[Tensor, "B"]:
        """Position of each sample in the whole batch, [B]."""
        return torch.arange(self.n_samples, device=self.counts.device) if self.share is None else self.share.samples

    @property
    def counted_asvs(self) -> Int[Tensor, "C"] | slice:
        """Distinct ASVs that this batch counts in losses and scores: all, without those that another rank counts."""
        return slice(None) if self.share is None else self.share.counted

    @property
    def sample_of_pair(self) -> Int[Tensor, "T"]:
        """Number of each packed pair's sample, [T]."""
        lengths = self.sample_offsets.diff()
        return torch.repeat_interleave(
            torch.arange(self.n_samples, device=lengths.device), lengths, output_size=len(self.counts)
        )

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Batch":
        """Return a copy of the batch with every tensor on a device."""
        return _map_tensors(self, lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "Batch":
        """Return a copy of the batch in page-locked memory, from where a GPU fetches it while it computes."""
        return _map_tensors(self, lambda tensor: tensor.pin_memory())


def _map_tensors(owner: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Apply a function to the tensors of a dataclass, of its mappings, and of the dataclasses in it."""
    if isinstance(owner, Tensor):
        return change(owner)
    if isinstance(owner, Mapping):
        return {name: change(value) for name, value in owner.items()}
    if is_dataclass(owner):
        return type(owner)(**{item.name: _map_tensors(getattr(owner, item.name), change) for item in fields(owner)})
    return owner


# The reads that were drawn, and the targets that are computed from them.


@dataclass(frozen=True)
class Mixture:
    """Partners and weights of the samples of a batch that were mixed in pairs.

    Attributes
    ----------
    partners
        Position in the batch of each sample's partner, int64 [B].
    weights
        Fraction of each mixture's reads that are the sample's own, float64 [B].
    """

    partners: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True)
class PackedCounts:
    """The reads that were drawn from the samples of a batch, before the token limit.

    Attributes
    ----------
    samples
        Rows of the samples in the study, [B].
    features, counts
        ASVs of each sample and their reads, packed: [T].
    sample_offsets
        Sample ``i`` holds pairs ``sample_offsets[i]`` to ``sample_offsets[i + 1]``, [B + 1].
    mixture
        The samples that these reads were mixed with; None for samples as they are.
    wanted
        Positions of the samples that a rank needs targets of, increasing. A distance between samples computes only these rows; what
        is computed of every sample is cut to them by the caller.
    """

    samples: np.ndarray
    features: np.ndarray
    counts: np.ndarray
    sample_offsets: np.ndarray
    mixture: Mixture | None = None
    wanted: np.ndarray | slice = field(default_factory=lambda: slice(None))

    @property
    def n_samples(self) -> int:
        """Number of samples in the batch, B."""
        return len(self.sample_offsets) - 1

    @property
    def sample_of_pair(self) -> np.ndarray:
        """Number of each packed pair's sample, int64 [T]."""
        return np.repeat(np.arange(self.n_samples), np.diff(self.sample_offsets))

    def dense(self) -> tuple[np.ndarray, np.ndarray]:
        """Build the dense table of the batch.

        Returns
        -------
        features
            Features that any sample holds, increasing, [U].
        reads
            Reads of each feature in each sample, float64 [B, U].
        """
        features, column = np.unique(self.features, return_inverse=True)
        reads = np.zeros((self.n_samples, len(features)))
        reads[self.sample_of_pair, column] = self.counts
        return features, reads


BatchTarget = Callable[[PackedCounts], np.ndarray]
"""Computes an objective's true values from the reads that were drawn; the first axis is B, or the samples that are wanted."""

AsvTarget = Callable[[np.ndarray], np.ndarray]
"""Computes an objective's true values for the distinct ASVs of a batch, from their rows in the study, [U]; first axis U."""


def batch_input(values: np.ndarray) -> BatchTarget:
    """Return a function that selects a batch's rows of ``values``, [S, ...]; a mixed sample keeps its own row."""

    def of_batch(packed: PackedCounts) -> np.ndarray:
        return values[packed.samples]

    return of_batch


def batch_target(n_classes: int, truth: np.ndarray) -> BatchTarget:
    """Return a function that selects the true values of a batch's samples.

    Mixed samples get the weighted mean of both samples' values; their classes become shares, float64 [B, C].

    Parameters
    ----------
    n_classes
        Number of classes; 0 for numbers.
    truth
        Value or class number of each sample of the study, [S]; of several columns values, [S, K].
    """

    def of_batch(packed: PackedCounts) -> np.ndarray:
        values, mixture = truth[packed.samples], packed.mixture
        if mixture is None:
            return values
        values = np.eye(n_classes)[values] if n_classes else values
        weights = mixture.weights.reshape(-1, *[1] * (values.ndim - 1))
        return weights * values + (1 - weights) * values[mixture.partners]

    return of_batch


# What the model makes of a batch.


@dataclass(frozen=True)
class SampleEncoding:
    """Vectors of the samples of a batch.

    Attributes
    ----------
    context
        Each sample's ASVs in the context of their sample, packed: [T, D].
    sample_offsets
        Sample ``i`` holds those from ``sample_offsets[i]`` to before ``sample_offsets[i + 1]``, [B + 1].
    sample_vectors
        One vector per sample, [B, D].
    """

    context: Float[Tensor, "T D"]
    sample_offsets: Int[Tensor, "B1"]
    sample_vectors: Float[Tensor, "B D"]


@dataclass(frozen=True)
class Encoding:
    """All vectors that objectives may read.

    Attributes
    ----------
    samples
        Vectors of the samples, with nothing masked or hidden.
    masked_nucleotides
        Vectors of the patches that hold the masked nucleotides, [R, K, D]; None where none are masked.
    hidden_context
        Vectors of the pairs whose abundance was hidden, read with it hidden, [Q, D]; None where none are.
    hidden_asv_context
        Vectors of the pairs whose ASV was hidden, read with it hidden, [G, D]; None where none are.
    asv_vectors
        Vectors of the distinct ASVs, from their nucleotides alone, [U, D]; None where they were not needed.
    target_features
        Input of the heads for the user's target, [B, F]; None in a model without such heads.
    """

    samples: SampleEncoding
    masked_nucleotides: Float[Tensor, "R K D"] | None = None
    hidden_context: Float[Tensor, "Q D"] | None = None
    hidden_asv_context: Float[Tensor, "G D"] | None = None
    asv_vectors: Float[Tensor, "U D"] | None = None
    target_features: Float[Tensor, "B F"] | None = None
