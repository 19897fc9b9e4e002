"""Metadata read by QIIME 2's rules, and result tables that open as such."""

import gzip
import logging

import numpy as np
import pytest
from skbio.metadata import SampleMetadata

from aam.errors import MetadataError, OutputError
from aam.io.metadata import read_metadata, write_tsv
from helpers.studies import real_study


def read(tmp_path, text, encoding="utf-8"):
    (tmp_path / "metadata.tsv").write_text(text, encoding=encoding)
    return read_metadata(tmp_path / "metadata.tsv")


def test_numbers_are_float64_and_categories_strings_with_missing_values(tmp_path):
    metadata = read(tmp_path, "#SampleID\tage\tsite\n10317.000001\t1\tgut\n10317.10\t\t\n")

    assert metadata.frame.index.name == "sample-id"
    assert metadata.sample_ids == ["10317.000001", "10317.10"]
    assert metadata.column("age").dtype == np.float64
    assert metadata.column("age").isna().tolist() == [False, True]
    assert metadata.column("site").dtype == object
    assert metadata.column("site").iloc[0] == "gut"
    assert metadata.column("site").isna().tolist() == [False, True]


def test_types_given_in_the_file_win(tmp_path):
    metadata = read(tmp_path, "id\tyear\tage\n#q2:types\tcategorical\tnumeric\nS1\t2009\t1\n")

    assert not metadata.is_numeric("year")
    assert metadata.is_numeric("age")
    assert metadata.column("year").tolist() == ["2009"]


def test_byte_order_marks_comments_spaces_and_quotes_are_understood(tmp_path):
    metadata = read(tmp_path, '\ufeff# note\nsample-id\tsite\n\n S1 \t"a ""b"""\n')

    assert metadata.sample_ids == ["S1"]
    assert metadata.column("site").tolist() == ['a "b"']


def test_gzip_is_noticed_by_its_content(tmp_path):
    (tmp_path / "metadata.tsv").write_bytes(gzip.compress(b"sample-id\ta\nS1\t2\n"))

    assert read_metadata(tmp_path / "metadata.tsv").column("a").tolist() == [2.0]


def test_a_later_column_may_be_named_like_ids(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        metadata = read(tmp_path, "# note\nsample-id\tSampleID\tsample_name\ta\nS1\tx\ty\t3\n")

    assert metadata.frame.columns.tolist() == ["SampleID", "sample_name", "a"]
    assert metadata.frame.loc["S1"].tolist() == ["x", "y", 3.0]
    assert "'SampleID', 'sample_name'" in caplog.text


@pytest.mark.parametrize(
    ("study", "file", "shape", "numeric", "categorical"),
    [
        ("moving_pictures", "metadata.tsv", (34, 9), "year", "body-site"),
        ("moving_pictures", "qza/sample-metadata.tsv", (34, 8), "days-since-experiment-start", "subject"),
        ("ecam_infant", "metadata.tsv", (741, 28), "age_days", "delivery"),
        ("ibd_2538", "metadata.tsv", (449, 84), "age", "ibd"),
        ("cfs", "metadata.tsv", (87, 27), "Age", "SampleID"),
    ],
)
def test_real_metadata_is_read(study, file, shape, numeric, categorical):
    metadata = read_metadata(real_study(study) / file)

    assert metadata.frame.shape == shape
    assert metadata.is_numeric(numeric)
    assert not metadata.is_numeric(categorical)
    assert all(isinstance(name, str) for name in metadata.sample_ids)
    assert {str(dtype) for dtype in metadata.frame.dtypes} <= {"float64", "object"}


def test_an_unknown_column_suggests_those_like_it(tmp_path):
    metadata = read(tmp_path, "sample-id\tbody-site\tage\nS1\tgut\t3\n")

    with pytest.raises(MetadataError, match=r"'Bodysite'.*'body-site'.*: 'body-site', 'a"):
        metadata.column("Bodysite")


def test_at_most_ten_columns_are_listed(tmp_path):
    header = "\t".join(f"column{i}" for i in range(13))
    metadata = read(tmp_path, f"sample-id\t{header}\nS1\n")

    with pytest.raises(MetadataError, match=r"'zzz'.*: 'column0', .*'column9' and 3 more\.$"):
        metadata.is_numeric("zzz")


def test_metadata_without_columns_says_so(tmp_path):
    with pytest.raises(MetadataError, match="Its columns: none"):
        read(tmp_path, "sample-id\nS1\n").column("age")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Failed to locate header"),
        ("sample-id\ta\n", "at least one ID"),
        ("sample-id\ta\nS1\t1\nS1\t2\n", r"metadata\.tsv: .*unique\. .*: 'S1'\."),
        ("it's,a\nS1,1\n", "first column .*\"it's,a\", .*'sample-id'"),
        ("sample-id\ta\ta\nS1\t1\t2\n", "Column names must be unique"),
        ('sample-id\ta\nS1\t"1\n', "unexpected end of data"),
        ("sample-id\ta\nS1\t1\t2\n", r"\b3 cells, .*\b2"),
        ("sample-id\ta\n#q2:types\tnumeric\nS1\tx\n", "column 'a' to numeric"),
        ("sample-id\ta\nS1\t1e400\n", "does not support positive or negative infinity"),
    ],
)
def test_malformed_metadata_is_refused_in_one_line(tmp_path, text, message):
    with pytest.raises(MetadataError, match=message) as caught:
        read(tmp_path, text)

    assert "\n" not in str(caught.value)
    assert "keemei" not in str(caught.value).lower()


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(MetadataError, match=r"--metadata .*does not exist"):
        read_metadata(tmp_path / "metadata.tsv")


