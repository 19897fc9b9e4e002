"""Samples that metadata or a split show to be wrong: controls by their cells, and one sample under two names on both sides."""

import logging
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from aam.data.control_names import are_named_controls, control_remarks
from aam.data.few_reads import few_reads_remarks
from aam.data.study import Study
from aam.data.twins import Twins, find_twins, sets_of_several
from aam.errors import name_some
from aam.io.metadata import Metadata
from aam.labels.columns import class_names

logger = logging.getLogger(__name__)

_KINDS = re.compile(
    r"sample|type|control|kind|category|material|matrix|env|source|role|class|group|descri|title|name|biome|body|site",
    re.IGNORECASE,
)
"""Names of columns that say what a sample is; in others, ``blank`` may mean an empty cell."""

_LONGEST = 60  # letters of a cell that names a kind of sample

_ADVICE = {
    "file": "Write each set into one part of --split-file, or take the copies out of the table.",
    "unlabelled": "Take the copies out of the table, or keep each set together by --split file.",
}
"""Advice about divided sets, by the kind of split."""

_ADVICE_OF_OTHERS = (
    "If they are replicates, pass --group-column with a column that names what each was taken from; if they are copies, such as of "
    "a merge done twice, take them out of the table."
)


def named_controls(sample_ids: Sequence[str], depths: np.ndarray, metadata: Metadata | None = None) -> np.ndarray:
    """Return whether each sample is a blank, control or pool by its name or by a cell of its metadata, bool [S].

    Parameters
    ----------
    sample_ids, depths
        Names of the samples, and reads of each, [S].
    metadata
        The metadata, if there are any.
    """
    names = list(sample_ids)
    is_control = are_named_controls(names, depths)
    if metadata is None:
        return is_control
    frame = metadata.frame.reindex(names)
    for name, column in frame.items():
        if column.dtype.kind != "f":
            cells = [_told(str(name), cell) for cell in column]
            is_control = is_control | are_named_controls(cells, depths)
    return is_control


def _told(column: str, cell: object) -> str:
    """Return a cell if it may say what kind of sample it is, else nothing."""
    if not isinstance(cell, str) or len(cell) > _LONGEST or not (_KINDS.search(column) or len(cell.split()) > 1):
        return ""
    return cell


def sample_remarks(study: Study, metadata: Metadata | None = None) -> list[str]:
    """Return remarks on samples that are blanks or controls by name, or have few reads."""
    is_control = named_controls(study.sample_ids, study.depths, metadata)
    return [*control_remarks(study.sample_ids, is_control), *few_reads_remarks(study.sample_ids, study.depths)]


def divided_twin_remarks(sample_ids: Sequence[str], twins: Twins, split: np.ndarray, kind: str) -> list[str]:
    """Return a remark if samples of identical or nearly identical counts are in several parts of a split.

    Parameters
    ----------
    sample_ids, twins, split
        Names of the samples, which of them are the same, and the part or fold that each is in, [S].
    kind
        Kind of split, which decides on the advice.
    """
    n_divided = sum(len(set(split[of_set].tolist())) > 1 for of_set in twins.sets)
    fact = twins.remark(sample_ids)
    if not n_divided or fact is None:
        return []
    them = "It is" if n_divided == len(twins.sets) == 1 else f"{n_divided:,} of these sets are"
    return [
        f"{fact} {them} in more than one part, so that validation looks better than it is. {_ADVICE.get(kind, _ADVICE_OF_OTHERS)}"
    ]


def twin_label_remarks(sample_ids: Sequence[str], twins: Twins, values: pd.DataFrame) -> list[str]:
    """Return a remark for each column in which samples of identical counts have different values.

    Parameters
    ----------
    sample_ids, twins
        Names of the samples, and which of them are the same, [S].
    values
        Columns to learn, one row per sample.
    """
    remarks, sets = [], sets_of_several(twins.identical)
    for name, column in values.items():
        cells = np.array(class_names(column), dtype=object)
        has_value = column.notna().to_numpy()
        different = [of_set for of_set in sets if len(set(cells[of_set[has_value[of_set]]].tolist())) > 1]
        if different:
            pairs = [" = ".join(f"{sample_ids[i]}: {cells[i]}" for i in of_set[:3].tolist()) for of_set in different]
            sets_of = "1 set" if len(different) == 1 else f"{len(different):,} sets"
            remarks.append(
                f"{sets_of} of samples with identical counts have different values of {name}: {name_some(pairs)}. They are one "
                "sample under several names, and only one value can be right: correct the metadata, or take the copies out."
            )
    return remarks


def warn_of_samples(
    study: Study, metadata: Metadata | None, values: pd.DataFrame | None, split: np.ndarray, kind: str
) -> None:
    """Warn of samples that are no samples of their own, or are in several parts of a split.

    Parameters
    ----------
    study
        Samples in use.
    metadata, values
        The metadata, and the columns to learn with one row per sample; None without labels.
    split, kind
        Part or fold of each sample, [S], and the kind of split.
    """
    twins = find_twins(study)
    remarks = [*sample_remarks(study, metadata), *divided_twin_remarks(study.sample_ids, twins, split, kind)]
    if values is not None:
        remarks += twin_label_remarks(study.sample_ids, twins, values)
    for remark in remarks:
        logger.warning("%s", remark)
