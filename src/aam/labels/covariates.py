"""Covariates: metadata columns that a network reads beside the microbes, fitted on the training samples."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pandas as pd
from pydantic import StrictFloat, StrictInt, model_validator

from aam.config.covariates import CovariatesConfig
from aam.errors import MetadataError, name_some
from aam.labels.columns import class_names, is_number
from aam.labels.spellings import matched
from aam.stored import STORED, DistinctNames, PositiveNumber, expect, refuse_missing

UNKNOWN = -1
"""Number of a category that is missing, or that no training sample has."""


MOST_DEVIATIONS = 10.0
"""Standard deviations from the mean of the training samples at which numbers are clipped."""

Columns = Mapping[str, pd.Series]
"""Metadata columns by name, in the order of the samples."""


@STORED
@dataclass(frozen=True)
class Categories:
    """Categories of the training samples in one metadata column.

    Attributes
    ----------
    column
        Name of the metadata column.
    names
        Names of the categories, sorted; the number of a category is its index here.
    """

    column: str
    names: DistinctNames

    @classmethod
    def of(cls, values: pd.Series) -> "Categories":
        """Collect the categories in a column of the training samples."""
        return cls(str(values.name), tuple(sorted(set(class_names(values.dropna())))))

    def numbers(self, values: pd.Series) -> np.ndarray:
        """Return the number of each sample's category, `UNKNOWN` where it has none of these; int64 [S].

        Names match however they are written (`spellings.matched`): a column of numbers becomes text as soon as one cell is not a
        number, and people write names in other case or with other white space.

        Examples
        --------
        >>> Categories("site", ("gut", "skin")).numbers(pd.Series(["skin", None, "tongue"])).tolist()
        [1, -1, -1]
        >>> Categories("clinic", ("1", "18")).numbers(pd.Series(["18.0", "NA"])).tolist()
        [1, -1]
        """
        number_of = {name: number for number, name in enumerate(self.names)}
        numbers = np.full(len(values), UNKNOWN, dtype=np.int64)
        names = class_names(values.dropna())
        renamed = matched(names, self.names)
        numbers[values.notna()] = [number_of.get(renamed.get(name, name), UNKNOWN) for name in names]
        return numbers


@STORED
@dataclass(frozen=True)
class CategoryColumn:
    """A covariate whose cells are categories.

    Attributes
    ----------
    known
        Categories of the training samples.
    parent
        Name of the column that holds the parents of the categories, if they have any.
    parents
        Number of each category's parent in that column, `UNKNOWN` where no training sample has both cells.
    """

    known: Categories
    parent: str | None = None
    parents: tuple[StrictInt, ...] = ()

    _refuse_missing = model_validator(mode="before")(refuse_missing)

    @property
    def column(self) -> str:
        """Name of the metadata column."""
        return self.known.column


@STORED
@dataclass(frozen=True)
class NumberColumn:
    """A covariate whose cells are numbers, with what was fitted on the training samples.

    Attributes
    ----------
    column
        Name of the metadata column.
    mean, std
        Mean and standard deviation.
    low, high
        Smallest and largest number; None in models that were made before they were kept.
    """

    column: str
    mean: StrictFloat
    std: PositiveNumber
    low: StrictFloat | None = None
    high: StrictFloat | None = None

    def standardised(self, values: pd.Series) -> np.ndarray:
        """Return each cell in standard deviations from the mean, clipped, NaN where there is no number; float64 [S]."""
        numbers = cells_as_numbers(values)
        return np.clip((numbers - self.mean) / self.std, -MOST_DEVIATIONS, MOST_DEVIATIONS)


@dataclass(frozen=True)
class Cells:
    """Covariates of samples, as a network reads them.

    Attributes
    ----------
    categories
        Number of each sample's category in each column, `UNKNOWN` for none, int64 [S, columns of categories].
    numbers
        Numbers in standard deviations from the mean, NaN where missing, float64 [S, columns of numbers].
    """

    categories: np.ndarray
    numbers: np.ndarray


@dataclass(frozen=True)
class Unknown:
    """Cells of a column that are read as unknown.

    Attributes
    ----------
    n_missing
        Number of empty cells.
    unseen
        Content of the other cells, which no training sample has.
    """

    n_missing: int
    unseen: tuple[str, ...]


@STORED
@dataclass(frozen=True)
class Covariates:
    """All covariates of a network.

    Attributes
    ----------
    categories
        Columns of categories; columns of parents come before those of their children.
    numbers
        Columns of numbers.
    """

    categories: tuple[CategoryColumn, ...] = ()
    numbers: tuple[NumberColumn, ...] = ()

    @model_validator(mode="after")
    def _check_parents(self) -> "Covariates":
        n_categories: dict[str | None, int] = {None: 0}
        for child in self.categories:
            parent, parents = child.parent, child.parents
            expect(parent in n_categories, "parent", parent, "a column above")
            are_numbers = all(UNKNOWN <= number < n_categories[parent] for number in parents)
            is_whole = are_numbers and len(parents) == (0 if parent is None else len(child.known.names))
            expect(is_whole, "parents", parents, "the number of each category's parent")
            n_categories[child.column] = len(child.known.names)
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns."""
        return tuple(covariate.column for covariate in (*self.categories, *self.numbers))

    def cells(self, columns: Columns) -> Cells:
        """Return the covariates of samples as the network reads them.

        Where the cell of a parent is empty, it is filled in from the child. A child whose parent differs from that of the training
        samples is read as unknown.

        Parameters
        ----------
        columns
            Cells of all covariates by name of the column, in the order of the samples.
        """
        numbers = {column.column: column.known.numbers(columns[column.column]) for column in self.categories}
        is_empty = {column.column: columns[column.column].isna().to_numpy() for column in self.categories}
        for child in reversed(self.categories):  # children first
            if child.parent is not None:
                number, parents = numbers[child.column], _parents(child, numbers[child.column])
                is_filled_in = (number != UNKNOWN) & is_empty[child.parent]
                numbers[child.parent] = np.where(is_filled_in, parents, numbers[child.parent])
                is_empty[child.parent] = is_empty[child.parent] & ~is_filled_in
        for child in self.categories:  # parents first
            if child.parent is not None:
                number, parents = numbers[child.column], _parents(child, numbers[child.column])
                is_of_another = (parents != UNKNOWN) & (parents != numbers[child.parent])
                numbers[child.column] = np.where(is_of_another, UNKNOWN, number)
        standardised = [column.standardised(columns[column.column]) for column in self.numbers]
        return Cells(_side_by_side(list(numbers.values()), columns), _side_by_side(standardised, columns, np.float64))

    def unknown(self, columns: Columns) -> dict[str, Unknown]:
        """Return the cells that are read as unknown, by name of the column."""
        cells = self.cells(columns)
        is_unknown = np.concatenate([cells.categories == UNKNOWN, np.isnan(cells.numbers)], axis=1)
        unknown = {}
        for name, is_unknown_here in zip(self.columns, is_unknown.T, strict=True):
            values = columns[name].iloc[np.flatnonzero(is_unknown_here)]
            unknown[name] = Unknown(int(values.isna().sum()), tuple(class_names(values.dropna())))
        return unknown


