"""Which nucleotides and which abundances of a batch are hidden, to be predicted."""

from itertools import pairwise

import numpy as np
import torch

from aam import vocabulary
from aam.batch import IGNORED, MaskedNucleotides


def mask_nucleotides(
    tokens: np.ndarray, asv_fraction: float, mask_ratio: float, generator: np.random.Generator
) -> MaskedNucleotides:
    """Choose ASVs and mask the same number of random positions in each.

    Parameters
    ----------
    tokens
        Distinct ASVs of a batch, uint8 [U, L].
    asv_fraction
        Share of the ASVs to read masked; at least one is.
    mask_ratio
        Share of the positions to mask in each, of the longest sequence's; at least one is.
    generator
        Source of the choices.
    """
    n_asvs = max(1, round(asv_fraction * len(tokens)))
    chosen = tokens[np.sort(generator.choice(len(tokens), n_asvs, replace=False))]
    n_masked = max(1, round(mask_ratio * tokens.shape[1]))
    priority = generator.random(chosen.shape)
    priority[chosen == vocabulary.PAD] += 1.0  # padding is chosen last, and then ignored
    columns = np.argpartition(priority, n_masked - 1, axis=1)[:, :n_masked]
    truth = np.take_along_axis(chosen, columns, axis=1).astype(np.int64)
    is_nucleotide = (truth >= vocabulary.FIRST_NUCLEOTIDE) & (truth < vocabulary.AMBIGUOUS)
    labels = np.where(is_nucleotide, truth - vocabulary.FIRST_NUCLEOTIDE, IGNORED)
    masked = chosen.copy()
    np.put_along_axis(masked, columns, np.where(truth == vocabulary.PAD, vocabulary.PAD, vocabulary.MASK), axis=1)
    return MaskedNucleotides(
        tokens=torch.from_numpy(masked.astype(np.int64)),
        columns=torch.from_numpy(columns.astype(np.int64)),
        labels=torch.from_numpy(labels),
    )


def hide_abundances(sample_offsets: np.ndarray, mask_ratio: float, generator: np.random.Generator) -> torch.Tensor:
    """Choose the packed pairs whose abundance is hidden: a share of each sample's ASVs, at least one; int64 [Q]."""
    hidden = [
        begin + generator.choice(end - begin, max(1, round(mask_ratio * (end - begin))), replace=False)
        for begin, end in pairwise(sample_offsets)
    ]
    return torch.from_numpy(np.sort(np.concatenate(hidden)))
