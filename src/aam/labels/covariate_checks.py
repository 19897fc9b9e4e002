"""The metadata columns that a network reads as covariates, and checks that they do not give the target away."""

import logging
from collections.abc import Mapping

import numpy as np
import pandas as pd

from aam.config.covariates import CovariatesConfig
from aam.errors import ConfigError, MetadataError
from aam.io.metadata import Metadata
from aam.labels.columns import (
    class_names,
    describe,
    not_numbers,
    warn_of_probable_missing_values,
)
from aam.labels.number_cells import date_number_remarks, how_to_write
from aam.labels.sentinels import sentinel_class_remarks, sentinel_remarks
from aam.labels.spellings import look_alike_remarks

logger = logging.getLogger(__name__)


SUSPICIOUS_SHARE = 0.95
"""Fraction of the target above which a column that explains it alone is warned of."""

SAME_CORRELATION = 0.9999
"""Correlation above which two columns of numbers count as one quantity in two units."""


def covariate_columns(
    options: CovariatesConfig, metadata: Metadata, targets: pd.DataFrame, group_column: str | None
) -> dict[str, pd.Series]:
    """Return the metadata columns that the network is to read, after checking that they do not give the target away.

    Parameters
    ----------
    options
        Names of the columns.
    metadata, targets
        The metadata, and the columns to learn, of the samples in use.
    group_column
        Column of the groups, if any.

    Returns
    -------
    dict[str, pd.Series]
        Cells by name of the column, in the order of the samples of ``targets``.

    Raises
    ------
    ConfigError
        A column is the target, another form of it, or the group.
    MetadataError
        A column does not exist, has no values, or holds text where numbers are asked for.
    """
    columns = {}
    for name in options.columns:
        flag = "--numeric-columns" if name in options.numeric_columns else "--categorical-columns"
        if name in targets.columns:
            raise ConfigError(
                f"{flag} and --metadata-column are both {name}: a model must not read what it is to predict."
            )
        if name == group_column:
            raise ConfigError(
                f"{flag} and --group-column are both {name}: no new subject has a {name} that training had. Leave it out there."
            )
        values = metadata.column(name).reindex(targets.index)
        if not values.notna().any():
            raise MetadataError(f"{flag} {name}: no sample in use has a value in that column. Choose another.")
        _check_cells(flag, values, name in options.numeric_columns)
        for _, target in targets.items():
            _check_leakage(flag, values, target)
        columns[name] = values
    if group_column is not None:
        categories = {name: columns[name] for name in options.columns if name not in options.numeric_columns}
        _warn_of_groups(categories, metadata.column(group_column).reindex(targets.index))
    return columns


def _check_cells(flag: str, values: pd.Series, is_numeric: bool) -> None:
    if is_numeric:
        _require_numbers(values)
    warn_of_probable_missing_values(flag, values)
    if is_numeric:
        remarks = [*sentinel_remarks(flag, values), *date_number_remarks(flag, values)]
    else:
        remarks = [*look_alike_remarks(flag, values), *sentinel_class_remarks(flag, values)]
    for remark in remarks:
        logger.warning("%s", remark)


def _require_numbers(values: pd.Series) -> None:
    non_numeric = not_numbers(values)
    if non_numeric:
        raise MetadataError(
            f"--numeric-columns {values.name} holds {describe(non_numeric)}, which are no numbers. "
            f"{how_to_write(values, non_numeric)}, or name the column in --categorical-columns."
        )


def _check_leakage(flag: str, values: pd.Series, target: pd.Series) -> None:
    has_both = (values.notna() & target.notna()).to_numpy()
    values, target = values.loc[has_both], target.loc[has_both]
    if is_same_column(values, target):
        raise ConfigError(
            f"{flag} {values.name} says the same as --metadata-column {target.name}, by other names or in another unit: a model "
            "that reads it needs no microbes. Leave it out."
        )
    share = explained_share(values, target)
    if share > SUSPICIOUS_SHARE:
        logger.warning(
            "%s %s alone explains %.0f %% of --metadata-column %s: a model that reads it may use no microbes. Compare without it.",
            flag, values.name, 100 * share, target.name,
        )  # fmt: skip


