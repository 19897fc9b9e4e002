"""The part of a batch that each of several ranks trains on, chosen by its cost and in the same way on all ranks."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch

from aam.batch import Batch, MaskedNucleotides, RankSlice, RankSpec


def slice_of_rank(part: RankSpec, asv_index: np.ndarray, sample_offsets: np.ndarray, n_asvs: int) -> RankSlice:
    """Choose a rank's samples and ASVs of a batch of packed pairs.

    Parameters
    ----------
    part
        The rank, and whether ranks pool their ASVs.
    asv_index
        Distinct ASV of each pair of the batch, [T].
    sample_offsets
        Start of each sample's pairs, and the end of the last; [B + 1].
    n_asvs
        Number of distinct ASVs of the batch.
    """
    samples = [asv_index[begin:end] for begin, end in pairwise(sample_offsets)]
    rank_of_sample, holds = divide_samples(samples, n_asvs, part.n_ranks)
    if part.is_pooled:
        counted = encoded = np.arange(part.rank, n_asvs, part.n_ranks)
    else:
        encoded = np.flatnonzero(holds[part.rank])
        counted = np.flatnonzero(holds.argmax(axis=0) == part.rank)  # the first rank that holds it
    chosen = np.flatnonzero(rank_of_sample == part.rank)
    chosen, encoded, counted = (torch.from_numpy(numbers) for numbers in (chosen, encoded, counted))
    return RankSlice(chosen, len(samples), encoded, counted, part.is_pooled)


def divide_samples(samples: list[np.ndarray], n_asvs: int, n_ranks: int) -> tuple[np.ndarray, np.ndarray]:
    """Assign samples, those with the most ASVs first, each to the rank that then holds the fewest distinct ASVs.

    A rank encodes its distinct ASVs, which is most of the cost. Of equal ranks, the one with the fewest (sample, ASV) pairs takes
    the sample, then the first.

    Parameters
    ----------
    samples
        Indices of each sample's ASVs.
    n_asvs
        Number of distinct ASVs of all samples.
    n_ranks
        Number of ranks; some get no sample if there are fewer samples than ranks.

    Returns
    -------
    The rank of each sample, int64 [B], and whether each rank holds each ASV, bool [ranks, n_asvs].
    """
    lengths = np.array([len(asvs) for asvs in samples])
    rank_of_sample = np.zeros(len(samples), dtype=np.int64)
    holds, n_pairs = np.zeros((n_ranks, n_asvs), dtype=bool), np.zeros(n_ranks)
    n_held = np.zeros(n_ranks)
    for index in np.argsort(-lengths, kind="stable"):
        asvs = samples[index]
        after = n_held + len(asvs) - holds[:, asvs].sum(axis=1)
        rank = np.lexsort((n_pairs, after))[0]
        rank_of_sample[index] = rank
        holds[rank, asvs] = True
        n_held[rank] = after[rank]
        n_pairs[rank] += len(asvs)
    return rank_of_sample, holds


def cut(batch: Batch, share: RankSlice) -> Batch:
    """Return the rank's slice of a whole batch; its targets must be cut already."""
    is_kept = torch.isin(batch.sample_of_pair, share.samples)
    new_position = is_kept.cumsum(0) - 1
    lengths = batch.sample_offsets.diff()[share.samples]

    def kept_pairs(hidden: torch.Tensor | None) -> torch.Tensor | None:
        return None if hidden is None else new_position[hidden[is_kept[hidden]]]

    return replace(
        batch,
        sample_index=batch.sample_index[share.samples],
        asv_index=batch.asv_index[is_kept],
        sample_offsets=torch.cat([lengths.new_zeros(1), lengths.cumsum(0)]),
        counts=batch.counts[is_kept],
        masked=_cut_masked(batch.masked, share),
        hidden=kept_pairs(batch.hidden),
        hidden_asvs=kept_pairs(batch.hidden_asvs),
        share=share,
    )


def _cut_masked(masked: MaskedNucleotides | None, share: RankSlice) -> MaskedNucleotides | None:
    if masked is None:
        return None
    is_kept = torch.isin(masked.asvs, share.counted)
    return MaskedNucleotides(
        masked.tokens[is_kept], masked.columns[is_kept], masked.labels[is_kept], masked.asvs[is_kept]
    )
