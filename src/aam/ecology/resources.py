"""Data beside the reads that targets may be computed from: the user's tree, taxonomy and distances, opened once."""

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
        Square matrix; may be a memory map.
    rows
        Row of each sample of the study in the matrix, int64 [S].
    """

    values: np.ndarray
    rows: np.ndarray


@dataclass(frozen=True)
class StudyResources:
    """Tree, taxonomy and distances of a study; None for those that the objectives in use do not need.

    Attributes
    ----------
    n_features
        Number of features of the whole study, F.
    is_seen
        Whether any training sample holds each feature, bool [F]; None where there is no taxonomy.
    tree
        Phylogeny of the features.
    lineages
        Taxonomy of the features.
    matrix
        The user's distances between samples.
    taxonomy_rank
        Index in `RANKS` of the rank at which compositions are added up.
    unifrac_alpha
        Exponent α of generalised UniFrac; with a larger one abundant lineages weigh more.
    """

    n_features: int
    is_seen: np.ndarray | None = None
    tree: FeatureTree | None = None
    lineages: Lineages | None = None
    matrix: SampleMatrix | None = None
    taxonomy_rank: int = 5
    unifrac_alpha: float = 0.5


Measure = Callable[[PackedCounts, StudyResources], np.ndarray]
"""Computes the distances between the samples of a batch, float64 [B, B], or a value of each sample, float64 [B]."""
