"""What targets may be computed from beside the reads that were drawn: what the user gave with the study, opened once."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from aam.batch import PackedCounts
from aam.ecology.lineages import Lineages
from aam.ecology.tree import FeatureTree


@dataclass(frozen=True)
class SampleMatrix:
    """The user's distances between the samples of a study.

    Attributes
    ----------
    values
        Square, may be a memory map.
    rows
        Row of each sample of the study, int64 [S].
    """

    values: np.ndarray
    rows: np.ndarray


@dataclass(frozen=True)
class StudyResources:
    """What belongs to a study; None for what the objectives in use do not need.

    Attributes
    ----------
    n_features
        Features of the whole study, F.
    is_seen
        Which features any training sample holds, bool [F]; None where there is no taxonomy.
    tree
        Phylogeny of the features.
    lineages
        Taxonomy of the features.
    matrix
        The user's distances.
    taxonomy_rank
        Number of the rank at which compositions are added up.
    unifrac_alpha
        How much generalised UniFrac lets abundant lineages decide.
    """

    n_features: int
    is_seen: np.ndarray | None = None
    tree: FeatureTree | None = None
    lineages: Lineages | None = None
    matrix: SampleMatrix | None = None
    taxonomy_rank: int = 5
    unifrac_alpha: float = 0.5


Measure = Callable[[PackedCounts, StudyResources], np.ndarray]
"""Distances between the samples of a batch, float64 [B, B], or a value of each, float64 [B]."""
