"""Metadata columns that a network reads beside the microbes, as fitted on the training samples, and each sample's cells."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from aam.config.covariates import CovariatesConfig
from aam.errors import MetadataError, name_some
from aam.labels.columns import class_names, is_number

UNKNOWN = -1
"""Number of a sample whose category is missing, or that training did not see."""


@dataclass(frozen=True)
class Categories:
    """Those of the training samples.

    Attributes
    ----------
    column
        Metadata column that names them.
    names
        Sorted; a category's number is its place.
    """

    column: str
    names: tuple[str, ...]

    @classmethod
    def of(cls, values: pd.Series) -> "Categories":
        """Collect those of the training samples."""
        return cls(str(values.name), tuple(sorted(set(class_names(values.dropna())))))

    def numbers(self, values: pd.Series) -> np.ndarray:
        """Number the category of each sample, `UNKNOWN` where it has none of these; int64 [S].

        A number is known however it is written: a column of numbers becomes text as soon as one cell is none.

        Examples
        --------
        >>> Categories("site", ("gut", "skin")).numbers(pd.Series(["skin", None, "tongue"])).tolist()
        [1, -1, -1]
        >>> Categories("clinic", ("1", "18")).numbers(pd.Series(["18.0", "NA"])).tolist()
        [1, -1]
        """
        number = {name: place for place, name in enumerate(self.names)}
        found = np.full(len(values), UNKNOWN, dtype=np.int64)
        found[values.notna()] = [
            number.get(name, number.get(_as_number(name), UNKNOWN)) for name in class_names(values.dropna())
        ]
        return found


def _as_number(name: str) -> str:
    return f"{float(name):.12g}" if is_number(name) else name


MOST_DEVIATIONS = 10.0
"""Numbers farther from the training samples' mean are read as this far."""

Columns = Mapping[str, pd.Series]


@dataclass(frozen=True)
class CategoryColumn:
    """A column of categories.

    Attributes
    ----------
    known
        Categories of the training samples.
    parent
        Column of their parents, if they have any.
    parents
        Number of each category's parent among the categories of that column, `UNKNOWN` where no training sample says it.
    """

    known: Categories
    parent: str | None = None
    parents: tuple[int, ...] = ()

    @property
    def column(self) -> str:
        """Its name."""
        return self.known.column


@dataclass(frozen=True)
class NumberColumn:
    """A column of numbers, with the mean and the standard deviation of the training samples."""

    column: str
    mean: float
    std: float

    def standardised(self, values: pd.Series) -> np.ndarray:
        """Compute each cell in standard deviations from the mean, NaN where there is no number; float64 [S]."""
        numbers = _numbers(values)
        return np.clip((numbers - self.mean) / self.std, -MOST_DEVIATIONS, MOST_DEVIATIONS)


@dataclass(frozen=True)
class Cells:
    """What a network reads of samples beside their microbes.

    Attributes
    ----------
    categories
        Number of each sample's category in each column, `UNKNOWN` for none, int64 [S, columns of categories].
    numbers
        In standard deviations, NaN where missing, float64 [S, columns of numbers].
    """

    categories: np.ndarray
    numbers: np.ndarray


@dataclass(frozen=True)
class Unknown:
    """Cells of a column that are read as unknown: how many are empty, and what is in the others."""

    n_missing: int
    unseen: tuple[str, ...]


