"""The base of both estimators: checks of the table of counts, and the fit of the ensemble."""

from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, check_non_negative, validate_data

from aam.ecology.tree import FeatureTree
from aam.inference.count_function import CountFunction
from aam.io.newick import read_newick
from aam.kernels.features import Phylogeny, Samples
from aam.kernels.fitting import fit_ensemble, n_groups_left_out
from aam.kernels.head import KernelEnsemble
from aam.kernels.known_asvs import MINIMUM_PREVALENCE
from aam.labels.target import Predictions, TargetState
from aam.uncertainty import warn_of_few_groups

_MOST_OF_SHARES = 1.01
"""Largest sum of a sample's shares, with room for their rounding."""

_SAME_TOTAL = 1e-3
"""Largest difference between equal totals, as a share of them, with room for rounding."""


def are_shares(table: np.ndarray) -> bool:
    """Return whether a table holds relative abundances, percentages or counts scaled to one total, rather than counts.

    The command line refuses every fraction. Here a step of a pipeline may have turned counts into fractions, so a table with
    fractions is refused only if its totals are all at most 1, or all equal.

    Parameters
    ----------
    table
        Numbers from 0, [S, F].

    Examples
    --------
    >>> are_shares(np.array([[0.25, 0.75], [0.5, 0.5]])), are_shares(np.array([[1.0, 3.0], [2.0, 2.0]]))
    (True, False)
    """
    if table.shape[1] < 2 or (table == np.floor(table)).all():
        return False
    totals = table.sum(axis=1)
    return bool(totals.max() <= _MOST_OF_SHARES or (len(totals) > 1 and np.ptp(totals) <= _SAME_TOTAL * totals.max()))


class KernelEstimator(BaseEstimator):
    """Kernel machines on log-ratios, and with a tree on UniFrac and clades, and a random forest; weighted by group-wise validation.

    Parameters
    ----------
    tree
        Rooted Newick file (or ``.qza``) with the columns of X as tips; X must then be a pandas DataFrame.
    coverage
        Coverage of intervals and sets, at least 0.5 and below 1.
    """

    def __init__(self, *, tree: str | Path | None = None, coverage: float = 0.9) -> None:
        self.tree = tree
        self.coverage = coverage

    def __sklearn_tags__(self) -> Tags:
        """Return scikit-learn's tags: X is not negative, and may be sparse."""
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        tags.input_tags.sparse = True
        return tags

    def _fit(self, X: Any, y: Any, target: TargetState, truth: np.ndarray, groups: Any) -> None:  # noqa: N803
        """Fit the ensemble to the validated counts of the features seen often enough.

        Parameters
        ----------
        X
            Counts, validated, [S, F].
        y
            Targets of the samples, read for their number alone.
        target, truth
            The target to predict, and its value or class number for each sample, [S].
        groups
            Subject of each sample, [S]; None if all samples are of different subjects.

        Raises
        ------
        ValueError
            X holds shares, groups are not one per sample, or no feature is seen in enough samples.
        """
        if not 0.5 <= self.coverage < 1:
            raise ValueError(f"coverage={self.coverage} is not between 0.5 and 1.")
        self._refuse_shares(X)
        self.is_whole_ = not (X % 1).any()
        groups = np.arange(len(y)) if groups is None else np.asarray(groups)
        if groups.shape != (len(y),):
            raise ValueError(f"groups holds {groups.shape} names for {len(y)} samples: pass one for each.")
        prevalence = (X > 0).sum(axis=0)
        least = min(MINIMUM_PREVALENCE, len(y))
        self.kept_ = np.flatnonzero(prevalence >= least)
        if not len(self.kept_):
            raise ValueError(f"No feature is above 0 in {least} of the {len(y)} samples: there is nothing to compare.")
        warn_of_few_groups(n_groups_left_out(groups), self.coverage)
        self.ensemble_: KernelEnsemble = fit_ensemble(
            Samples(X[:, self.kept_]), self._phylogeny(), target, truth, groups.astype(str), self.coverage
        )

    def _phylogeny(self) -> Phylogeny | None:
        if self.tree is None:
            return None
        names: np.ndarray | None = getattr(self, "feature_names_in_", None)
        if names is None:
            raise ValueError("tree= names its tips: pass X as a pandas DataFrame whose columns are these names.")
        tree = FeatureTree.from_arrays(read_newick(Path(self.tree)), names.tolist())
        number = np.full(self.n_features_in_, -1, dtype=np.int64)  # type: ignore[attr-defined]
        number[self.kept_] = np.arange(len(self.kept_))
        return Phylogeny.above(tree, number)

    def _validated(self, X: Any, **options: Any) -> Any:  # noqa: N803
        """Check a table, and return dense counts, float64 [S, F]; with ``y``, also that."""
        checked = validate_data(self, X, accept_sparse="csr", dtype=np.float64, **options)
        counts: Any
        counts, *rest = checked if isinstance(checked, tuple) else (checked,)
        check_non_negative(counts, type(self).__name__)
        dense = counts if isinstance(counts, np.ndarray) else counts.toarray()
        return (dense, *rest) if rest else dense

    def _samples(self, X: Any) -> Samples:  # noqa: N803
        check_is_fitted(self)
        counts = self._validated(X, reset=False)
        if self.is_whole_:  # else the totals of a few samples tell nothing
            self._refuse_shares(counts)
        return Samples(counts[:, self.kept_])

    def _refuse_shares(self, counts: np.ndarray) -> None:
        if are_shares(counts):
            raise ValueError(
                f"X holds fractions, and its samples add up to {counts.sum(axis=1).max():.4g} at most, as relative abundances do: "
                f"{type(self).__name__} compares counts of reads, in which a rare feature weighs less. Pass the counts."
            )

    def _predicted(self, X: Any) -> Predictions:  # noqa: N803
        samples = self._samples(X)
        return self.ensemble_.report(self.ensemble_.outputs(samples))

    def as_function(self, X: Any) -> CountFunction:  # noqa: N803
        """Return the predictions of samples as a function of their reads, for `aam.explanation`.

        Parameters
        ----------
        X
            Counts, [S, F].

        Returns
        -------
        CountFunction
            Values, or probabilities of all classes, as a function of counts of the same features.
        """
        check_is_fitted(self)
        counts = self._validated(X, reset=False)
        is_read = np.zeros(counts.shape[1], dtype=bool)
        is_read[self.kept_] = True

        def compute(changed: csr_array, samples: np.ndarray) -> np.ndarray:
            kept = Samples(changed[:, self.kept_].toarray())
            return self.ensemble_.values(self.ensemble_.outputs(kept))

        return CountFunction(csr_array(counts), is_read, compute)

    def is_outlier(self, X: Any) -> np.ndarray:  # noqa: N803
        """Return which samples are farther from all training samples than these are from each other.

        Parameters
        ----------
        X
            Counts, [S, F].

        Returns
        -------
        np.ndarray
            Bool [S].
        """
        return self.ensemble_.nearest(self._samples(X)) > self.ensemble_.calibration.farthest
