"""The samples that are explained: held out of the models that predict them, with their truth, groups and names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from aam.data.rarefaction import rarefy
from aam.explanation.clades import Clades
from aam.explanation.importance import HeldOutPart
from aam.explanation.losses import Truth
from aam.explanation.perturbation import stack
from aam.inference.count_function import CountFunction
from aam.labels.target import TargetState


@dataclass(frozen=True)
class HeldOutSamples:
    """Samples, each with a model that has not seen it.

    Attributes
    ----------
    target
        What is predicted.
    sample_ids, feature_ids
        Names of the samples and of the features.
    truth
        Values or class numbers, [S].
    groups
        Group (subject) of each sample, [S].
    models
        Predictions of some samples by one model as a function of their reads, with the rows of these samples, int64; each sample
        is of one model.
    nuisance
        Columns that a model should not read, such as the number of reads, by name; each [S].
    is_labelled
        Whether ``truth`` is the truth; else it is what the models predict.
    """

    target: TargetState
    sample_ids: Sequence[str]
    feature_ids: Sequence[str]
    truth: np.ndarray
    groups: np.ndarray
    models: Sequence[tuple[CountFunction, np.ndarray]]
    nuisance: Mapping[str, pd.Series] = field(default_factory=dict)
    is_labelled: bool = True

    @classmethod
    def without_truth(cls, samples: "HeldOutSamples") -> "HeldOutSamples":
        """Return samples whose truth is not known, with what is predicted in its place."""
        predicted = samples.predictions()
        truth = predicted[:, 0] if samples.is_regression else predicted.argmax(axis=1)
        return replace(samples, truth=truth, nuisance={}, is_labelled=False)

    @property
    def n_samples(self) -> int:
        """Number of samples, S."""
        return len(self.truth)

    @property
    def is_regression(self) -> bool:
        """Whether the target is a number."""
        return self.target.task == "regression"

    @property
    def folds(self) -> np.ndarray:
        """Number of the model that predicts each sample, int64 [S]."""
        folds = np.zeros(self.n_samples, dtype=np.int64)
        for number, (_, rows) in enumerate(self.models):
            folds[rows] = number
        return folds

    @property
    def output_names(self) -> tuple[str, ...]:
        """Classes whose log odds are explained, only the second of two; of numbers the column."""
        if self.is_regression:
            return (self.target.column,)
        classes = tuple(self.target.classes)
        return classes[1:] if len(classes) == 2 else classes

    def scored(self) -> Truth:
        """Return the truth as the losses need it."""
        return Truth.of(self.target.task, self.truth, len(self.target.classes))

    def parts(self) -> list[HeldOutPart]:
        """Return the samples of each model."""
        truth = self.scored()
        return [HeldOutPart(function, rows, truth.of_rows(rows), self.groups[rows]) for function, rows in self.models]

    def predictions(self) -> np.ndarray:
        """Compute the predictions of all samples as they are, float64 [S, 1] or [S, C]."""
        predicted = np.zeros((self.n_samples, max(1, len(self.target.classes))))
        for function, rows in self.models:
            predicted[rows] = function.predictions()
        return predicted

    def candidates(self, least_samples: int) -> np.ndarray:
        """Return the features that any model reads and that enough of the samples hold, int64."""
        n_features = len(self.feature_ids)
        is_read, n_holding = np.zeros(n_features, dtype=bool), np.zeros(n_features, dtype=np.int64)
        for function, _ in self.models:
            is_read |= function.is_read
            n_holding += np.bincount(function.counts.indices[function.counts.data > 0], minlength=n_features)
        return np.flatnonzero(is_read & (n_holding >= least_samples))

    def shares(self) -> csr_array:
        """Compute the share of each feature in each sample's reads, float64 [S, F]."""
        rows = np.concatenate([rows for _, rows in self.models])
        counts = stack([function.counts for function, _ in self.models], len(self.feature_ids))[np.argsort(rows)]
        depth = np.maximum(np.asarray(counts.sum(axis=1)), 1e-12)
        cells = counts.data / np.repeat(depth, np.diff(counts.indptr))
        return csr_array((cells, counts.indices, counts.indptr), shape=counts.shape)

    def rarefied(self, quantile: float, seed: int) -> "HeldOutSamples":
        """Return the samples with reads drawn from them, as many as the quantile of their depths; shallower ones are whole."""
        depths = np.concatenate([np.asarray(function.counts.sum(axis=1)) for function, _ in self.models])
        depth, rng = int(np.quantile(depths, quantile)), np.random.default_rng([seed, 4])
        models = [
            (replace(function, counts=_drawn(function.counts, depth, rng)), rows) for function, rows in self.models
        ]
        return replace(self, models=models)

    def known_clades(self, features: np.ndarray) -> Clades | None:
        """Return the clades of the tree that the models keep; None if they keep none, or several that may differ."""
        trees = [function.known_tree for function, _ in self.models]
        if len(trees) != 1 or trees[0] is None:
            return None
        phylogeny, number = trees[0]
        return Clades.of_phylogeny(phylogeny, number, features)


def _drawn(counts: csr_array, depth: int, rng: np.random.Generator) -> csr_array:
    parts = np.split(counts.data.astype(np.int64), counts.indptr[1:-1])
    reads = [rarefy(of_sample, depth, rng) if of_sample.sum() > depth else of_sample for of_sample in parts]
    cells = np.concatenate(reads).astype(np.float64)
    drawn = csr_array(
        (cells, counts.indices, counts.indptr), shape=counts.shape, copy=True
    )  # zeros are removed in place
    drawn.eliminate_zeros()
    return drawn
