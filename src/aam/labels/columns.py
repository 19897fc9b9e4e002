"""The samples of a study that have a value in the metadata columns to learn, and checks of the cells of a column."""

import logging
import math
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from aam.config.study import LabelConfig
from aam.data.study import Study
from aam.errors import MetadataError, name_some
from aam.io.metadata import Metadata, read_metadata
from aam.labels.missing_rows import ADD_ROWS, describe_missing_rows, refuse_other_metadata

logger = logging.getLogger(__name__)


_MISSPELT = re.compile(r"[-+\u2212]?(\d{1,3}([,.' \u00a0\u202f]\d{3})+([.,]\d+)?|\d+,\d+|\d+(\.\d+)?)", re.ASCII)

PROBABLY_MISSING = frozenset(
    r"""
    na|n/a|#n/a|n.a.|nan|none|null|nil|missing|unknown|unspecified|undetermined|not applicable|not available|not collected
    |not determined|not given|not known|not measured|not provided|not recorded|not reported|not specified|no data|no value
    |not reported yet|not done|not tested|not assessed|not sampled|restricted access|<na>|n/d|n.d.|tbd|#value!|#ref!|#div/0!
    |#num!|#name?|#n/a n/a|-nan|1.#qnan|nat|na character|\n|n.a|n.d|unk|undefined|to be determined|tba|tbc|pending|withheld
    |missing data|not answered|no answer|no information|don't know|not sure|not disclosed|prefer not to say
    |prefer not to answer|-|--|---|\u2013|\u2014|?|??|.|..
    """.replace("\n", "").replace("    ", "").split("|")
)  # fmt: skip
"""Cells, in lower case, that QIIME 2 reads as values and people write where there is none; see `is_probably_missing`."""

_JOINED = frozenset("".join(word.split()) for word in PROBABLY_MISSING if word.startswith(("not ", "no ", "prefer ")))

_IN_BRACKETS = frozenset({"(blank)", "(empty)", "[blank]", "[empty]"})

_BETWEEN_LETTERS = re.compile(r"(?<=[a-z])[_-](?=[a-z])")


_IN_OPTION = 20


def is_number(value: object) -> bool:
    """Whether a cell is a finite number.

    Examples
    --------
    >>> [is_number(cell) for cell in ("1e3", "-2.5", "1,000", "inf", "nan", "1_0")]
    [True, True, False, False, False, False]
    """
    try:
        return math.isfinite(float(str(value))) and "_" not in str(value)
    except ValueError:
        return False


def not_numbers(values: pd.Series) -> dict[str, int]:
    """Count the values that are not numbers.

    Returns
    -------
    dict[str, int]
        Number of samples by value, the most frequent value first.
    """
    return _counted(value for value in values.dropna() if not is_number(value))


def misspelt_numbers(values: pd.Series) -> dict[str, int]:
    """Count the values that are numbers with thousands separators, a decimal comma or a typographic minus.

    Returns
    -------
    dict[str, int]
        Number of samples by value, the most frequent value first.

    Examples
    --------
    >>> misspelt_numbers(pd.Series(["1,000", "0,5", "1 234.5", "\u22123", "-3", "1,2,3", "a"]))
    {'1,000': 1, '0,5': 1, '1 234.5': 1, '−3': 1}
    """
    return _counted(value for value in values.dropna() if not is_number(value) and _MISSPELT.fullmatch(str(value)))


def probable_missing_values(values: pd.Series) -> dict[str, int]:
    """Count the values that probably mean that there is none, such as ``NA``.

    Returns
    -------
    dict[str, int]
        Number of samples by value, the most frequent value first.
    """
    return _counted(value for value in values.dropna() if is_probably_missing(str(value)))


def is_probably_missing(cell: str) -> bool:
    """Return whether a cell probably means that there is no value: one of `PROBABLY_MISSING`, or a term of INSDC.

    Examples
    --------
    >>> [is_probably_missing(cell) for cell in (" NA", "missing: lab stock", "Not applicable: sample group", "nothing")]
    [True, True, True, False]
    >>> [is_probably_missing(cell) for cell in ("not_collected", "NotApplicable", "[missing]", "'NA'", "(blank)", "blank")]
    [True, True, True, True, True, False]
    """
    text = " ".join(cell.lower().replace("\u2019", "'").split())
    if text in PROBABLY_MISSING or text in _IN_BRACKETS or text.startswith(("missing:", "not applicable:")):
        return True
    text = _BETWEEN_LETTERS.sub(" ", text.strip("()[]{}<>\"'* "))
    return text in PROBABLY_MISSING or text in _JOINED