def _warn_of_groups(columns: Mapping[str, pd.Series], groups: pd.Series) -> None:
    """Warn of columns each of whose categories occurs in a single subject."""
    for name, values in columns.items():
        has_both = (values.notna() & groups.notna()).to_numpy()
        cells, subjects = class_names(values.loc[has_both]), class_names(groups.loc[has_both])
        if len(set(cells)) >= len(set(subjects)) > 1 and len(set(zip(cells, subjects, strict=True))) == len(set(cells)):
            logger.warning(
                "Each value of %s is of one %s only, so that the validation samples have values that training did not have. Leave "
                "it out of --categorical-columns.", name, groups.name,
            )  # fmt: skip


def is_same_column(values: pd.Series, target: pd.Series) -> bool:
    """Return whether a column is the target: the same cells, the same numbers in another unit, or one name for each class.

    Parameters
    ----------
    values, target
        Cells of the column and of the target, of samples that have both, [S].

    Examples
    --------
    >>> ages = pd.Series([1.0, 2.0, 4.0])
    >>> is_same_column(ages * 365, ages), is_same_column(pd.Series(["a", "b", "b"]), pd.Series(["x", "y", "y"]))
    (True, True)
    >>> is_same_column(pd.Series(["a", "b", "c"]), pd.Series(["x", "y", "y"]))
    False
    """
    if _are_numbers(values) and _are_numbers(target):
        if values.nunique() < 2 or target.nunique() < 2:
            return False
        return bool(abs(np.corrcoef(values, target)[0, 1]) > SAME_CORRELATION)
    cells, classes = class_names(values), class_names(target)
    n_pairs = len(set(zip(cells, classes, strict=True)))
    return cells == classes or (len(set(cells)) == len(set(classes)) == n_pairs < len(cells) and n_pairs > 1)


def explained_share(values: pd.Series, target: pd.Series) -> float:
    """Compute the fraction of a target's variance, or of the errors of guessing its most frequent class, that a column explains.

    Categories with a single sample say nothing of other samples and are left out; if more than half of the samples are in such
    categories, the column explains nothing.

    Parameters
    ----------
    values, target
        Cells of the column and of the target, of samples that have both, [S].

    Returns
    -------
    float
        From 0, for nothing, to 1.

    Examples
    --------
    >>> round(explained_share(pd.Series(["a", "a", "b", "b"]), pd.Series([1.0, 1.0, 3.0, 3.2])), 2)
    1.0
    >>> explained_share(pd.Series(["a", "a", "b", "b"]), pd.Series(["x", "y", "x", "x"]))
    0.0
    """
    if _are_numbers(values):
        is_pair_of_numbers = _are_numbers(target) and values.nunique() > 1 and target.nunique() > 1
        return float(np.corrcoef(values, target)[0, 1] ** 2) if is_pair_of_numbers else 0.0
    _, category, sizes = np.unique(class_names(values), return_inverse=True, return_counts=True)
    recurs = sizes[category] > 1
    if recurs.mean() < 0.5:
        return 0.0
    _, category, sizes = np.unique(category[recurs], return_inverse=True, return_counts=True)
    if _are_numbers(target):
        numbers = target.to_numpy(dtype=np.float64)[recurs]
        means = np.bincount(category, numbers) / sizes
        residual, total = ((numbers - guess) ** 2 for guess in (means[category], numbers.mean()))
        return _explained(residual.sum(), total.sum())
    classes, number = np.unique(np.array(class_names(target))[recurs], return_inverse=True)
    table = np.bincount(category * len(classes) + number, minlength=len(sizes) * len(classes)).reshape(len(sizes), -1)
    return _explained(recurs.sum() - table.max(axis=1).sum(), recurs.sum() - table.sum(axis=0).max())


def _explained(residual: float, total: float) -> float:
    return float(1 - residual / total) if total > 0 else 0.0


def _are_numbers(values: pd.Series) -> bool:
    return values.dtype.kind == "f"
