"""Classes that are learned as one on request: those that ``--merge-classes`` names, or those that are too small."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from aam.config.target import TargetConfig
from aam.errors import ConfigError, MetadataError, count_of, name_some
from aam.labels.class_sizes import large_enough, small_class_remarks, small_classes
from aam.labels.columns import class_names, is_number, only_column
from aam.labels.spellings import matched, respelling_remarks

logger = logging.getLogger(__name__)

_SHOWN = 5

Merged = Mapping[str, str]
"""Name as which a class is learned, by its name in the metadata."""


def merge_named(values: pd.DataFrame, options: TargetConfig) -> tuple[pd.DataFrame, dict[str, str]]:
    """Merge the classes that ``--merge-classes`` names, and log how many samples they have.

    Parameters
    ----------
    values
        Columns to learn, one row per sample.
    options
        Classes to merge, and the task.

    Returns
    -------
    values : pd.DataFrame
        The columns with the merged classes; numbers stay numbers if all merged classes have numbers as names.
    merged : dict[str, str]
        Name as which each merged class is learned.

    Raises
    ------
    ConfigError
        Numbers are learned, or a class is merged into two.
    MetadataError
        No sample has a class that is named.
    """
    if not options.merge_classes:
        return values, {}
    columns = [str(name) for name in values.columns]
    if len(columns) > 1 or options.task == "regression" or (options.task == "auto" and _is_numeric(values)):
        raise ConfigError(
            f"--merge-classes is for classes, and {' '.join(columns)} is regressed: leave it out, or pass --task classification."
        )
    cells = only_column(values)
    counts = Counter(class_names(cells))
    merged = _resolved(options.merge_classes, counts, columns[0])
    for remark in _merged_remarks("--merge-classes", merged, counts, "learned"):
        logger.info("%s", remark)
    return pd.DataFrame({columns[0]: renamed(cells, merged)}), merged


def _is_numeric(values: pd.DataFrame) -> bool:
    return all(cells.dtype.kind == "f" for _, cells in values.items())


def _resolved(pairs: Sequence[str], counts: Mapping[str, int], column: str) -> dict[str, str]:
    """Return the name as which each class that is named is learned."""
    merged: dict[str, str] = {}
    for name, _, text in (pair.partition("=") for pair in pairs if "=" in pair):
        classes = [text] if text in counts else text.split(",")
        unknown = [of_class for of_class in classes if of_class not in counts]
        if unknown:
            raise MetadataError(
                f"--merge-classes {name}={text}: no sample has --metadata-column {column} {name_some(unknown)}; it holds "
                f"{name_some(sorted(counts))}. Write classes as they are there."
            )
        for of_class in classes:
            if merged.setdefault(of_class, name) != name:
                raise ConfigError(
                    f"--merge-classes puts {of_class!r} into {merged[of_class]!r} and {name!r}: keep one of them."
                )
    twice = [name for name in merged if name in merged.values() and merged[name] != name]
    if twice:
        raise ConfigError(
            f"--merge-classes puts {twice[0]!r} into {merged[twice[0]]!r}, and others into {twice[0]!r}: keep one."
        )
    return {of_class: name for of_class, name in merged.items() if of_class != name}


def renamed(values: pd.Series, merged: Merged) -> pd.Series:
    """Return a column whose merged classes have the name as which they are learned.

    Examples
    --------
    >>> renamed(pd.Series([1.0, 2.0, 3.0]), {"3": "2"}).tolist()
    [1.0, 2.0, 2.0]
    >>> renamed(pd.Series(["ill", "sick"]), {"ill": "sick"}).tolist()
    ['sick', 'sick']
    """
    if not merged:
        return values
    names = [merged.get(name, name) for name in class_names(values)]
    column = pd.Series(names, index=values.index, name=values.name, dtype=object)
    if values.dtype.kind == "f":
        return column.astype(np.float64) if all(is_number(name) for name in names) else column
    return column


def merged_in_turn(first: Merged, then: Merged) -> dict[str, str]:
    """Return what two mergers do, one after the other.

    Examples
    --------
    >>> merged_in_turn({"a": "b"}, {"b": "rare", "c": "rare"})
    {'a': 'rare', 'b': 'rare', 'c': 'rare'}
    """
    return {**{of_class: then.get(name, name) for of_class, name in first.items()}, **then}


def with_large_classes(
    values: pd.Series, groups: np.ndarray, group_column: str | None, options: TargetConfig
) -> tuple[pd.Series, np.ndarray, dict[str, str]]:
    """Leave out the samples of classes below ``--smallest-class``, or merge these if ``--merge-classes`` has a name for them.

    Parameters
    ----------
    values
        Cells of the column to classify, none missing, [S].
    groups
        Group of each sample, [S].
    group_column
        Column of the groups; None if each sample is its own.
    options
        The least size, and the name, if any.

    Returns
    -------
    values : pd.Series
        Cells of the samples that are kept.
    kept : np.ndarray
        Indices of these samples, int64.
    merged : dict[str, str]
        Name as which each small class is learned.

    Raises
    ------
    MetadataError
        Fewer than two classes are left.
    """
    name = options.name_of_small_classes
    if name is None:
        kept = large_enough(values, groups, group_column, options.smallest_class)
        return values.iloc[kept], kept, {}
    assert options.smallest_class is not None, "the config has it if it has a name for small classes"
    subjects = None if group_column is None else groups.tolist()
    names = class_names(values)
    small = [of_class for of_class in small_classes(names, subjects, options.smallest_class) if of_class != name]
    if len({*names, name} - set(small)) < 2:
        raise MetadataError(
            f"--smallest-class {options.smallest_class} --merge-classes {name} makes one class of all in --metadata-column "
            f"{values.name}. Pass a smaller number."
        )
    merged = dict.fromkeys(small, name)
    for remark in _merged_remarks(f"--smallest-class {options.smallest_class}", merged, Counter(names), "learned"):
        logger.info("%s", remark)
    values = renamed(values, merged)
    for remark in small_class_remarks("--metadata-column", values, subjects):
        logger.warning("%s", remark)
    return values, np.arange(len(values)), merged


def _merged_remarks(option: str, merged: Merged, counts: Mapping[str, int], how: str) -> Iterator[str]:
    """Yield a remark for each name as which classes are learned or read, with the samples of each class."""
    for name in dict.fromkeys(merged.values()):
        classes = [of_class for of_class, other in merged.items() if other == name and counts[of_class]]
        shown = ", ".join(
            f"{name_some([of_class])} ({count_of(counts[of_class], 'sample')})" for of_class in classes[:_SHOWN]
        )
        more = f" and {len(classes) - _SHOWN:,} more" if len(classes) > _SHOWN else ""
        if classes:
            yield f"{option}: {shown}{more} {'is' if len(classes) == 1 else 'are'} {how} as {name!r}."


def as_learned(values: pd.Series, classes: Sequence[str], merged: Merged) -> pd.Series:
    """Return the classes of new samples as a model knows them, and log which are spelt otherwise, or merged in training.

    Parameters
    ----------
    values
        Cells of the new samples, none missing, [S].
    classes
        Classes of the model.
    merged
        Name as which the model learned each class that was merged.

    Returns
    -------
    pd.Series
        Class names; those that the model does not know as they are written.
    """
    names = class_names(values)
    for known in (classes, list(merged)):
        of_others = [name for name in names if name not in merged and name not in classes]
        for remark in respelling_remarks(str(values.name), of_others, known):
            logger.warning("%s", remark)
        spelling = matched(of_others, known)
        names = [spelling.get(name, name) for name in names]
    for remark in _merged_remarks("As in training", merged, Counter(names), "read"):
        logger.info("%s", remark)
    return pd.Series([merged.get(name, name) for name in names], index=values.index, name=values.name, dtype=object)
