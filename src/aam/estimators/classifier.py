"""A classifier of feature tables for scikit-learn."""

from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets

from aam.estimators.base import KernelEstimator
from aam.labels.target import TargetState


class AAMClassifier(ClassifierMixin, KernelEstimator):
    """Predict a class from a feature table, with calibrated probabilities and sets.

    This is the head that ``aam train`` uses for small studies. Classes weigh the same, however many samples they have.

    Parameters
    ----------
    tree
        Rooted Newick file (or ``.qza``) with the columns of X as tips; adds UniFrac and clades. X must then be a DataFrame.
    coverage
        Share of new groups' samples whose class should be in `predict_set`.

    Attributes
    ----------
    classes_
        Classes in ``y``, sorted.
    """

    def __sklearn_tags__(self) -> Tags:
        """Return scikit-learn's tags: total counts are not used, only ratios and shares, so that two features make one."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:  # noqa: N803
        """Fit the classifier, and return it.

        Parameters
        ----------
        X
            Counts, not rarefied, [S, F]: an array, a sparse matrix, or a DataFrame.
        y
            Classes, [S].
        groups
            Subject of each sample, [S], so that penalties, weights and sets are chosen for new subjects; None: all differ.

        Raises
        ------
        ValueError
            X holds negative numbers, relative abundances or too little to compare, or y holds one class.
        """
        counts, labels = self._validated(X, y=y)
        check_classification_targets(labels)
        self.classes_, truth = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"AAMClassifier needs two classes; the data hold {len(self.classes_)} class: {self.classes_[0]!r}."
            )
        names = tuple(str(name) for name in self.classes_)
        commonest = names[int(np.bincount(truth).argmax())]
        target = TargetState(column="y", task="classification", guess=commonest, classes=names)
        self._fit(counts, labels, target, truth, groups)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Predict the probability of each class.

        Parameters
        ----------
        X
            Counts, [S, F].

        Returns
        -------
        np.ndarray
            Probabilities, float64 [S, C].
        """
        return self._predicted(X).values

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Predict the likeliest class.

        Parameters
        ----------
        X
            Counts, [S, F].

        Returns
        -------
        np.ndarray
            Classes, [S].
        """
        likeliest = self.predict_proba(X).argmax(axis=1)
        return self.classes_[likeliest]

    def predict_set(self, X: Any) -> np.ndarray:  # noqa: N803
        """Predict sets of classes, which hold the true class of ``coverage`` of the samples of new groups.

        Parameters
        ----------
        X
            Counts, [S, F].

        Returns
        -------
        np.ndarray
            Whether each class is in the set, bool [S, C].
        """
        chosen = self._predicted(X).chosen
        assert chosen is not None, "sets come with classes"
        return chosen
