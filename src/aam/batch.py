"""What data hands to models: the samples of one step, with each distinct ASV once."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

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
    """

    tokens: Int[Tensor, "R L"]
    columns: Int[Tensor, "R K"]
    labels: Int[Tensor, "R K"]


@dataclass(frozen=True)
class Batch:
    """The samples of one step.

    Attributes
    ----------
    sample_index
        Row of each sample in the study, [B].
    features
        Row of each distinct ASV in the study, [U].
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
        What objectives compare with, by objective name; the first axis is B, or U for what is known of ASVs.
    asv_vectors
        Vectors of the distinct ASVs where they were computed beforehand, [U, D]; None if the model is to encode the tokens.
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

    @property
    def n_samples(self) -> int:
        """B."""
        return len(self.sample_index)

    @property
    def sample_of_pair(self) -> Int[Tensor, "T"]:
        """Which sample each packed pair belongs to."""
        lengths = self.sample_offsets.diff()
        return torch.repeat_interleave(
            torch.arange(self.n_samples, device=lengths.device), lengths, output_size=len(self.counts)
        )

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Batch":
        """Copy every tensor to a device."""
        masked = None if self.masked is None else replace(self.masked, **_moved(self.masked, device, non_blocking))
        targets = {name: target.to(device, non_blocking=non_blocking) for name, target in self.targets.items()}
        return replace(self, **_moved(self, device, non_blocking), masked=masked, targets=targets)

    def pin_memory(self) -> "Batch":
        """Copy every tensor to page-locked memory, from where a GPU fetches it while it computes."""
        masked = None if self.masked is None else replace(self.masked, **_pinned(self.masked))
        targets = {name: target.pin_memory() for name, target in self.targets.items()}
        return replace(self, **_pinned(self), masked=masked, targets=targets)


def _moved(owner: Batch | MaskedNucleotides, device: torch.device | str, non_blocking: bool) -> dict[str, Tensor]:
    values = {item.name: getattr(owner, item.name) for item in fields(owner)}
    return {name: v.to(device, non_blocking=non_blocking) for name, v in values.items() if isinstance(v, Tensor)}


def _pinned(owner: Batch | MaskedNucleotides) -> dict[str, Tensor]:
    values = {item.name: getattr(owner, item.name) for item in fields(owner)}
    return {name: value.pin_memory() for name, value in values.items() if isinstance(value, Tensor)}
