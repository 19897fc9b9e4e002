"""What columns are good for, against pandas, what training accepts and the words of real studies."""

import numpy as np
import pandas as pd
import pytest

from aam.errors import MetadataError
from aam.inspection.columns import LEAST, ColumnSummary, rank_of, summarise_columns, summarise_groups, why_not_a_target
from aam.io.metadata import read_metadata
from aam.labels.task import choose_task
from helpers.studies import real_study

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


RUN, NAMES = "facts of sequencing or processing", "names or descriptions of samples, subjects or studies"


@pytest.mark.parametrize(
    ("name", "doubt"),
    [
        *((name, RUN) for name in ("MBases_l", "MBytes_l", "Run_s", "run_prefix", "primer_plate", "BarcodeSequence", "ReleaseDate",
                                   "LoadDate", "spots", "bases", "n_reads", "sequencing_depth", "BioSample", "PCR_primers", "batch",
                                   "extraction kit lot", "center_name", "well_id", "AssayType", "avgLength", "library.name")),
        *((name, NAMES) for name in ("host_subject_id", "studyid", "individual_sample_number", "anonymized_name", "description",
                                     "SampleID", "patient-number", "ID", "title")),
        *((name, "dates") for name in ("collection_date", "collection_timestamp", "days_since_epoch", "CollectionDate")),
        *((name, None) for name in ("age", "Age_days", "BMI", "Emotional_well_being", "viral_load", "acid", "steroids", "month",
                                    "days-since-experiment-start", "number_of_siblings", "delivery", "subject", "Subject",
                                    "split_dose", "sequence_type", "elevation", "pH", "trunk")),
    ],
)  # fmt: skip
def test_the_name_of_a_column_says_what_it_is(name, doubt):
    assert why_not_a_target(name, ["1", "2", "train"]) == doubt


@pytest.mark.parametrize(
    ("name", "distinct", "is_split"),
    [
        ("split", ["train", "validation"], True),
        ("split", ["train", "validation", "test"], True),
        ("fold", ["0", "1", "2"], True),
        ("split", ["left", "right"], False),
        ("fold", ["2.5", "1.5"], False),
        ("set", ["train", "test"], False),
    ],
)
def test_the_parts_of_a_split_are_no_target(name, distinct, is_split):
    assert (why_not_a_target(name, distinct) == "parts of a split (--split-file)") == is_split


@pytest.mark.parametrize(
    ("name", "distinct", "rank"),
    [
        ("Subject", ["Patient", "Control"], 0),
        ("ibd", ["Crohns", "Healthy control"], 0),
        ("body-site", ["gut", "tongue"], 1),
        ("sex", ["m", "f"], 1),
        ("trajectory", ["s1", "uncontrolled"], LEAST),
        ("package", ["a", "b"], LEAST),
    ],
)
def test_cases_and_controls_come_first(name, distinct, rank):
    assert rank_of(name, distinct) == rank


@pytest.mark.parametrize(
    ("study", "first", "aside"),
    [
        ("cfs", {"Subject"}, {"MBases_l", "MBytes_l"}),
        ("ibd_2538", {"ibd", "surgery_and_ibd"},
         {"anonymized_name", "description", "days_since_epoch", "flu_vaccine_date", "host_subject_id",
          "individual_sample_number"}),
        ("ecam_infant", {"age_days", "age_months", "delivery", "diet", "diet_2", "diet_2_month", "diet_3", "sex"},
         {"description", "sample_summary", "host_subject_id", "studyid"}),
        ("moving_pictures", {"body-site", "reported-antibiotic-usage"}, set()),
    ],
)  # fmt: skip
def test_real_studies_are_sorted_as_one_would(study, first, aside):
    columns = summarise_columns(pd.DataFrame(read_metadata(real_study(study) / "metadata.tsv").frame))

    usable = [column for column in columns if column.task is not None and column.doubt is None]
    least = min(column.rank for column in usable)
    assert {column.name for column in usable if column.rank == least} == first
    assert {column.name for column in columns if column.doubt is not None} == aside