def test_utf16_of_spreadsheets_is_read(tmp_path):
    assert read(tmp_path, "sample-id\ta\nS1\té\n", encoding="utf-16").column("a").tolist() == ["é"]


def test_cells_that_are_called_missing_are_empty_before_types_are_settled(tmp_path):
    path = tmp_path / "metadata.tsv"
    path.write_text(
        "# a note\tNA\nsample-id\tage\tsite\tcode\tNA\n#q2:types\tnumeric\tcategorical\tcategorical\tcategorical\n"
        "NA\t NA \tNA\t1\tx\nS2\t-9.0\tNAs\t2\ty\n#NA\tNA\nS3\t4\tgut\t-9\tz\n"
    )

    metadata = read_metadata(path, ["NA", "-9"])

    assert metadata.sample_ids == ["NA", "S2", "S3"]
    assert metadata.column("age").isna().tolist() == [True, True, False]
    assert metadata.is_numeric("age")
    assert metadata.column("site").tolist()[1:] == ["NAs", "gut"]
    assert metadata.column("code").dropna().tolist() == ["1", "2"]  # categorical, as the file says
    assert metadata.column("NA").tolist() == ["x", "y", "z"]


def test_a_column_is_numeric_where_only_numbers_are_left(tmp_path):
    path = tmp_path / "metadata.tsv"
    path.write_text("id\tage\nS1\tNA\nS2\t3\n")

    assert read_metadata(path, ["NA"]).is_numeric("age")
    assert not read_metadata(path).is_numeric("age")


def test_values_are_written_one_row_per_sample(tmp_path):
    columns = {
        "sample-id": ["S1", "S2"],
        "age": np.array([1 / 3, np.nan], dtype=np.float64),
        "score": np.array([0.1, 1e-12], dtype=np.float32),
        "n": np.array([3, 2**53]),
        "site": ["gut", None],
    }

    write_tsv(tmp_path / "t.tsv", columns)

    assert (tmp_path / "t.tsv").read_text() == (
        "sample-id\tage\tscore\tn\tsite\nS1\t0.333333333\t0.100000001\t3\tgut\nS2\t\t9.99999996e-13\t9007199254740992\t\n"
    )


def test_the_table_opens_as_qiime2_metadata(tmp_path):
    sites = ['a "quoted" site', "two\nlines", "tab\tin it"]
    columns = {"sample-id": ["10317.000001", "S2", "é"], "site": sites, "age": [1.5, float("nan"), -2e10]}

    write_tsv(tmp_path / "t.tsv", columns)

    frame = SampleMetadata.load(str(tmp_path / "t.tsv")).to_dataframe()
    assert frame.index.name == "sample-id"
    assert frame.index.tolist() == columns["sample-id"]
    assert frame["site"].tolist() == sites
    np.testing.assert_array_equal(frame["age"], columns["age"])


def test_columns_of_different_length_leave_no_file(tmp_path):
    with pytest.raises(ValueError, match="shorter"):
        write_tsv(tmp_path / "t.tsv", {"sample-id": ["S1", "S2"], "age": [1.0]})

    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        write_tsv(tmp_path / "no" / "t.tsv", {"sample-id": ["S1"]})
