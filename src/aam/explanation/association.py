"""How the share of each set goes with the truth, one set at a time: what a reader would find without a model."""

import numpy as np
from scipy.sparse import csr_array
from scipy.stats import rankdata

from aam.explanation.held_out import HeldOutSamples

_SETS_AT_A_TIME = 1024

_DIGITS = 12  # of shares: equal sums differ in the digits after, and would be ranked


def associations(samples: HeldOutSamples, membership: csr_array) -> np.ndarray:
    """Compute the absolute rank correlation (Spearman) of each set's share with the truth.

    Parameters
    ----------
    samples
        The samples, with their truth.
    membership
        Which features each set holds, float64 [N, F].

    Returns
    -------
    np.ndarray
        Of classes the largest, each against the others; 0 for a set of constant share; float64 [N].
    """
    shares = samples.shares()
    of_truth = samples.truth[:, None]
    if not samples.is_regression:
        of_truth = samples.truth[:, None] == np.unique(samples.truth)
    truth = _standardised(of_truth.astype(np.float64))
    found = np.zeros(len(membership.indptr) - 1)
    for start in range(0, len(found), _SETS_AT_A_TIME):
        of_sets = (shares @ membership[start : start + _SETS_AT_A_TIME].T).toarray().round(_DIGITS)
        correlation = _standardised(of_sets).T @ truth / len(truth)
        found[start : start + _SETS_AT_A_TIME] = np.abs(correlation).max(axis=1)
    return found


def _standardised(values: np.ndarray) -> np.ndarray:
    """Return ranks in each column, of mean 0 and spread 1; 0 for constant columns."""
    ranks = rankdata(values, axis=0)
    ranks -= ranks.mean(axis=0)
    return ranks / np.maximum(ranks.std(axis=0), 1e-9)
