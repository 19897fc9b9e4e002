"""Result tables open as QIIME 2 metadata and lose nothing."""

import numpy as np
import pytest
from skbio.metadata import SampleMetadata

from aam.errors import OutputError
from aam.io.metadata import write_tsv


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