def _counted(values: Iterable[object]) -> dict[str, int]:
    return dict(Counter(map(str, values)).most_common())


def warn_of_probable_missing_values(flag: str, values: pd.Series) -> None:
    """Warn of values that probably mean that there is none; ``flag`` is the option that names the column."""
    missing = probable_missing_values(values)
    if missing:
        logger.warning(
            "%s %s: %s count as values, though they probably mean that none is known. Pass %s to make them missing.",
            flag, values.name, describe(missing), missing_values_option(missing),
        )  # fmt: skip


def describe(counts: Mapping[str, int]) -> str:
    """Name up to five values and the number of samples that have any of them, for messages.

    Examples
    --------
    >>> describe({"NA": 12, "nan": 3})
    "'NA', 'nan' (15 samples)"
    """
    total = sum(counts.values())
    return f"{name_some(list(counts))} ({total:,} {'sample' if total == 1 else 'samples'})"


def missing_values_option(values: Iterable[str]) -> str:
    """Write the option that makes values missing, as a shell reads it; of more than twenty values, the first twenty.

    Examples
    --------
    >>> missing_values_option(["NA", "not collected"])
    "--missing-values NA 'not collected'"
    """
    names = list(values)
    return f"--missing-values {shlex.join(names[:_IN_OPTION])}{' …' if len(names) > _IN_OPTION else ''}"


def class_names(values: pd.Series) -> list[str]:
    """Return each value as a class name; whole numbers without their decimal point."""
    if values.dtype.kind == "f":
        return [f"{value:.12g}" for value in values]
    return [str(value) for value in values]


def label_samples(config: LabelConfig, study: Study) -> tuple[Study, Metadata, pd.DataFrame]:
    """Keep the samples that have a value in at least one of the metadata columns to learn.

    Returns
    -------
    study : Study
        The samples that were kept.
    metadata : Metadata
        All rows and columns of the file.
    values : pd.DataFrame
        Values of the samples that were kept, in their order; one column for each metadata column to learn.

    Raises
    ------
    MetadataError
        Samples lack a row (unless ``--missing-samples drop``), a column does not exist or holds no value.
    """
    metadata = read_metadata(config.metadata, config.missing_values)
    names = config.metadata_column
    values = pd.DataFrame({name: metadata.column(name) for name in names})
    sample_ids = list(study.sample_ids)
    refuse_other_metadata(sample_ids, metadata, config.metadata)
    is_dropped = config.missing_samples == "drop"
    advice = "They are left out." if is_dropped else ADD_ROWS
    absent = describe_missing_rows(sample_ids, metadata, config.metadata, advice)
    if absent is not None and not is_dropped:
        raise MetadataError(absent)
    if absent is not None:
        logger.warning("%s", absent)
    n_rows = len(set(metadata.sample_ids).intersection(sample_ids))
    has_value = values.reindex(sample_ids).notna()
    empty = [str(name) for name, present in has_value.items() if not present.to_numpy().any()]
    if empty:
        raise MetadataError(f"No sample of the table has a value in --metadata-column {' or '.join(empty)}.")
    kept = np.flatnonzero(has_value.any(axis=1))
    if len(kept) < n_rows:
        logger.warning(
            "Left out %d of %d samples without a value of %s.", n_rows - len(kept), study.n_samples, " or ".join(names)
        )  # fmt: skip
    if len(names) > 1:
        _log_missing_values(has_value.iloc[kept])
    labelled = study.select_samples(kept)
    return labelled, metadata, values.loc[list(labelled.sample_ids)]


def only_column(values: pd.DataFrame) -> pd.Series:
    """Return the values of a table that has a single column."""
    ((_, cells),) = values.items()
    return cells


def _log_missing_values(has_value: pd.DataFrame) -> None:
    counts = ", ".join(f"{name} {int((~present).sum()):,}" for name, present in has_value.items())
    logger.info(
        "Of %d samples, values are missing of: %s. A sample counts for those that it has.", len(has_value), counts
    )
