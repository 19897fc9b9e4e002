"""How far ordered lists of sets agree: between folds, between repeats and rarefactions, and between methods."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import rankdata

PERSISTENCE = 0.9
"""How far down readers go in `rank_biased_overlap`: the first 10 ranks weigh about 86 %."""

FOLDS, REPEATS, METHODS = "folds", "repeats", "methods"
"""What lists are compared between; repeats are also those of rarefactions."""


def rank_biased_overlap(first: np.ndarray, second: np.ndarray, persistence: float = PERSISTENCE) -> float:
    """Compute the extrapolated rank-biased overlap of two lists of equal length (Webber, Moffat & Zobel 2010, equation 23).

    Parameters
    ----------
    first, second
        Items from the first to the last, no two of a list equal; [k].
    persistence
        Probability to go on to the next rank, between 0 and 1.

    Returns
    -------
    float
        0 for lists without a common item, 1 for equal ones.

    Examples
    --------
    >>> rank_biased_overlap(np.array([1, 2, 3]), np.array([1, 2, 3])), rank_biased_overlap(np.array([1]), np.array([2]))
    (1.0, 0.0)
    """
    depth = np.arange(1, len(first) + 1)
    place = {item: number for number, item in enumerate(second.tolist())}
    deeper = np.array([max(number, place.get(item, len(depth))) for number, item in enumerate(first.tolist())])
    shares = np.cumsum(np.bincount(deeper, minlength=len(depth) + 1)[: len(depth)]) / depth
    weights = persistence**depth
    return float(shares[-1] * weights[-1] + (1 - persistence) / persistence * (shares * weights).sum())


def agreement(lists: Mapping[str, np.ndarray], kinds: np.ndarray, top: int, between: str) -> pd.DataFrame:
    """Compare all pairs of lists, for each kind of sets.

    Parameters
    ----------
    lists
        Score of each set, by the name of the list, float64 [N]; NaN where a list has none; sets of both are compared.
    kinds
        Kind of each set, [N].
    top
        Length of the lists whose members are compared; of fewer sets, half of them.
    between
        What is compared, for the table.

    Returns
    -------
    pd.DataFrame
        Rows of ``between``, ``kind``, ``first``, ``second``, ``n`` (sets of both), ``top`` (length of the lists), ``jaccard_index``
        and ``rank_biased_overlap`` of these lists, and ``spearman`` of all scores.
    """
    rows = []
    for kind in pd.unique(pd.Series(kinds)):
        for first, second in combinations(lists, 2):
            a, b = (np.where(kinds == kind, lists[name], np.nan) for name in (first, second))
            common = np.flatnonzero(~np.isnan(a) & ~np.isnan(b))
            if len(common) < 2:
                continue
            length = min(top, len(common) // 2)
            a, b = a[common], b[common]
            top_of_a, top_of_b = (np.argsort(-scores, kind="stable")[:length] for scores in (a, b))
            shared = len(np.intersect1d(top_of_a, top_of_b))
            is_flat = np.ptp(a) == 0 or np.ptp(b) == 0
            rows.append(
                {
                    "between": between,
                    "kind": kind,
                    "first": first,
                    "second": second,
                    "n": len(common),
                    "top": length,
                    "jaccard_index": shared / (2 * length - shared),
                    "rank_biased_overlap": rank_biased_overlap(top_of_a, top_of_b),
                    "spearman": np.nan if is_flat else float(np.corrcoef(rankdata(a), rankdata(b))[0, 1]),
                }
            )
    return pd.DataFrame(rows)


def mean_agreement(table: pd.DataFrame) -> pd.DataFrame:
    """Return the mean of each measure over the pairs of lists; methods, which differ in kind, keep their pairs."""
    named = table.assign(pair=np.where(table["between"] == METHODS, table["first"] + " and " + table["second"], ""))
    measures = ["n", "top", "jaccard_index", "rank_biased_overlap", "spearman"]
    means = named.groupby(["between", "kind", "pair"], sort=False, as_index=False)
    return pd.DataFrame(means.agg(dict.fromkeys(measures, "mean")))
