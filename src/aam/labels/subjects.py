"""Columns that name subjects though they are not called so, known by their structure: within a subject, sex and birth stay."""

import re
import shlex
from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from aam.errors import name_some
from aam.labels.columns import class_names

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")

OTHER_MEANINGS = frozenset(
    {
        "date", "dates", "day", "days", "week", "weeks", "month", "months", "year", "years", "season", "time", "times",
        "timepoint", "hour", "hours", "visit", "age", "ages", "epoch", "cycle", "run", "runs", "lane", "plate", "plates",
        "batch", "batches", "well", "row", "column", "barcode", "barcodes", "primer", "primers", "kit", "lot", "library",
        "pool", "instrument", "sequencer", "platform", "technician", "operator", "extraction", "storage", "freezer", "box",
        "tube", "filename", "file", "path", "accession", "biosample", "site", "sites", "location", "locations", "city",
        "town", "village", "country", "county", "state", "province", "region", "continent", "hospital", "ward", "clinic",
        "center", "centre", "study", "project", "cohort", "dataset", "latitude", "longitude", "lat", "lon", "depth",
        "elevation", "altitude", "station", "transect", "river", "lake", "ocean", "ph", "temperature", "species", "genus",
        "order", "class", "phylum", "strain", "breed", "treatment", "diet", "group", "arm", "diagnosis", "disease",
        "condition", "phenotype", "status", "stage", "sex", "gender", "race", "ethnicity", "description", "title",
        "comment", "comments", "notes", "note", "type", "material", "habitat", "environment", "biome", "bmi", "weight",
        "height", "dose", "category",
    }
)  # fmt: skip
"""Words in the name of a column that means something else, whatever its structure."""

OF_PERSONS = frozenset(
    {
        "sex", "gender", "birth", "born", "dob", "birthday", "ethnicity", "race", "height", "delivery", "mother",
        "maternal", "gestation", "gestational", "twin", "genotype", "zygosity", "smoker", "onset", "handedness",
    }
)  # fmt: skip
"""Words in the name of a column that is the same in all samples of a person or animal, and rarely of a place or a batch."""

IDS = frozenset(
    {
        "id", "ids", "nr", "no", "num", "number", "code", "pid", "sid", "uid", "who", "baby", "infant", "child", "kid",
        "cow", "pig", "sheep", "rat", "dog", "cat", "horse", "chicken", "fish", "plant", "tree", "tag", "volunteer",
        "proband", "member", "man", "woman", "case",
    }
)  # fmt: skip
"""Words in the name of a column whose whole numbers may name subjects."""

FEWEST, MOST_SHARE = 5, 0.25
"""Least number of subjects, and largest share of the samples that one has."""

LARGEST_MEAN = 8.0
"""Most samples of the mean subject, where no column is one `OF_PERSONS`."""

CHANCE = 1e-3
"""Probability above which a column may be the same within subjects by chance."""

MOST_CANDIDATES, MOST_COLUMNS = 30, 200
"""Columns that are examined, and columns that each is compared with."""


@dataclass(frozen=True)
class SubjectColumn:
    """A column that seems to name subjects.

    Attributes
    ----------
    name, n_subjects, n_samples
        Name of the column, its number of distinct values, and of samples with a value.
    constant
        Names of the columns that are the same in all samples of a subject.
    """

    name: str
    n_subjects: int
    n_samples: int
    constant: tuple[str, ...]

    def fact(self) -> str:
        """Return what is known of the column, the beginning of a sentence."""
        return (
            f"Column {self.name!r} has {self.n_subjects:,} values in {self.n_samples:,} samples, and {name_some(self.constant, 3)} "
            "never differ within one of them"
        )

    def remark(self) -> str:
        """Return what there is to say of the column before any split."""
        return (
            f"{self.fact()}: if they are subjects, pass --group-column {shlex.quote(self.name)}, so that none is on both sides of "
            "a split."
        )


