"""The samples of a study that have a value in the metadata columns to learn, and what the cells of a column say."""

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

logger = logging.getLogger(__name__)


_MISSPELT = re.compile(r"[-+\u2212]?(\d{1,3}([,.' \u00a0\u202f]\d{3})+([.,]\d+)?|\d+,\d+|\d+(\.\d+)?)", re.ASCII)

PROBABLY_MISSING = frozenset(
    """
    na|n/a|#n/a|n.a.|nan|none|null|nil|missing|unknown|unspecified|undetermined|not applicable|not available|not collected
    |not determined|not given|not known|not measured|not provided|not recorded|not reported|not specified|no data|no value
    |restricted access|missing: not applicable|missing: not collected|missing: not provided|missing: restricted access
    |not applicable: control sample|-|--|?|.
    """.replace("\n", "").replace("    ", "").split("|")
)  # fmt: skip
"""Cells, in lower case, that QIIME 2 reads as values and people write where there is none; INSDC's terms among them."""


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
    """Count the values that are no numbers, the most frequent first."""
    return _counted(value for value in values.dropna() if not is_number(value))


def misspelt_numbers(values: pd.Series) -> dict[str, int]:
    """Count the values that are numbers with thousands separators, a decimal comma or a typographic minus, the most frequent first.

    Examples
    --------
    >>> misspelt_numbers(pd.Series(["1,000", "0,5", "1 234.5", "\u22123", "-3", "1,2,3", "a"]))
    {'1,000': 1, '0,5': 1, '1 234.5': 1, '−3': 1}
    """
    return _counted(value for value in values.dropna() if not is_number(value) and _MISSPELT.fullmatch(str(value)))


def probable_missing_values(values: pd.Series) -> dict[str, int]:
    """Count the values that probably mean that there is none, the most frequent first."""
    return _counted(value for value in values.dropna() if str(value).strip().lower() in PROBABLY_MISSING)


def warn_of_probable_missing_values(flag: str, values: pd.Series) -> None:
    """Name the values that probably mean that there is none."""
    found = probable_missing_values(values)
    if found:
        logger.warning(
            "%s %s: %s count as values, though they probably mean that none is known. Pass %s to make them missing.",
            flag, values.name, describe(found), missing_values_option(found),
        )  # fmt: skip


def describe(counts: Mapping[str, int]) -> str:
    """Name values and how many samples have them.

    Examples
    --------
    >>> describe({"NA": 12, "nan": 3})
    "'NA', 'nan' (15 samples)"
    """
    total = sum(counts.values())
    return f"{name_some(list(counts))} ({total:,} {'sample' if total == 1 else 'samples'})"


def missing_values_option(values: Iterable[str]) -> str:
    """Spell the option that makes values missing, as a shell reads it; of many values, the first.

    Examples
    --------
    >>> missing_values_option(["NA", "not collected"])
    "--missing-values NA 'not collected'"
    """
    names = list(values)
    return f"--missing-values {shlex.join(names[:5])}{' …' if len(names) > 5 else ''}"


def class_names(values: pd.Series) -> list[str]:
    """Write each value as a class name; whole numbers without their decimal point."""
    if values.dtype.kind == "f":
        return [f"{value:.12g}" for value in values]
    return [str(value) for value in values]


def _counted(values: Iterable[object]) -> dict[str, int]:
    return dict(Counter(map(str, values)).most_common())


def label_samples(config: LabelConfig, study: Study) -> tuple[Study, Metadata, pd.DataFrame]:
    """Keep the samples with a value in a metadata column; give the study, the metadata and the values, a column each.

    Raises
    ------
    MetadataError
        Samples lack a row (unless ``--missing-samples drop``), a column does not exist or holds no value.
    """
    metadata = read_metadata(config.metadata, config.missing_values)
    names = config.metadata_column
    values = pd.DataFrame({name: metadata.column(name) for name in names})
    known, sample_ids = set(metadata.sample_ids), list(study.sample_ids)
    absent = [sample for sample in sample_ids if sample not in known]
    if len(absent) == study.n_samples:
        raise MetadataError(
            f"None of the {study.n_samples:,} samples of the table has a row in {config.metadata}: the table has "
            f"{name_some(absent, 3)}, the metadata {name_some(metadata.sample_ids, 3)}. Pass the metadata of this table."
        )
    if absent and config.missing_samples == "error":
        raise MetadataError(
            f"{len(absent):,} of {study.n_samples:,} samples of the table have no row in {config.metadata}: "
            f"{name_some(absent)}. Add the rows or pass --missing-samples drop."
        )
    has_value = values.reindex(sample_ids).notna()
    empty = [str(name) for name, present in has_value.items() if not present.to_numpy().any()]
    if empty:
        raise MetadataError(f"No sample of the table has a value in --metadata-column {' or '.join(empty)}.")
    kept = np.flatnonzero(has_value.any(axis=1))
    if len(kept) < study.n_samples:
        logger.warning(
            "Left out %d of %d samples without a value of %s.",
            study.n_samples - len(kept), study.n_samples, " or ".join(names),
        )  # fmt: skip
    if len(names) > 1:
        _say_what_is_missing(has_value.iloc[kept])
    labelled = study.select_samples(kept)
    return labelled, metadata, values.loc[list(labelled.sample_ids)]


def only_column(values: pd.DataFrame) -> pd.Series:
    """Return the values of the one column that there is."""
    ((_, cells),) = values.items()
    return cells


def _say_what_is_missing(has_value: pd.DataFrame) -> None:
    counts = ", ".join(f"{name} {int((~present).sum()):,}" for name, present in has_value.items())
    logger.info(
        "Of %d samples, values are missing of: %s. A sample counts for those that it has.", len(has_value), counts
    )
