"""Which samples have a value, and which cells mean nothing or are no numbers."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aam.config.study import LabelConfig
from aam.errors import MetadataError
from aam.labels.columns import label_samples, missing_values_option, not_numbers, only_column, probable_missing_values
from aam.labels.groups import sample_groups
from helpers.studies import make_study


def label(tmp_path, text, *missing_values, column="age"):
    (tmp_path / "m.tsv").write_text(text)
    config = LabelConfig(metadata=Path(tmp_path / "m.tsv"), metadata_column=(column,), missing_values=missing_values)
    study, metadata, values = label_samples(config, make_study(n_samples=4))
    return study, metadata, only_column(values)


ROWS = "sample-id\tage\tsubject\nS0\t3\ta\nS1\tNA\ta\nS2\t4.5\tnot collected\nS3\t\tNA\n"


def test_numbers_are_numeric_without_the_cells_that_are_called_missing(tmp_path):
    study, _, values = label(tmp_path, ROWS, "NA")

    assert list(study.sample_ids) == ["S0", "S2"]
    assert values.dtype == np.float64
    assert values.tolist() == [3.0, 4.5]


def test_unless_they_are_called_missing_cells_are_values(tmp_path):
    study, _, values = label(tmp_path, ROWS)

    assert list(study.sample_ids) == ["S0", "S1", "S2"]
    assert values.tolist() == ["3", "NA", "4.5"]


def test_a_column_that_the_file_calls_categorical_stays_so_where_nothing_is_missing(tmp_path):
    text = "id\tage\tsite\n#q2:types\tcategorical\tcategorical\nS0\t1\tNA\nS1\t2\tx\nS2\t1\tx\nS3\t2\tx\n"

    assert label(tmp_path, text, "NA")[2].tolist() == ["1", "2", "1", "2"]


def test_missing_schemes_of_the_file_work_beside_the_option(tmp_path):
    text = "id\tage\n#q2:missing\tINSDC:missing\nS0\tnot collected\nS1\t2\nS2\tNA\nS3\t7\n"

    study, _, values = label(tmp_path, text, "NA")

    assert list(study.sample_ids) == ["S1", "S3"]
    assert values.tolist() == [2.0, 7.0]


def test_a_column_of_missing_values_alone_is_an_error(tmp_path):
    with pytest.raises(MetadataError, match=r"No sample .*--metadata-column age\b"):
        label(tmp_path, "id\tage\nS0\tNA\nS1\tNA\nS2\tNA\nS3\tnone\n", "NA", "none")


def test_groups_that_are_called_missing_are_alone_and_others_are_asked_about(tmp_path, caplog):
    study, metadata, _ = label(tmp_path, ROWS.replace("\t\tNA", "\t5\tnot collected"), "NA")

    with caplog.at_level("WARNING", logger="aam"):
        groups = sample_groups(metadata, list(study.sample_ids), "subject", ["age"])

    assert groups.tolist() == ["group a", "group not collected", "group not collected"]
    assert re.search(r"--group-column subject: 'not collected' \(2 samples\)", caplog.text)
    alone = label(tmp_path, ROWS.replace("\t\tNA", "\t5\tnot collected"), "NA", "not collected")
    assert sample_groups(alone[1], list(alone[0].sample_ids), "subject", ["age"]).tolist() == [
        "group a", "sample S2", "sample S3"
    ]  # fmt: skip


def column(values):
    return pd.Series(values, name="age", dtype=object if isinstance(values[0], str | None) else None)


@pytest.mark.parametrize(
    "cell",
    [
        "NA", "nan", "n/a", "N/A", "none", "None", "not applicable", "Not Collected", "missing",
        "unspecified", "Missing: Not provided",
    ],
)  # fmt: skip
def test_words_that_people_write_for_nothing_are_suspected_whatever_their_case(cell):
    assert probable_missing_values(column(["gut", cell, "gut", cell])) == {cell: 2}


def test_values_and_empty_cells_are_not_suspected():
    assert probable_missing_values(column(["gut", "Nanjing", "0", None, "nonesuch", "-1"])) == {}
    assert probable_missing_values(column([1.0, np.nan])) == {}


def test_cells_that_are_no_numbers_are_counted_and_empty_ones_are_not():
    assert not_numbers(column(["1", "inf", None, "x", "1,5", "x", "-2e-3"])) == {"x": 2, "inf": 1, "1,5": 1}


def test_of_many_values_the_option_names_the_first():
    assert missing_values_option(list("abcdefg")) == "--missing-values a b c d e f g"
    assert missing_values_option(list("abcdefghijklmnopqrstuv")).endswith(" s t …")