NO_COVARIATES = Covariates()


def fit_covariates(options: CovariatesConfig, training: Columns) -> Covariates:
    """Fit categories, their parents, means and standard deviations to the training samples.

    Parameters
    ----------
    options
        Names and kinds of the columns.
    training
        Cells of the training samples, by name of the column.

    Returns
    -------
    Covariates
        The columns as a network will read them.

    Raises
    ------
    MetadataError
        A column has the same value in all training samples, or a category has two parents.
    """
    for name in options.columns:
        values = training[name]
        if values.nunique(dropna=False) < 2:
            names = class_names(values.dropna())
            problem = (
                f"All training samples have {name} {names[0]}" if names else f"No training sample has a value of {name}"
            )
            raise MetadataError(f"{problem}: it tells the network nothing. Leave it out, or choose another split.")
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
    parent_categories = Categories.of(training[parent])
    children, above = known.numbers(training[name]), parent_categories.numbers(training[parent])
    pairs = sorted({(c, p) for c, p in zip(children.tolist(), above.tolist(), strict=True) if UNKNOWN not in (c, p)})
    parents_of = {child: [p for _, p in group] for child, group in groupby(pairs, key=lambda pair: pair[0])}
    several = {
        known.names[child]: [parent_categories.names[p] for p in parents]
        for child, parents in parents_of.items()
        if len(parents) > 1
    }
    if several:
        example, example_parents = next(iter(several.items()))
        raise MetadataError(
            f"--category-parents {name}={parent}: {len(several):,} of {len(known.names):,} categories of {name} have training "
            f"samples of several {parent}, such as {example!r} of {name_some(example_parents)}. Correct these cells, give such "
            f"categories names of their own, or leave out {name}={parent}."
        )
    parents = tuple(parents_of.get(child, [UNKNOWN])[0] for child in range(len(known.names)))
    return CategoryColumn(known, parent, parents)


def _fit_numbers(values: pd.Series) -> NumberColumn:
    numbers = cells_as_numbers(values)
    with np.errstate(over="ignore"):
        mean, std = float(np.nanmean(numbers)), float(np.nanstd(numbers))
    if not (math.isfinite(mean) and math.isfinite(std)):
        raise MetadataError(
            f"--numeric-columns {values.name} holds numbers that are too large. Give it in a larger unit."
        )
    low, high = float(np.nanmin(numbers)), float(np.nanmax(numbers))
    return NumberColumn(
        str(values.name), mean, std if std > 0 else 1.0, low, high
    )  # 0 where all cells but empty ones are equal


def cells_as_numbers(values: pd.Series) -> np.ndarray:
    """Return cells as numbers, NaN where they are not numbers; float64 [S]."""
    return np.array([float(cell) if is_number(cell) else np.nan for cell in values], dtype=np.float64)


def _parents(child: CategoryColumn, number: np.ndarray) -> np.ndarray:
    """Return the number of the parent of each sample's category, int64 [S]."""
    return np.append(child.parents, UNKNOWN)[number].astype(np.int64)  # the last is that of UNKNOWN


def _side_by_side(arrays: Sequence[np.ndarray], columns: Columns, dtype: type = np.int64) -> np.ndarray:
    n_samples = len(next(iter(columns.values())))
    return np.stack(arrays, axis=1) if arrays else np.zeros((n_samples, 0), dtype=dtype)
