"""Choose the nucleotides and the abundances of a batch that are hidden, to be predicted."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch

from aam import vocabulary
from aam.batch import IGNORED, MaskedNucleotides

SHARE_MASKED, SHARE_REPLACED = 0.8, 0.1
"""Shares of the nucleotides to predict that are replaced by the mask, and by a random nucleotide, in training. The rest is read
unchanged, so that the model must represent every position, not only those where it sees the mask (Devlin et al. 2019)."""

SHORTEST_RUN, LONGEST_RUN = 2, 8
"""Least and most neighbouring positions that strategy ``span`` masks together, drawn for each ASV."""

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
        Share of the ASVs to mask; at least one is masked.
    mask_ratio
        Number of positions to mask in each ASV, as a share of the longest sequence; at least one is masked.
    generator
        Source of the choices.
    strategy
        Key of `STRATEGIES`.
    is_training
        Replace some of the positions by a random nucleotide and leave some unchanged; otherwise replace all by the mask, so that
        a score is fair.

    Returns
    -------
    The chosen ASVs with masked tokens, the positions to predict and the labels of these; the label of padding and of ambiguous
    letters is ``IGNORED``.
    """
    n_asvs = max(1, round(asv_fraction * len(tokens)))
    asvs = np.sort(generator.choice(len(tokens), n_asvs, replace=False))
    chosen = tokens[asvs]
    n_masked = max(1, round(mask_ratio * tokens.shape[1]))
    priority = STRATEGIES[strategy](chosen.shape, generator)
    priority[chosen == vocabulary.PAD] += 1.0  # padding is chosen last, and then ignored
    columns = np.argpartition(priority, n_masked - 1, axis=1)[:, :n_masked]
    truth = np.take_along_axis(chosen, columns, axis=1).astype(np.int64)  # R K
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
    """Cut each sequence into runs of one length; the priorities of a run differ only by a small term that orders them."""
    one_each = (shape[0], 1)
    length = generator.integers(SHORTEST_RUN, LONGEST_RUN + 1, one_each)
    start = generator.integers(0, LONGEST_RUN, one_each)
    run = (np.arange(shape[1]) + start) // length
    return np.take_along_axis(generator.random(shape), run % shape[1], axis=1) + 1e-9 * np.arange(shape[1])


STRATEGIES: dict[str, Strategy] = {"random": _anywhere, "span": _in_runs}
"""Functions from a shape [R, L] to the priority of each position, a number below about 1; the lowest are masked."""


def _read_in_training(truth: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Replace true tokens by the mask, by a random nucleotide or not at all."""
    chance = generator.random(truth.shape)
    letters = generator.integers(0, len(vocabulary.NUCLEOTIDES), truth.shape) + vocabulary.FIRST_NUCLEOTIDE
    read = np.where(chance < SHARE_MASKED + SHARE_REPLACED, letters, truth)
    return np.where(chance < SHARE_MASKED, vocabulary.MASK, read)


def hide_pairs(sample_offsets: np.ndarray, mask_ratio: float, generator: np.random.Generator) -> torch.Tensor:
    """Choose the packed pairs to hide something of.

    Parameters
    ----------
    sample_offsets
        Start of each sample's pairs, and the end of the last; int64 [B + 1].
    mask_ratio
        Share of each sample's ASVs; at least one is chosen.
    generator
        Source of the choices.

    Returns
    -------
    Positions of the chosen pairs, increasing, int64 [Q].
    """
    hidden = [
        begin + generator.choice(end - begin, max(1, round(mask_ratio * (end - begin))), replace=False)
        for begin, end in pairwise(sample_offsets)
    ]
    return torch.from_numpy(np.sort(np.concatenate(hidden)))
