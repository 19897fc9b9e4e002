"""How far predictions are from the truth, as sums over samples of what is linear in the truth, so that truths can be permuted."""

from dataclasses import dataclass, replace

import numpy as np

from aam.labels.target import Task

LEAST_PROBABILITY = 1e-4
"""Floor of class probabilities, so that a forest's 0 does not decide a mean alone."""


@dataclass(frozen=True)
class Truth:
    """The truth of held-out samples, as the losses need it.

    Attributes
    ----------
    rows
        Regression: standardised values, [S, 1]. Classes: the weight of the sample's class in the column of that class, 0 elsewhere,
        so that all classes weigh the same, [S, C].
    centre, scale
        Mean and standard deviation of the values (regression).
    is_regression
        Whether the target is a number.
    """

    rows: np.ndarray
    centre: float
    scale: float
    is_regression: bool

    @classmethod
    def of(cls, task: Task, truth: np.ndarray, n_classes: int) -> "Truth":
        """Return the truth of values or class numbers, [S]."""
        if task == "regression":
            centre, scale = float(truth.mean()), max(float(truth.std()), 1e-12)
            return cls(((truth - centre) / scale)[:, None], centre, scale, True)
        size = np.bincount(truth, minlength=n_classes)
        weight = len(truth) / (np.maximum(size, 1) * (size > 0).sum())
        return cls(np.eye(n_classes)[truth] * weight, 0.0, 1.0, False)

    def of_rows(self, rows: np.ndarray) -> "Truth":
        """Return the truth of some samples, int64, in the units of all."""
        return replace(self, rows=self.rows[rows])

    def terms(self, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the parts of the loss of predictions, float64 [m, K]: a term without the truth, [m], and its factors, [m, K].

        The loss of a sample is the first minus the inner product of the second with its row of the truth: the squared error in
        units of the variance, without the truth's own square, or the cross-entropy in natural units.
        """
        if not self.is_regression:
            return np.zeros(len(predicted)), np.log(np.clip(predicted, LEAST_PROBABILITY, 1.0))
        standard = (predicted - self.centre) / self.scale
        return np.square(standard[:, 0]), 2 * standard

    def losses(self, predicted: np.ndarray) -> np.ndarray:
        """Compute the loss of each sample: squared error over the variance, or weighted cross-entropy; float64 [S]."""
        without, factors = self.terms(predicted)
        own = np.square(self.rows[:, 0]) if self.is_regression else 0.0
        return without + own - (factors * self.rows).sum(axis=1)


def explained_outputs(predicted: np.ndarray, is_regression: bool) -> np.ndarray:
    """Return the outputs whose changes are explained: values in own units, or log odds of each class against all others.

    Of two classes only the second is returned, as the first has the opposite sign.

    Parameters
    ----------
    predicted
        Values, [m, K], or class probabilities, [m, C].
    is_regression
        Whether they are values.

    Returns
    -------
    np.ndarray
        Values [m, K], or log odds [m, C], of two classes [m, 1].
    """
    if is_regression:
        return predicted
    probability = np.clip(predicted, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    odds = np.log(probability / (1 - probability))
    return odds[:, 1:] if odds.shape[1] == 2 else odds
