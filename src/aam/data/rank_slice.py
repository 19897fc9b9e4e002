"""The part of a batch that each of several ranks trains on: chosen by what it costs, alike on all ranks."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch

from aam.batch import Batch, MaskedNucleotides, RankSlice, RankSpec


def slice_of_rank(part: RankSpec, asv_index: np.ndarray, sample_offsets: np.ndarray, n_asvs: int) -> RankSlice:
    """Choose a rank's samples and ASVs of a batch of packed pairs."""
    samples = [asv_index[begin:end] for begin, end in pairwise(sample_offsets)]
    rank_of_sample, holds = divide_samples(samples, n_asvs, part.n_ranks)
    if part.is_pooled:
        counted = encoded = np.arange(part.rank, n_asvs, part.n_ranks)
    else:
        encoded = np.flatnonzero(holds[part.rank])
        counted = np.flatnonzero(holds.argmax(axis=0) == part.rank)  # the first rank that holds it
    own = np.flatnonzero(rank_of_sample == part.rank)
    own, encoded, counted = (torch.from_numpy(numbers) for numbers in (own, encoded, counted))
    return RankSlice(own, len(samples), encoded, counted, part.is_pooled)


def divide_samples(samples: list[np.ndarray], n_asvs: int, n_ranks: int) -> tuple[np.ndarray, np.ndarray]:
    """Deal samples out, those with the most ASVs first, each to the rank that then holds the fewest distinct ASVs.

    Distinct ASVs are what a rank encodes, which is most of the cost. Of equal ranks, the one with the fewest ASVs in samples takes
    it, then the first.

    Parameters
    ----------
    samples
        Numbers of each sample's ASVs.
    n_asvs
        Distinct ASVs of all.
    n_ranks
        Ranks; some have no sample if there are fewer samples.

    Returns
    -------
    The rank of each sample, int64 [B], and which ASVs each rank holds, bool [ranks, n_asvs].
    """
    lengths = np.array([len(asvs) for asvs in samples])
    rank_of_sample = np.zeros(len(samples), dtype=np.int64)
    holds, n_pairs = np.zeros((n_ranks, n_asvs), dtype=bool), np.zeros(n_ranks)
    n_held = np.zeros(n_ranks)
    for place in np.argsort(-lengths, kind="stable"):
        asvs = samples[place]
        after = n_held + len(asvs) - holds[:, asvs].sum(axis=1)
        rank = np.lexsort((n_pairs, after))[0]
        rank_of_sample[place] = rank
        holds[rank, asvs] = True
        n_held[rank] = after[rank]
        n_pairs[rank] += len(asvs)
    return rank_of_sample, holds


def cut(batch: Batch, share: RankSlice) -> Batch:
    """Cut a whole batch to a rank's share; its targets are cut already."""
    sample = batch.sample_of_pair
    is_own = torch.isin(sample, share.samples)
    place = is_own.cumsum(0) - 1
    lengths = batch.sample_offsets.diff()[share.samples]

    def own_pairs(hidden: torch.Tensor | None) -> torch.Tensor | None:
        return None if hidden is None else place[hidden[is_own[hidden]]]

    return replace(
        batch,
        sample_index=batch.sample_index[share.samples],
        asv_index=batch.asv_index[is_own],
        sample_offsets=torch.cat([lengths.new_zeros(1), lengths.cumsum(0)]),
        counts=batch.counts[is_own],
        masked=_own_masked(batch.masked, share),
        hidden=own_pairs(batch.hidden),
        hidden_asvs=own_pairs(batch.hidden_asvs),
        share=share,
    )


def _own_masked(masked: MaskedNucleotides | None, share: RankSlice) -> MaskedNucleotides | None:
    if masked is None:
        return None
    own = torch.isin(masked.asvs, share.counted)
    return MaskedNucleotides(masked.tokens[own], masked.columns[own], masked.labels[own], masked.asvs[own])
