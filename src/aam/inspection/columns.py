"""Use of each metadata column: a target worth learning, or the groups that a split keeps together."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pandas as pd

from aam.errors import MetadataError
from aam.labels.columns import class_names, not_numbers, probable_missing_values
from aam.labels.target import Task, too_large
from aam.labels.task_choice import choose_task
from aam.target_transform import LARGEST

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")

_PARTS = {"train", "validation", "test"}

_FOLDS = re.compile(r"\d+")

_RUN_WORDS = {
    "run", "runs", "lane", "plate", "batch", "primer", "primers", "barcode", "barcodes", "adapter", "linker",
    "library", "platform", "instrument", "sequencer", "sequencing", "sequenced", "extraction", "extracted", "kit",
    "lot", "reads", "spots", "bases", "bytes", "mbases", "mbytes", "center", "centre", "submission", "accession",
    "biosample", "bioproject", "assaytype", "loaddate", "releasedate", "publicationdate", "submissiondate",
    "createdate", "uploaddate", "rundate", "wellid", "wellnumber", "wellposition", "insertsize", "avglength",
}  # fmt: skip

_DATE_WORDS = {
    "date", "dates", "timestamp", "epoch",
}  # fmt: skip

_NAME_WORDS = {
    "id", "ids", "identifier", "description", "title", "summary", "studyid", "sampleid", "subjectid", "patientid",
    "participantid", "hostid", "donorid", "projectid", "anonymizedname",
}  # fmt: skip

_BEARERS = (
    "sample", "subject", "patient", "participant", "individual", "host", "donor", "study", "project", "experiment",
    "animal",
)  # fmt: skip

_LABELS = (
    "id", "number", "num", "no", "name", "code",
)  # fmt: skip

_BEARER_NAMES = {bearer + label for bearer in _BEARERS for label in _LABELS}

_CASE_WORDS = {
    "case", "cases", "control", "controls", "patient", "patients", "healthy", "diseased",
}  # fmt: skip

_TARGET_WORDS = {
    "age", "sex", "gender", "bmi", "disease", "diagnosis", "status", "health", "healthy", "site", "habitat",
    "environment", "biome", "material", "tissue", "diet", "delivery", "feeding", "treatment", "antibiotic",
    "antibiotics", "phenotype", "genotype", "severity", "stage", "weight", "ph", "temperature", "salinity",
    "moisture", "depth",
}  # fmt: skip

LEAST = 2
"""Rank of columns whose names and values suggest no target."""

FEWEST_VALUES = 4
"""Least number of samples with a value that can be split into training and validation."""

_CELLS = 5  # cells or classes that a summary lists

FEWEST_GROUPS = 10
"""Least number of groups at which a column that names no subjects is listed as one of groups."""


def why_not_a_target(name: str, distinct: Collection[str]) -> str | None:
    """Guess from a column's name what it holds if it is probably no target.

    Parameters
    ----------
    name
        Name of the column.
    distinct
        Distinct values of the column.

    Returns
    -------
    str or None
        What the column probably holds; None for a column that may be a target.

    Examples
    --------
    >>> [why_not_a_target(name, ["1", "2"]) for name in ("MBases_l", "host_subject_id", "BMI", "Emotional_well_being")]
    ['facts of sequencing or processing', 'names or descriptions of samples, subjects or studies', None, None]
    """
    words = _words(name)
    if (words == {"split"} and _PARTS.issuperset(distinct)) or (
        words == {"fold"} and all(map(_FOLDS.fullmatch, distinct))
    ):
        return "parts of a split (--split-file)"
    if words & _RUN_WORDS:
        return "facts of sequencing or processing"
    if words & (_NAME_WORDS | _BEARER_NAMES):
        return "names or descriptions of samples, subjects or studies"
    return "dates" if words & _DATE_WORDS else None


def rank_of(name: str, distinct: Collection[str]) -> int:
    """Rank a column as a target.

    Parameters
    ----------
    name
        Name of the column.
    distinct
        Distinct values of the column.

    Returns
    -------
    int
        0 for classes that tell cases from controls, 1 for names of common targets of microbiome studies, `LEAST` for the rest.

    Examples
    --------
    >>> rank_of("Subject", ["Patient", "Control"]), rank_of("age_days", ["1", "2"]), rank_of("trajectory", ["a", "b"])
    (0, 1, 2)
    """
    if any(_words(value) & _CASE_WORDS for value in distinct):
        return 0
    return 1 if _words(name) & _TARGET_WORDS else LEAST


def _words(name: str) -> set[str]:
    """Split a name into lower-case words; return them, and each two neighbouring ones joined."""
    words = [word.lower() for word in _WORDS.findall(name)]
    return {*words, *map("".join, pairwise(words))}


@dataclass(frozen=True)
class ColumnSummary:
    """Summary of a metadata column over the samples of the table.

    Attributes
    ----------
    name
        Name of the column.
    n_values, n_missing, n_distinct
        Number of samples with a value and without one, and number of distinct values.
    task
        Task by which 'aam train' learns the column; None if it cannot.
    reason
        Reason why 'aam train' cannot learn the column.
    low, median, high
        Least, median and largest value of a numeric column.
    classes
        Number of samples of each value of a categorical column, the most frequent first.
    not_numbers
        Up to five cells that keep a column of numbers from being numeric, such as "NA".
    probably_missing
        Up to five classes that probably mean a missing value.
    doubt
        What the column probably holds instead of a target, if it can be learned but is probably no target.
    rank
        Rank of the column as a target; the most likely ones have the least number.
    """

    name: str
    n_values: int
    n_missing: int
    n_distinct: int
    task: Task | None
    reason: str | None = None
    low: float | None = None
    median: float | None = None
    high: float | None = None
    classes: dict[str, int] = field(default_factory=dict)
    not_numbers: list[str] = field(default_factory=list)
    probably_missing: list[str] = field(default_factory=list)
    doubt: str | None = None
    rank: int = LEAST


@dataclass(frozen=True)
class GroupSummary:
    """Summary of a column whose values repeat, for ``--group-column``.

    Attributes
    ----------
    name, n_groups
        Name of the column, and number of its distinct values.
    smallest, median, largest
        Number of samples in a group.
    names_subject
        Whether the name of the column means that its values name subjects.
    """

    name: str
    n_groups: int
    smallest: int
    median: float
    largest: int
    names_subject: bool


def summarise_columns(frame: pd.DataFrame) -> list[ColumnSummary]:
    """Summarise all columns of the metadata; return the summaries in the order of the columns."""
    return [_summarise(name, column) for name, column in _columns(frame)]


def _columns(frame: pd.DataFrame) -> list[tuple[str, pd.Series]]:
    return [(str(name), column) for name, column in frame.items()]


def _summarise(name: str, column: pd.Series) -> ColumnSummary:
    values = column.dropna()
    counts = Counter(class_names(values))
    wrong = list(not_numbers(values)) if values.dtype.kind != "f" else []
    odd = wrong[:_CELLS] if 0 < len(wrong) <= len(counts) / 2 else []
    task, reason = _task(values, counts, odd)
    doubt = None if task is None else why_not_a_target(name, counts)
    rank = rank_of(name, counts if task == "classification" else [])
    info = (name, len(values), len(column) - len(values), len(counts), task, reason)
    if values.dtype.kind == "f" and task is not None:
        return ColumnSummary(
            *info, float(values.min()), float(values.median()), float(values.max()), doubt=doubt, rank=rank
        )
    missing = [] if odd else list(probable_missing_values(values))[:_CELLS]
    classes = dict(counts.most_common()) if task else {}
    return ColumnSummary(*info, classes=classes, not_numbers=odd, probably_missing=missing, doubt=doubt, rank=rank)


def _task(values: pd.Series, classes: Counter[str], odd: list[str]) -> tuple[Task | None, str | None]:
    if not len(values):
        return None, "no values"
    if len(too_large(values)):
        return None, f"numbers beyond ±{LARGEST:g}"
    try:
        task = choose_task(values, "auto")
    except MetadataError:
        if len(classes) == 1:
            return None, "the same value everywhere"
        return None, "numbers but for some cells" if odd else "nearly all values differ"
    if len(values) < FEWEST_VALUES:
        return None, f"{len(values)} values are too few"
    return task, None


def summarise_groups(frame: pd.DataFrame, subject_words: Sequence[str]) -> list[GroupSummary]:
    """Summarise the columns that may name subjects; return those first whose name says so, then those of more groups."""
    groups = []
    for name, column in _columns(frame):
        values = column.dropna()
        sizes = np.array(list(Counter(class_names(values)).values()))
        names_subject = any(word in name.lower() for word in subject_words)
        is_measured = values.dtype.kind == "f" and not (names_subject and bool((values == values.round()).all()))
        if is_measured or not 1 < len(sizes) <= len(values) / 2 or not (names_subject or len(sizes) >= FEWEST_GROUPS):
            continue
        group_sizes = int(sizes.min()), float(np.median(sizes)), int(sizes.max())
        groups.append(GroupSummary(name, len(sizes), *group_sizes, names_subject))
    return sorted(groups, key=lambda group: (not group.names_subject, -group.n_groups))
