"""Rarefaction: an equal number of reads from every sample, drawn without replacement."""

import logging

import numpy as np

from aam.data.study import Study
from aam.errors import TableError, name_some

logger = logging.getLogger(__name__)

SHARE_KEPT_BY_AUTO = 0.98
"""Share of the samples that the automatic depth keeps."""


def rarefy(counts: np.ndarray, depth: int, generator: np.random.Generator) -> np.ndarray:
    """Draw ``depth`` reads without replacement; int64 [n] like the counts, whose sum must be at least ``depth``."""
    if int(counts.sum()) == depth:
        return counts.copy()
    return generator.multivariate_hypergeometric(counts, depth, method="marginals")


def resolve_depth(rarefy_depth: int | str, depths: np.ndarray) -> int | None:
    """Turn ``--rarefy-depth`` into a number of reads, or None for no rarefaction."""
    if rarefy_depth == "none":
        return None
    if rarefy_depth == "auto":
        n_dropped = int((1 - SHARE_KEPT_BY_AUTO) * len(depths))
        return max(1, int(np.sort(depths)[n_dropped]))
    return int(rarefy_depth)


def drop_shallow_samples(study: Study, depth: int | None) -> Study:
    """Leave out the samples with fewer reads than ``depth`` (or with none), and say which.

    Raises
    ------
    TableError
        No sample is left.
    """
    least = depth or 1
    depths = study.depths
    kept = np.flatnonzero(depths >= least)
    if not len(kept):
        raise TableError(
            f"None of the {study.n_samples:,} samples has the {least:,} reads that are needed; the richest has "
            f"{int(depths.max(initial=0)):,}. Pass a smaller --rarefy-depth, or --rarefy-depth none for no rarefaction."
        )
    if len(kept) < study.n_samples:
        dropped = study.sample_ids.select(np.flatnonzero(depths < least))
        logger.warning(
            "Dropped %d of %d samples with fewer than %d reads: %s. --rarefy-depth sets the depth.",
            len(dropped), study.n_samples, least, name_some(dropped, limit=20),
        )  # fmt: skip
    return study.select_samples(kept)
