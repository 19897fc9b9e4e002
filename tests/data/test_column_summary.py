"""What columns are good for, against pandas and against what training accepts."""

import numpy as np
import pandas as pd
import pytest

from aam.errors import MetadataError
from aam.inspection.columns import ColumnSummary, summarise_columns, summarise_groups
from aam.labels.task import choose_task

N = 24
FRAME = pd.DataFrame(
    {
        "age": [float(i % 17) for i in range(N - 3)] + [np.nan] * 3,
        "site": (["gut", "tongue", "gut"] * 8)[:N],
        "kit": ["one"] * N,
        "barcode": [f"B{i}" for i in range(N)],
        "empty": [np.nan] * N,
        "rare": [1.0, 2.0, 3.0] + [np.nan] * (N - 3),
        "host_subject_id": [f"P{i // 4}" for i in range(N)],
        "subject_weight": [60.5 + i // 8 for i in range(N)],
        "weight": [str(3.5 + i) for i in range(N - 2)] + ["NA", "not provided"],
        "visit": [str(i % 3) for i in range(N)],
        "huge": [1e308] * (N // 2) + [1.7e308] * (N // 2),
        "town": [f"T{i // 2}" for i in range(N)],
    }
)  # fmt: skip


def column(name) -> ColumnSummary:
    return next(item for item in summarise_columns(FRAME) if item.name == name)


def test_a_numeric_column_is_regressed_and_described_as_pandas_does():
    found, values = column("age"), FRAME["age"]

    assert (found.task, found.n_values, found.n_missing, found.n_distinct) == ("regression", N - 3, 3, values.nunique())
    assert (found.low, found.median, found.high) == (values.min(), values.median(), values.max())


def test_a_categorical_column_is_classified_and_its_classes_counted():
    found = column("site")

    assert found.task == "classification"
    assert found.classes == FRAME["site"].value_counts().to_dict()
    assert list(found.classes) == ["gut", "tongue"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("kit", "the same value everywhere"),
        ("barcode", "nearly all values differ"),
        ("empty", "no values"),
        ("rare", "3 values are too few"),
        ("huge", "numbers beyond ±1e+20"),
    ],
)
def test_a_column_that_cannot_be_learned_says_why(name, reason):
    found = column(name)

    assert (found.task, found.reason, found.classes) == (None, reason, {})


@pytest.mark.parametrize("name", [name for name in FRAME if name not in ("empty", "rare", "huge")])
def test_training_decides_alike(name):
    values = FRAME[name].dropna()

    try:
        expected = choose_task(values, "auto")
    except MetadataError:
        expected = None

    assert column(name).task == expected


def test_columns_that_name_subjects_come_first_and_measures_are_none():
    groups = summarise_groups(FRAME, ["subject"])

    assert [(group.name, group.names_subject) for group in groups] == [("host_subject_id", True), ("town", False)]
    assert (groups[0].n_groups, groups[0].smallest, groups[0].median, groups[0].largest) == (6, 4, 4.0, 4)


def test_subjects_seen_once_are_no_groups():
    frame = pd.DataFrame({"subject": [f"P{i}" for i in range(9)]})

    assert summarise_groups(frame, ["subject"]) == []


def test_cells_that_keep_a_column_from_being_numeric_are_named():
    found = column("weight")

    assert (found.task, found.reason, found.not_numbers) == (None, "numbers but for some cells", ["NA", "not provided"])
    assert all(not column(name).not_numbers for name in FRAME if name != "weight")


def test_classes_that_probably_mean_nothing_are_named():
    frame = pd.DataFrame(
        {"diet": ["milk", "solid", "unknown", "n/a", "milk", "milk", "solid", "solid", "n/a", "unknown"]}
    )

    assert summarise_columns(frame)[0].probably_missing == ["unknown", "n/a"]
    assert summarise_columns(frame)[0].task == "classification"
