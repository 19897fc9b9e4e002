"""Remarks on the columns of metadata, in the words of the commands that would learn them."""

from collections.abc import Callable, Iterator, Sequence
from typing import cast

import pandas as pd

from aam.errors import name_some
from aam.inspection.columns import ColumnSummary
from aam.labels.class_sizes import small_class_remarks
from aam.labels.number_cells import date_number_remarks
from aam.labels.sentinels import sentinel_class_remarks, sentinel_remarks
from aam.labels.spellings import look_alike_remarks
from aam.labels.task_choice import few_whole_numbers, numbers_among_classes

FLAG = "--metadata-column"
"""Option that would name the columns."""

MOST = 3
"""Most remarks of one kind in full; further columns are named."""

_KINDS: tuple[tuple[str, str, Callable[[pd.Series], Iterator[str]]], ...] = (
    ("regression", "numbers far from all others", lambda values: sentinel_remarks(FLAG, values)),
    ("regression", "dates as numbers", lambda values: date_number_remarks(FLAG, values)),
    ("regression", "few whole numbers", few_whole_numbers),
    ("classification", "numbers with a unit, or dates", numbers_among_classes),
    ("classification", "classes that differ only in how they are written", lambda values: look_alike_remarks(FLAG, values)),
    ("classification", "classes that may stand for no value", lambda values: sentinel_class_remarks(FLAG, values)),
    ("classification", "classes of one or two samples", lambda values: small_class_remarks(FLAG, values)),
)  # fmt: skip


def column_remarks(frame: pd.DataFrame, columns: Sequence[ColumnSummary]) -> list[str]:
    """Return what the commands would say of the columns that may be targets, the likeliest first.

    Parameters
    ----------
    frame
        Metadata of the samples of the table.
    columns
        Summaries of the columns.
    """
    usable = sorted((column for column in columns if column.task is not None and column.doubt is None), key=_rank)
    remarks = []
    for task, what, remarks_of in _KINDS:
        of_kind = {
            column.name: [*remarks_of(cast(pd.Series, frame[column.name].dropna()))]
            for column in usable
            if column.task == task
        }
        found = {name: texts for name, texts in of_kind.items() if texts}
        remarks += [text for texts in list(found.values())[:MOST] for text in texts]
        if len(found) > MOST:
            remarks.append(f"Further columns with {what}: {name_some(list(found)[MOST:])}.")
    return remarks


def _rank(column: ColumnSummary) -> int:
    return column.rank
