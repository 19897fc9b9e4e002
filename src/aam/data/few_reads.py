"""Samples of few reads, such as blanks and failed ones: which they are, and what is said of them."""

from collections.abc import Sequence

import numpy as np

from aam.errors import count_of, name_some

SHARE_OF_MEDIAN = 0.05
"""Fraction of the median depth below which a sample has few reads."""

ENOUGH = 500
"""Number of reads from which on a sample has enough, however deep the others are."""

SHARE_KEPT_BY_AUTO = 0.98
"""Share of the samples that the automatic depth keeps."""


def has_few_reads(depths: np.ndarray, reference: np.ndarray | None = None) -> np.ndarray:
    """Return whether each sample has so few reads that they say little of it, bool [S].

    Parameters
    ----------
    depths
        Reads of each sample, [S].
    reference
        Reads of the samples to compare with, such as those of training; None for the samples themselves.

    Examples
    --------
    >>> has_few_reads(np.array([3, 2000, 2500, 4000]))
    array([ True, False, False, False])
    """
    others = depths if reference is None else reference
    others = others[others > 0]
    if not len(others):
        return np.zeros(len(depths), dtype=bool)
    return depths < min(SHARE_OF_MEDIAN * float(np.median(others)), ENOUGH)


def automatic_depth(depths: np.ndarray) -> int:
    """Return the largest depth that keeps 98 % of the samples.

    Parameters
    ----------
    depths
        Reads of each sample, [S].

    Examples
    --------
    >>> automatic_depth(np.array([1500, 2000, 2500, 4000, 5000]))
    1500
    """
    n_dropped = int((1 - SHARE_KEPT_BY_AUTO) * len(depths))
    return max(1, int(np.sort(depths)[n_dropped]))


def automatic_depth_remarks(sample_ids: Sequence[str], depths: np.ndarray) -> list[str]:
    """Return a remark if samples of few reads set the automatic depth.

    Parameters
    ----------
    sample_ids, depths
        Names of the samples, and reads of each, [S].
    """
    depth, is_few = automatic_depth(depths), has_few_reads(depths)
    if not has_few_reads(np.array([depth]), depths)[0]:
        return []
    others = automatic_depth(depths[~is_few])
    some, names = f"{is_few.sum():,} of {count_of(len(depths), 'sample')}", name_some(_names(sample_ids, is_few))
    return [
        f"{some} have far fewer reads than the others ({_described(depths, is_few)}), such as blanks, controls and failed "
        f"samples: {names}. They make the depth of --rarefy-depth auto tiny, {count_of(depth, 'read')}, and no more are used of "
        f"any other. Take them out of the table, or pass --rarefy-depth {others}, the automatic depth without them."
    ]


def few_reads_remarks(sample_ids: Sequence[str], depths: np.ndarray) -> list[str]:
    """Return a remark if some samples have far fewer reads than the others; those without any are not meant.

    Parameters
    ----------
    sample_ids, depths
        Names of the samples, and reads of each, [S].
    """
    is_few = has_few_reads(depths) & (depths > 0)
    if not is_few.any():
        return []
    return [
        f"{is_few.sum():,} of {count_of(len(depths), 'sample')} have so few reads that they say little "
        f"({_described(depths, is_few)}): {name_some(_names(sample_ids, is_few))}. Are they blanks, controls or failed samples? "
        "Take them out of the table, or pass --rarefy-depth N to leave out samples with fewer than N reads."
    ]


def new_few_reads_remarks(sample_ids: Sequence[str], depths: np.ndarray, training: np.ndarray | None) -> list[str]:
    """Return a remark if some samples that a model is to read have far fewer reads than those of training.

    Parameters
    ----------
    sample_ids, depths
        Names of the samples, and reads of each, [S].
    training
        Reads of training samples; None where the model does not know, and samples are compared with each other.
    """
    is_few = has_few_reads(depths, training)
    if not is_few.any():
        return []
    those = "the median sample here" if training is None else "the median training sample"
    median = np.median(depths if training is None else training)
    return [
        f"{is_few.sum():,} of {count_of(len(depths), 'sample')} have too few reads to say anything of "
        f"({_range(depths[is_few])}; {those} has {median:,.0f}): {name_some(_names(sample_ids, is_few))}. What is predicted or "
        "computed for them is hardly more than a guess, however sure it looks: take them out of the table, or do not use it."
    ]


def _described(depths: np.ndarray, is_few: np.ndarray) -> str:
    return f"{_range(depths[is_few])}; the median sample has {np.median(depths):,.0f}"


def _range(depths: np.ndarray) -> str:
    low, high = int(depths.min()), int(depths.max())
    return count_of(low, "read") if low == high else f"{low:,} to {high:,} reads"


def _names(sample_ids: Sequence[str], is_chosen: np.ndarray) -> list[str]:
    return [sample_ids[index] for index in np.flatnonzero(is_chosen).tolist()]
