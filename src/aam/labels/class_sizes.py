"""Classes of too few samples or subjects to be learned and held out: named, and left out on request."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from aam.errors import ConfigError, MetadataError, count_of, name_some
from aam.labels.columns import class_names

logger = logging.getLogger(__name__)


FEW = 2
"""Most samples, or subjects, of a class that has too few: one to learn from and one to hold out leave none to compare with."""

_SHOWN = 5


def small_classes(names: Sequence[str], subjects: Sequence[str] | None, least: int) -> dict[str, tuple[int, int]]:
    """Return the classes of fewer than ``least`` subjects, or of fewer samples where there are no subjects.

    Parameters
    ----------
    names
        Class of each sample, [S].
    subjects
        Subject of each sample, [S]; None if each sample is its own.
    least
        Number of subjects or samples that is enough.

    Returns
    -------
    dict[str, tuple[int, int]]
        Number of samples and of subjects by class, the smallest first.

    Examples
    --------
    >>> small_classes(["sick", "sick", "sick", "sikc"], None, 3)
    {'sikc': (1, 1)}
    >>> small_classes(["a", "a", "a", "b", "b", "b"], ["P1", "P2", "P3", "P4", "P4", "P4"], 3)
    {'b': (3, 1)}
    """
    n_samples = Counter(names)
    n_subjects = n_samples if subjects is None else Counter(name for name, _ in set(zip(names, subjects, strict=True)))
    small = {name: (n, n_subjects[name]) for name, n in n_samples.items() if n_subjects[name] < least}
    return dict(sorted(small.items(), key=lambda item: (item[1], item[0])))


MOST_OF_TINY_STUDIES = 2
"""Classes of which all may be small without a word: then the study is."""


def small_class_remarks(flag: str, values: pd.Series, subjects: Sequence[str] | None = None) -> Iterator[str]:
    """Yield a remark on classes of one or two samples or subjects; ``flag`` names the column.

    Parameters
    ----------
    flag
        Option that names the column.
    values
        Cells of the samples, none missing, [S].
    subjects
        Subject of each sample, [S]; None if each sample is its own.
    """
    names = class_names(values)
    small = small_classes(names, subjects, FEW + 1)
    if not small:
        return
    of = "samples" if subjects is None else "subjects"
    if len(small) == len(set(names)) > MOST_OF_TINY_STUDIES:
        yield (
            f"{flag} {values.name}: none of its {len(small):,} classes has more than {FEW} {of}, too few to learn a class "
            "from. Choose a column whose values recur, or put similar classes together."
        )
    if len(small) == len(set(names)):
        return
    yield (
        f"{flag} {values.name}: too few {of} to learn a class from and to hold it out: {_describe(small, subjects is not None)}. "
        f"Correct these cells if they are misspelt, or pass --smallest-class {FEW + 1} to leave their samples out, "
        "with --merge-classes other to learn them as one class."
    )


def large_enough(values: pd.Series, groups: np.ndarray, group_column: str | None, smallest: int | None) -> np.ndarray:
    """Return the indices of the samples whose class is large enough for ``--smallest-class``; log how many are left out.

    Without the option all are, and classes of one or two samples or subjects are named in a warning.

    Parameters
    ----------
    values
        Cells of the column to classify, none missing, [S].
    groups
        Group of each sample, [S].
    group_column
        Column of the groups; None if each sample is its own.
    smallest
        Least number of subjects, or of samples where there is no ``group_column``; None for any.

    Returns
    -------
    np.ndarray
        Indices, int64.

    Raises
    ------
    MetadataError
        Fewer than two classes are left.
    """
    subjects = None if group_column is None else groups.tolist()
    if smallest is None:
        for remark in small_class_remarks("--metadata-column", values, subjects):
            logger.warning("%s", remark)
        return np.arange(len(values))
    names = class_names(values)
    small = small_classes(names, subjects, smallest)
    kept = np.flatnonzero([name not in small for name in names])
    n_left = len(set(names)) - len(small)
    if n_left < 2:
        left = "one class" if n_left else "no class"
        of = "samples" if subjects is None else f"values of {group_column}"
        raise MetadataError(
            f"--smallest-class {smallest} leaves {left} of --metadata-column {values.name}, and at least 2 are "
            f"needed: of fewer {of} are {_describe(small, subjects is not None)}. Pass a smaller number."
        )
    if small:
        logger.warning(
            "--smallest-class %d: left out %d of %d samples, of %d of %d classes: %s.",
            smallest, len(values) - len(kept), len(values), len(small), len(set(names)), _describe(small, subjects is not None),
        )  # fmt: skip
    return kept


def refuse_smallest_class(smallest: int | None, column: str) -> None:
    """Raise `ConfigError` if ``--smallest-class`` is given where numbers are learned."""
    if smallest is not None:
        raise ConfigError(
            f"--smallest-class is for classes, and {column} is regressed: leave it out, or pass --task classification."
        )


def _describe(small: Mapping[str, tuple[int, int]], has_subjects: bool) -> str:
    """Name up to five classes, each with the number of its samples and subjects."""
    shown = []
    for name, (n_samples, n_subjects) in list(small.items())[:_SHOWN]:
        of = f" of {count_of(n_subjects, 'subject')}" if has_subjects else ""
        shown.append(f"{name_some([name])} ({count_of(n_samples, 'sample')}{of})")
    more = len(small) - _SHOWN
    return f"{', '.join(shown)}{f' and {more:,} more' if more > 0 else ''}"
