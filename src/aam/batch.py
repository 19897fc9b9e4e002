"""What data hands to models: the samples of one step, with each distinct ASV once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

IGNORED = -100
"""Label of a masked position that cannot be scored: padding, or an ambiguous nucleotide."""


@dataclass(frozen=True)
class MaskedNucleotides:
    """Some of the batch's ASVs with some of their nucleotides masked.

    Attributes
    ----------
    tokens
        The masked sequences, [R, L].
    columns
        Masked positions of each, [R, K].
    labels
        What was there, 0 to 3 for A, C, G, T, or `IGNORED`; [R, K].
    asvs
        Which of the batch's distinct ASVs each is, [R].
    """

    tokens: Int[Tensor, "R L"]
    columns: Int[Tensor, "R K"]
    labels: Int[Tensor, "R K"]
    asvs: Int[Tensor, "R"]


@dataclass(frozen=True)
class Share:
    """Which part of a batch a rank has, where several devices train together.

    Attributes
    ----------
    samples
        Place of each of the rank's samples in the whole batch, increasing, [B].
    n_samples
        Samples of the whole batch.
    encoded
        Distinct ASVs that the rank encodes, increasing, [V].
    counted
        Those whose losses and scores are the rank's, increasing, [C]; every ASV is counted on one rank, which encodes it.
    is_pooled
        Whether ranks send each other the vectors that they encode; else each encodes all that its samples hold.
    """

    samples: Int[Tensor, "B"]
    n_samples: int
    encoded: Int[Tensor, "V"]
    counted: Int[Tensor, "C"]
    is_pooled: bool


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
        Which distinct ASV each packed pair holds, [T].
    sample_offsets
        Sample ``i`` holds pairs ``sample_offsets[i]`` to ``sample_offsets[i + 1]``, [B + 1].
    counts
        Reads of each pair, [T].
    masked
        ASVs to read with masked nucleotides, or None.
    hidden
        Packed pairs whose abundance is to be predicted, [Q], or None.
    hidden_asvs
        Packed pairs whose ASV is to be predicted, [G], or None.
    targets
        What objectives compare with, by objective name; the first axis is B, or U for what is known of ASVs. Distances are between
        these samples and those of the whole batch, [B, N].
    asv_vectors
        Vectors of the distinct ASVs where they were computed beforehand, [U, D]; None if the model is to encode the tokens.
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
    share: Share | None = None

    @property
    def n_samples(self) -> int:
        """B."""
        return len(self.sample_index)

    @property
    def n_samples_of_all_ranks(self) -> int:
        """Count the samples of the whole batch."""
        return self.n_samples if self.share is None else self.share.n_samples

    @property
    def sample_places(self) -> Int[Tensor, "B"]:
        """Place of each sample in the whole batch."""
        return torch.arange(self.n_samples, device=self.counts.device) if self.share is None else self.share.samples

    @property
    def counted_asvs(self) -> Int[Tensor, "C"] | slice:
        """Which distinct ASVs this batch counts in losses and scores: all, but for those that another rank counts."""
        return slice(None) if self.share is None else self.share.counted

    @property
    def sample_of_pair(self) -> Int[Tensor, "T"]:
        """Which sample each packed pair belongs to."""
        lengths = self.sample_offsets.diff()
        return torch.repeat_interleave(
            torch.arange(self.n_samples, device=lengths.device), lengths, output_size=len(self.counts)
        )

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Batch":
        """Copy every tensor to a device."""
        return _each_tensor(self, lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "Batch":
        """Copy every tensor to page-locked memory, from where a GPU fetches it while it computes."""
        return _each_tensor(self, lambda tensor: tensor.pin_memory())


def _each_tensor(owner: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Change the tensors of a dataclass, of its mappings, and of the dataclasses in it."""
    if isinstance(owner, Tensor):
        return change(owner)
    if isinstance(owner, Mapping):
        return {name: change(value) for name, value in owner.items()}
    if is_dataclass(owner):
        return type(owner)(**{item.name: _each_tensor(getattr(owner, item.name), change) for item in fields(owner)})
    return owner