@dataclass(frozen=True)
class Covariates:
    """All columns that a network reads; those of parents come before those of their children.

    Attributes
    ----------
    categories, numbers
        By kind.
    """

    categories: tuple[CategoryColumn, ...] = ()
    numbers: tuple[NumberColumn, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all of them."""
        return tuple(one.column for one in (*self.categories, *self.numbers))

    def cells(self, columns: Columns) -> Cells:
        """Read the cells of samples.

        A child brings its parent where the parent's cell is empty; one that training saw under another parent is unknown.

        Parameters
        ----------
        columns
            All of these columns by name, in the order of the samples.
        """
        numbers = {one.column: one.known.numbers(columns[one.column]) for one in self.categories}
        is_empty = {one.column: columns[one.column].isna().to_numpy() for one in self.categories}
        for child in reversed(self.categories):  # children first
            if child.parent is not None:
                number, parents = numbers[child.column], _parents(child, numbers[child.column])
                brings = (number != UNKNOWN) & is_empty[child.parent]
                numbers[child.parent] = np.where(brings, parents, numbers[child.parent])
                is_empty[child.parent] = is_empty[child.parent] & ~brings
        for child in self.categories:  # parents first
            if child.parent is not None:
                number, parents = numbers[child.column], _parents(child, numbers[child.column])
                is_of_another = (parents != UNKNOWN) & (parents != numbers[child.parent])
                numbers[child.column] = np.where(is_of_another, UNKNOWN, number)
        standardised = [one.standardised(columns[one.column]) for one in self.numbers]
        return Cells(_side_by_side(list(numbers.values()), columns), _side_by_side(standardised, columns, np.float64))

    def unknown(self, columns: Columns) -> dict[str, Unknown]:
        """Find the cells that are read as unknown, by column."""
        cells = self.cells(columns)
        is_unknown = np.concatenate([cells.categories == UNKNOWN, np.isnan(cells.numbers)], axis=1)
        found = {}
        for name, rows in zip(self.columns, is_unknown.T, strict=True):
            values = columns[name].iloc[np.flatnonzero(rows)]
            found[name] = Unknown(int(values.isna().sum()), tuple(class_names(values.dropna())))
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON has them."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Covariates":
        """Undo `to_dict`; a model from before there were any has nothing."""
        categories = [
            CategoryColumn(
                Categories(one["known"]["column"], tuple(one["known"]["names"])), one["parent"], tuple(one["parents"])
            )
            for one in values.get("categories", ())
        ]
        return cls(tuple(categories), tuple(NumberColumn(**one) for one in values.get("numbers", ())))


NO_COVARIATES = Covariates()


def fit_covariates(options: CovariatesConfig, training: Columns) -> Covariates:
    """Learn categories, their parents, means and standard deviations from the training samples.

    Parameters
    ----------
    options
        Which columns.
    training
        These columns of the training samples, by name.

    Raises
    ------
    MetadataError
        A column says nothing, or a category has two parents.
    """
    for name in options.columns:
        values = training[name]
        if values.nunique(dropna=False) < 2:
            known = class_names(values.dropna())
            what = (
                f"All training samples have {name} {known[0]}" if known else f"No training sample has a value of {name}"
            )
            raise MetadataError(f"{what}: it tells the network nothing. Leave it out, or choose another split.")
    categories = [_fit_categories(name, options.parents.get(name), training) for name in _parents_first(options)]
    return Covariates(tuple(categories), tuple(_fit_numbers(training[name]) for name in options.numeric_columns))


def _parents_first(options: CovariatesConfig) -> list[str]:
    parents = options.parents
    columns = [name for name in options.columns if name not in options.numeric_columns]

    def level(name: str) -> int:
        return 0 if name not in parents else 1 + level(parents[name])

    return sorted(columns, key=level)


def _fit_categories(name: str, parent: str | None, training: Columns) -> CategoryColumn:
    known = Categories.of(training[name])
    if parent is None:
        return CategoryColumn(known)
    of_parents = Categories.of(training[parent])
    child, above = known.numbers(training[name]), of_parents.numbers(training[parent])
    pairs = sorted({(c, p) for c, p in zip(child.tolist(), above.tolist(), strict=True) if UNKNOWN not in (c, p)})
    found = {number: [p for _, p in some] for number, some in groupby(pairs, key=lambda pair: pair[0])}
    several = {
        known.names[number]: [of_parents.names[p] for p in some] for number, some in found.items() if len(some) > 1
    }
    if several:
        example, its_parents = next(iter(several.items()))
        raise MetadataError(
            f"--category-parents {name}={parent}: {len(several):,} of {len(known.names):,} categories of {name} have training "
            f"samples of several {parent}, such as {example!r} of {name_some(its_parents)}. Correct these cells, give such "
            f"categories names of their own, or leave out {name}={parent}."
        )
    parents = tuple(found.get(number, [UNKNOWN])[0] for number in range(len(known.names)))
    return CategoryColumn(known, parent, parents)


def _fit_numbers(values: pd.Series) -> NumberColumn:
    numbers = _numbers(values)
    with np.errstate(over="ignore"):
        mean, std = float(np.nanmean(numbers)), float(np.nanstd(numbers))
    if not (math.isfinite(mean) and math.isfinite(std)):
        raise MetadataError(
            f"--numeric-columns {values.name} holds numbers that are too large. Give it in a larger unit."
        )
    return NumberColumn(str(values.name), mean, std if std > 0 else 1.0)  # one number, and none elsewhere


def _numbers(values: pd.Series) -> np.ndarray:
    """Read cells as numbers, NaN where they are none."""
    return np.array([float(cell) if is_number(cell) else np.nan for cell in values], dtype=np.float64)


def _parents(child: CategoryColumn, number: np.ndarray) -> np.ndarray:
    return np.append(child.parents, UNKNOWN)[number].astype(np.int64)  # the last is that of UNKNOWN


def _side_by_side(parts: Sequence[np.ndarray], columns: Columns, dtype: type = np.int64) -> np.ndarray:
    n_samples = len(next(iter(columns.values())))
    return np.stack(parts, axis=1) if parts else np.zeros((n_samples, 0), dtype=dtype)
