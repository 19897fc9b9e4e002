"""Which columns one would learn, in the words of real studies."""

import pandas as pd
import pytest

from aam.inspection.columns import LEAST, rank_of, summarise_columns, why_not_a_target
from aam.io.metadata import read_metadata
from conftest import real_study

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
