"""Explanations in Python: of scikit-learn estimators of aam, over folds, and of opened models; they return data frames."""

from pathlib import Path
from typing import Any, Protocol, Self, cast

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import clone

from aam.config.explain import ExplanationConfig
from aam.data.study import Study
from aam.ecology.lineages import Lineages
from aam.ecology.tree import FeatureTree
from aam.explanation.clades import Clades
from aam.explanation.explain import FeatureSets, Importance, explain_importance
from aam.explanation.held_out import HeldOutSamples
from aam.inference.count_function import CountFunction
from aam.inference.predictor import Predictor
from aam.io.metadata import Metadata
from aam.io.newick import read_newick
from aam.kernels.head import KernelEnsemble
from aam.labels.stratified import fold_numbers, strata
from aam.labels.target import TargetState


class Explainable(Protocol):
    """An estimator whose predictions are a function of reads, such as `aam.estimators.AAMRegressor`."""

    tree: str | Path | None
    ensemble_: KernelEnsemble

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:  # noqa: N803
        """Fit the estimator to counts, [S, F], and targets, [S]."""
        ...

    def as_function(self, X: Any) -> CountFunction:  # noqa: N803
        """Return the predictions of samples as a function of their reads."""
        ...


def explain_estimator(
    estimator: Explainable,
    X: Any,  # noqa: N803
    y: Any,
    groups: Any = None,
    folds: int = 5,
    options: ExplanationConfig | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Compute which features and clades an estimator's predictions depend on, each sample explained while it is held out.

    Parameters
    ----------
    estimator
        An estimator of aam; it is cloned and fitted in each fold, and stays as it is.
    X
        Counts, [S, F]. With a tree, a DataFrame whose columns are its tips.
    y
        Values, or classes, [S].
    groups
        Subject of each sample, [S]: whole subjects are held out and exchanged. None: all differ.
    folds, seed
        Number of folds, and seed of folds and draws.
    options
        Numbers of exchanges and null draws, and the length of the lists whose stability is asked; None for the defaults.

    Returns
    -------
    pd.DataFrame
        Rows of ``importance.tsv``, as ``docs/explaining.md`` explains them; features without a name are called by their number.

    Raises
    ------
    ValueError
        The estimator cannot be fitted to a fold.

    Examples
    --------
    >>> from aam.estimators import AAMRegressor
    >>> rng = np.random.default_rng(0)
    >>> counts = rng.poisson(20, (60, 8))
    >>> table = explain_estimator(AAMRegressor(), counts, np.log(counts[:, 3] + 1.0))
    >>> table.loc[table["kind"] == "ASV", "name"].iloc[0]
    '3'
    """
    options = ExplanationConfig() if options is None else options
    samples = held_out_by_folds(estimator, X, y, groups, folds, seed)
    clades = _clades(estimator.tree, samples, options.least_samples)
    return explain_importance(samples, FeatureSets.of(clades, {}, samples, None), options, seed).table


def _clades(tree: str | Path | None, samples: HeldOutSamples, least_samples: int) -> Clades:
    features = samples.candidates(least_samples)
    if tree is None:
        return Clades.of_features(features)
    return Clades.of_tree(FeatureTree.from_arrays(read_newick(Path(tree)), list(samples.feature_ids)), features)


def held_out_by_folds(
    estimator: Explainable,
    X: Any,  # noqa: N803
    y: Any,
    groups: Any,
    folds: int,
    seed: int,
) -> HeldOutSamples:
    """Return the samples, each with an estimator of the other folds."""
    targets, n_samples = np.asarray(y), len(y)
    groups = np.arange(n_samples).astype(str) if groups is None else np.asarray(groups).astype(str)
    is_number = targets.dtype.kind in "fiu" and not hasattr(estimator, "predict_proba")
    labels = targets if is_number else np.unique(targets, return_inverse=True)[1]
    fold_of_sample = fold_numbers(groups, strata(labels), folds, seed)
    models, target = _fit_folds(estimator, X, targets, groups, fold_of_sample)
    names = [str(name) for name in getattr(X, "columns", range(X.shape[1]))]
    return HeldOutSamples(target, [str(k) for k in range(n_samples)], names, labels, groups, models)


def _fit_folds(
    estimator: Explainable,
    X: Any,  # noqa: N803
    targets: np.ndarray,
    groups: np.ndarray,
    fold_of_sample: np.ndarray,
) -> tuple[list[tuple[CountFunction, np.ndarray]], TargetState]:
    """Return, for each fold, what an estimator of the other folds predicts of it, with its rows, and the target."""
    models, targets_of_folds = [], []
    for fold in np.unique(fold_of_sample).tolist():
        training, held_out = np.flatnonzero(fold_of_sample != fold), np.flatnonzero(fold_of_sample == fold)
        fitted = cast(Explainable, clone(estimator)).fit(_rows(X, training), targets[training], groups=groups[training])
        models.append((fitted.as_function(_rows(X, held_out)), held_out))
        targets_of_folds.append(fitted.ensemble_.target)
    return models, targets_of_folds[0]


def _rows(table: Any, rows: np.ndarray) -> Any:
    if hasattr(table, "iloc"):
        return table.iloc[rows]
    return table.tocsr()[rows] if issparse(table) else np.asarray(table)[rows]


def explain_predictor(
    predictor: Predictor,
    study: Study,
    truth: np.ndarray,
    groups: np.ndarray | None = None,
    metadata: Metadata | None = None,
    tree: FeatureTree | None = None,
    lineages: Lineages | None = None,
) -> Importance:
    """Compute which features and clades the predictions of an opened model depend on.

    Parameters
    ----------
    predictor
        The model, from `aam.inference.predictor.open_predictor`.
    study
        Samples that it has not seen.
    truth
        Values, or numbers of its classes, [S].
    groups
        Subject of each sample, [S]; None: all differ.
    metadata
        Metadata with the columns that the model reads of each sample, if it reads any.
    tree, lineages
        Tree of the study's features, whose clades are explained, and lineages that name them; None for the tree that a kernel head
        keeps, and for no names.

    Returns
    -------
    Importance
        The table, with the contribution of each sample.

    Raises
    ------
    ModelError
        The model has no target.
    """
    target, ids = predictor.description.target, list(study.sample_ids)
    function = predictor.as_function(study, metadata)
    assert isinstance(target, TargetState), "one column is explained at a time"
    groups = np.array(ids) if groups is None else groups
    models = [(function, np.arange(study.n_samples))]
    samples = HeldOutSamples(target, ids, study.feature_ids, truth, groups, models)
    features, options = samples.candidates(1), ExplanationConfig()
    known = samples.known_clades(features)
    clades = Clades.of_features(features) if known is None else known
    if tree is not None:
        clades = Clades.of_tree(tree, features)
    return explain_importance(samples, FeatureSets.of(clades, {}, samples, lineages), options, 0)