def find_subjects(frame: pd.DataFrame, skipped: Collection[str] = ()) -> SubjectColumn | None:
    """Find the column of metadata that names subjects by its structure.

    Parameters
    ----------
    frame
        Metadata of the samples, one row for each.
    skipped
        Columns that are not examined, such as the target.

    Returns
    -------
    SubjectColumn or None
        Of those that may name subjects, the one of most values; None if there is none.
    """
    columns = {str(name): column for name, column in frame.items()}
    codes = {name: _codes(column) for name, column in columns.items()}
    candidates = [
        name for name in codes if name not in skipped and _may_name_subjects(name, columns[name], codes[name])
    ]
    candidates.sort(key=lambda name: -int(codes[name].max()))
    for name in candidates[:MOST_CANDIDATES]:
        constant = [
            other
            for other in list(codes)[:MOST_COLUMNS]
            if other not in skipped and is_constant_within(codes[other], codes[name])
        ]
        constant.sort(key=lambda other: not words_of(other) & OF_PERSONS)
        has_value = codes[name] >= 0
        n_subjects = int(codes[name].max()) + 1
        is_of_persons = bool(constant) and bool(words_of(constant[0]) & OF_PERSONS)
        if is_of_persons or (len(constant) > 1 and has_value.sum() <= LARGEST_MEAN * n_subjects):
            return SubjectColumn(name, n_subjects, int(has_value.sum()), tuple(constant))
    return None


def words_of(name: str) -> set[str]:
    """Return the lower-case words of a name, and each two neighbouring ones joined."""
    words = [word.lower() for word in _WORDS.findall(name)]
    return {*words, *map("".join, pairwise(words))}


def _codes(column: pd.Series) -> np.ndarray:
    """Return the number of each cell's value, -1 without one, int64 [S]."""
    codes = np.full(len(column), -1, dtype=np.int64)
    has_value = column.notna().to_numpy()
    codes[has_value] = np.unique(np.array(class_names(column.dropna()), dtype=object), return_inverse=True)[1]
    return codes


def _may_name_subjects(name: str, column: pd.Series, codes: np.ndarray) -> bool:
    words = words_of(name)
    if words & OTHER_MEANINGS:
        return False
    sizes = np.bincount(codes[codes >= 0], minlength=1)
    n_values = int(sizes.sum())
    if not FEWEST <= len(sizes) <= n_values / 2 or sizes.max() > MOST_SHARE * n_values or (sizes > 1).mean() <= 0.5:
        return False
    if column.dtype.kind != "f":
        return True
    values = column.dropna()
    return bool(words & IDS) and bool((values == values.round()).all())


def is_constant_within(values: np.ndarray, groups: np.ndarray) -> bool:
    """Return whether values are the same within each group, differ between them, and not so by chance.

    Parameters
    ----------
    values, groups
        Number of the value, and of the group, of each sample; -1 without one, [S].

    Examples
    --------
    >>> groups = np.repeat(np.arange(12), 3)
    >>> is_constant_within(groups % 2, groups), is_constant_within(np.arange(36) % 2, groups)
    (True, False)
    """
    has_both = (values >= 0) & (groups >= 0)
    values, groups = values[has_both], groups[has_both]
    if not len(values) or has_both.sum() < (len(has_both) + 1) // 2:
        return False
    n_values = int(values.max()) + 1
    pairs, first = np.unique(groups * n_values + values, return_index=True)
    of_pair, of_value = np.unique(groups), np.unique(values)
    if len(pairs) > len(of_pair) or not 1 < len(of_value) < len(of_pair):
        return False
    share = np.bincount(values[first]) / len(first)  # of the groups
    sizes = np.bincount(groups)
    sizes = sizes[sizes > 1]
    by_chance = np.log(np.power(share[share > 0][:, None], sizes[None, :] - 1.0).T @ share[share > 0])
    return bool(by_chance.sum() < np.log(CHANCE))
