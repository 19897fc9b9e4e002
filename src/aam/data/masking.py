"""Which nucleotides and which abundances of a batch are hidden, to be predicted."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch

from aam import vocabulary
from aam.batch import IGNORED, MaskedNucleotides

SHARE_MASKED, SHARE_REPLACED = 0.8, 0.1
"""Of the nucleotides to predict in training, how many are read as the mask, and how many as a random one; the rest is read as it
is, so that the model must know every position, not only where it sees the mask (Devlin et al. 2019)."""

SHORTEST_RUN, LONGEST_RUN = 2, 8
"""Neighbours that strategy ``span`` masks together, drawn for each ASV."""

Strategy = Callable[[tuple[int, ...], np.random.Generator], np.ndarray]


def mask_nucleotides(
    tokens: np.ndarray,
    asv_fraction: float,
    mask_ratio: float,
    generator: np.random.Generator,
    strategy: str = "random",
    is_training: bool = False,
) -> MaskedNucleotides:
    """Choose ASVs, and the same number of positions to predict in each.

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
    strategy
        Key of `STRATEGIES`.
    is_training
        Read some of the positions as a random nucleotide, or as they are; else all as the mask, so that a score is fair.
    """
    n_asvs = max(1, round(asv_fraction * len(tokens)))
    asvs = np.sort(generator.choice(len(tokens), n_asvs, replace=False))
    chosen = tokens[asvs]
    n_masked = max(1, round(mask_ratio * tokens.shape[1]))
    priority = STRATEGIES[strategy](chosen.shape, generator)
    priority[chosen == vocabulary.PAD] += 1.0  # padding is chosen last, and then ignored
    columns = np.argpartition(priority, n_masked - 1, axis=1)[:, :n_masked]
    truth = np.take_along_axis(chosen, columns, axis=1).astype(np.int64)
    is_nucleotide = (truth >= vocabulary.FIRST_NUCLEOTIDE) & (truth < vocabulary.AMBIGUOUS)
    labels = np.where(is_nucleotide, truth - vocabulary.FIRST_NUCLEOTIDE, IGNORED)
    masked = chosen.copy()
    read = _read_in_training(truth, generator) if is_training else vocabulary.MASK
    np.put_along_axis(masked, columns, np.where(truth == vocabulary.PAD, truth, read), axis=1)
    return MaskedNucleotides(
        tokens=torch.from_numpy(masked.astype(np.int64)),
        columns=torch.from_numpy(columns.astype(np.int64)),
        labels=torch.from_numpy(labels),
        asvs=torch.from_numpy(asvs),
    )


def _anywhere(shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    return generator.random(shape)


def _in_runs(shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """Cut each row into runs of one length, and give the positions of a run one number, but for what tells them apart."""
    rows = (shape[0], 1)
    length, start = generator.integers(SHORTEST_RUN, LONGEST_RUN + 1, rows), generator.integers(0, LONGEST_RUN, rows)
    run = (np.arange(shape[1]) + start) // length
    return np.take_along_axis(generator.random(shape), run % shape[1], axis=1) + 1e-9 * np.arange(shape[1])


STRATEGIES: dict[str, Strategy] = {"random": _anywhere, "span": _in_runs}
"""Which positions go first: numbers [R, L] below about 1, the lowest are masked."""


def _read_in_training(truth: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    chance = generator.random(truth.shape)
    letters = generator.integers(0, len(vocabulary.NUCLEOTIDES), truth.shape) + vocabulary.FIRST_NUCLEOTIDE
    read = np.where(chance < SHARE_MASKED + SHARE_REPLACED, letters, truth)
    return np.where(chance < SHARE_MASKED, vocabulary.MASK, read)


def hide_pairs(sample_offsets: np.ndarray, mask_ratio: float, generator: np.random.Generator) -> torch.Tensor:
    """Choose the packed pairs of which something is hidden: a share of each sample's ASVs, at least one; int64 [Q]."""
    hidden = [
        begin + generator.choice(end - begin, max(1, round(mask_ratio * (end - begin))), replace=False)
        for begin, end in pairwise(sample_offsets)
    ]
    return torch.from_numpy(np.sort(np.concatenate(hidden)))
