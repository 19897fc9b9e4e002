"""A regressor of feature tables for scikit-learn."""

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin

from aam.estimators.base import KernelEstimator
from aam.labels.target import TargetState


class AAMRegressor(RegressorMixin, KernelEstimator):
    """Predict a number from a feature table, with intervals; the head that ``aam train`` uses for small studies.

    Parameters
    ----------
    tree
        Rooted Newick file (or ``.qza``) with the columns of X as tips; adds UniFrac and clades. X must then be a DataFrame.
    coverage
        Share of new groups' samples whose true value should lie in `predict_interval`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import GroupKFold, cross_val_score
    >>> from aam.estimators import AAMRegressor
    >>> stream = np.random.default_rng(0)
    >>> counts = stream.poisson(20, size=(60, 12))
    >>> age = np.log(counts[:, 0] + 1) - np.log(counts[:, 1] + 1)
    >>> subject = np.repeat(np.arange(20), 3)
    >>> folds = GroupKFold(3)
    >>> scores = cross_val_score(AAMRegressor(), counts, age, groups=subject, cv=folds, params={"groups": subject}, scoring="r2")
    >>> bool(scores.min() > 0.5)
    True
    """

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:  # noqa: N803
        """Fit the regressor, and return it.

        Parameters
        ----------
        X
            Counts, not rarefied, [S, F]: an array, a sparse matrix, or a DataFrame.
        y
            Numbers, [S].
        groups
            Subject of each sample, [S], so that penalties, weights and intervals are chosen for new subjects; None: all differ.

        Raises
        ------
        ValueError
            X holds negative numbers, relative abundances or too little to compare, or y holds one value.
        """
        counts, truth = self._validated(X, y=y, y_numeric=True, ensure_min_samples=2)
        truth = truth.astype(np.float64)
        if np.ptp(truth) == 0:
            raise ValueError(f"y is {truth[0]:g} for all {len(truth)} samples: there is nothing to learn.")
        target = TargetState(column="y", task="regression", guess=float(np.median(truth)))
        self._fit(counts, truth, target, truth, groups)
        return self

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Predict numbers.

        Parameters
        ----------
        X
            Counts, [S, F].

        Returns
        -------
        np.ndarray
            Values, float64 [S].
        """
        return self._predicted(X).values

    def predict_interval(self, X: Any) -> tuple[np.ndarray, np.ndarray]:  # noqa: N803
        """Predict intervals, which hold the true values of ``coverage`` of the samples of new groups.

        Parameters
        ----------
        X
            Counts, [S, F].

        Returns
        -------
        tuple of np.ndarray
            Lower and upper ends, float64 [S] each.
        """
        columns = self._predicted(X).columns
        return np.asarray(columns["lower"]), np.asarray(columns["upper"])
